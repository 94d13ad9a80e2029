/** Months as journals of many languages abbreviate them. */

/** The languages of which the short names are known; where two disagree, the earlier one wins. */
const languages = ["en", "fr", "de", "pt", "es", "it", "nl", "pl", "sv", "da", "nb", "fi", "cs", "hu", "ro", "tr"];
const further = ["ru", "uk", "bg", "el", "id", "sk", "ca", "et", "lv", "lt"];

/** By far the most frequent ones, which need no other language. */
const english = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

let known: ReadonlyMap<string, number> | undefined;

/** 0 to 11 for `Nov`, `sept.`, `Okt`, `févr.` or `9月`; undefined for any other word. */
export function monthOf(word: string): number | undefined {
  const inEnglish = english.indexOf(word);
  if (inEnglish >= 0) return inEnglish;
  const numbered = /^(\d{1,2})(?:月|월)$/.exec(word)?.[1];
  if (numbered !== undefined) return Number(numbered) >= 1 && Number(numbered) <= 12 ? Number(numbered) - 1 : undefined;
  known ??= names();
  const plain = plainOf(word);
  return known.get(plain) ?? known.get(plain.slice(0, 4)) ?? known.get(plain.slice(0, 3));
}

/** Lower case, no dots, no accents: `Févr.` and `fevr` are one. */
const plainOf = (word: string) =>
  word
    .normalize("NFD")
    .replace(/[\p{M}.]/gu, "")
    .toLowerCase();

/** What tells a month: its names, and their first three and four letters. */
function names(): Map<string, number> {
  const all = new Map<string, number>();
  const add = (word: string, month: number) => {
    if (word.length >= 3 && !all.has(word)) all.set(word, month);
  };
  for (const language of [...languages, ...further]) {
    for (let month = 0; month < 12; month++) {
      for (const length of ["short", "long"] as const) {
        const format = new Intl.DateTimeFormat(language, { month: length, day: "numeric", timeZone: "UTC" });
        const part = format.formatToParts(Date.UTC(2026, month, 15)).find(({ type }) => type === "month");
        const word = plainOf(part?.value ?? "");
        for (const letters of [word, word.slice(0, 4), word.slice(0, 3)]) add(letters, month);
      }
    }
  }
  return all;
}
