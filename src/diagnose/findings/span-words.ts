/** A span in words: the two largest units that are not zero, `45 s`, `12 min`, `3 h 5 min`, `364 d`. */

const UNITS = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
  [1, "s"],
] as const;
/** From this on hours no longer matter, s. */
const LONG_SECONDS = 10 * 86_400;
/** Below this seconds matter and are told alone, s: ages of young nodes are compared with seconds. */
const SHORT_SECONDS = 600;

export function spanWords(seconds: number): string {
  if (seconds < SHORT_SECONDS) return `${seconds} s`;
  const at = UNITS.findIndex(([unit]) => seconds >= unit);
  const [unit, name] = UNITS[at] ?? UNITS[3];
  const [smaller, smallerName] = UNITS[at + 1] ?? UNITS[3];
  const whole = `${Math.floor(seconds / unit)} ${name}`;
  const rest = Math.floor((seconds % unit) / smaller);
  return rest === 0 || seconds >= LONG_SECONDS ? whole : `${whole} ${rest} ${smallerName}`;
}
