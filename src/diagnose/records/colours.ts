/** Colours of terminals, as grep and journalctl write them. */

const ESCAPES = /\u001b(?:\[[0-9;?]*[A-Za-z]|\][^\u0007\u001b]*(?:\u0007|\u001b\\))/g;
/** As `cat -v` and less show them, and as they look once the escape character is lost. */
const SHOWN = /(?:\^\[|ESC)\[[0-9;]*[mK]/g;
const LOST = /\[(?:[0-9]{1,2}(?:;[0-9]{1,2})*)?[mK]/g;

/** The text without them. */
export function withoutColours(text: string): string {
  let plain = text.includes("\u001b") ? text.replace(ESCAPES, "") : text;
  if (plain.includes("^[[") || plain.includes("ESC[")) plain = plain.replace(SHOWN, "");
  return plain.includes("[0m") ? plain.replace(LOST, "") : plain;
}
