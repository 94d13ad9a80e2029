/** Ages as kubectl writes them: `2m38s`, `3h ago`, `2m14s (x2 over 2m20s)`. */

const AGE = /^((?:\d+y)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?)(?: ago)?(?: \((?:x\d+)? ?over ((?:\d+[ydhms])+)\))?$/;
const unitMs: Readonly<Record<string, number>> = {
  y: 365 * 86_400_000,
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
};

/** ms ago, of the last and of the first time; undefined when the text is no age. */
export function ageMs(text: string): { readonly lastMs: number; readonly firstMs: number } | undefined {
  const [, last = "", first] = AGE.exec(text.trim()) ?? [];
  if (last === "") return undefined;
  const lastMs = spanMs(last);
  return { lastMs, firstMs: first === undefined ? lastMs : spanMs(first) };
}

const spanMs = (text: string) =>
  [...text.matchAll(/(\d+)([ydhms])/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (unitMs[unit ?? ""] ?? 0),
    0,
  );
