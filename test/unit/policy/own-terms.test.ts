/** What workloads ask for by annotation: read as far as it can be, and every word that cannot is named. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_HOLD_ANNOTATION, ORDER_ANNOTATION } from "../../../src/api/names.ts";
import { ignoredTerms, ownTerms } from "../../../src/policy/own-terms.ts";

test.each([
  [{}, {}],
  [{ [MAX_HOLD_ANNOTATION]: "60" }, { maxHoldSeconds: 60 }],
  [
    { [MAX_HOLD_ANNOTATION]: "1", [ORDER_ANNOTATION]: "first" },
    { maxHoldSeconds: 1, order: "first" },
  ],
  [
    { [MAX_HOLD_ANNOTATION]: "540", [ORDER_ANNOTATION]: "last" },
    { maxHoldSeconds: 540, order: "last" },
  ],
  [{ [ORDER_ANNOTATION]: "normal" }, {}],
])("%j is read without a word", (annotations, terms) => {
  expect(ownTerms(annotations)).toEqual(terms);
  expect(ignoredTerms(annotations)).toEqual([]);
});

test.each(["0", "-1", "60s", "1.5", "541", "", " 60", "060", "1e2", "ten"])(
  "%j is no cap: it is ignored, and named with what to write",
  (value) => {
    const annotations = { [MAX_HOLD_ANNOTATION]: value };
    expect(ownTerms(annotations)).toEqual({});
    expect(ignoredTerms(annotations)).toEqual([
      `paceline.dev/max-hold-seconds: "${value}" is ignored; write whole seconds, "1" to "540"`,
    ]);
  },
);

test("neither is any other word a place", () => {
  const annotations = { [ORDER_ANNOTATION]: "First" };
  expect(ownTerms(annotations)).toEqual({});
  expect(ignoredTerms(annotations)).toEqual(['paceline.dev/order: "First" is ignored; write first, normal or last']);
});

test("whatever is written there, it is read or named, in fewer bytes than API servers pass on", () => {
  const value = fc.oneof(fc.string(), fc.string({ minLength: 50, unit: "binary" }), fc.anything());
  const worst = "\u0001".repeat(50);
  fc.assert(
    fc.property(value, value, (seconds, order) => {
      const annotations = { [MAX_HOLD_ANNOTATION]: seconds, [ORDER_ANNOTATION]: order };
      const { maxHoldSeconds = 1 } = ownTerms(annotations);
      expect(maxHoldSeconds >= 1 && maxHoldSeconds <= 540).toBe(true);
      for (const text of ignoredTerms(annotations)) expect(Buffer.byteLength(text)).toBeLessThan(256);
    }),
    {
      examples: [
        [worst, worst],
        [{ toString: 1 }, { toString: 1 }],
      ],
    },
  );
});
