/** Durations as Go prints and reads them: `2m0s`, `1h`, `500ms`. */

const UNITS_MS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 3.6e6 };

/** Milliseconds; undefined if the text is not a duration (`Never`, "", a number without a unit). */
export function durationMs(text: unknown): number | undefined {
  if (typeof text !== "string" || !/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g))
    sum += Number(count) * (UNITS_MS[unit ?? ""] ?? 0);
  return sum;
}
