import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultPolicy } from "../../../src/policy/parse.ts";
import { matchesSelector, nodeClassFor } from "../../../src/policy/resolve.ts";

describe("matchesSelector", () => {
  const labels = { disk: "nvme", zone: "a", empty: "" };
  const requirement = (key: string, operator: "In" | "NotIn" | "Exists" | "DoesNotExist", ...values: string[]) =>
    operator === "In" || operator === "NotIn"
      ? { matchExpressions: [{ key, operator, values }] }
      : { matchExpressions: [{ key, operator }] };

  it.each([
    [{ matchLabels: { disk: "nvme", zone: "a" } }, true],
    [{ matchLabels: { disk: "nvme", zone: "b" } }, false],
    [{ matchLabels: { empty: "" } }, true],
    [{ matchLabels: { absent: "" } }, false],
    [requirement("disk", "In", "gp3", "nvme"), true],
    [requirement("disk", "In", "gp3"), false],
    [requirement("absent", "In", "gp3"), false],
    [requirement("disk", "NotIn", "gp3"), true],
    [requirement("disk", "NotIn", "nvme"), false],
    [requirement("absent", "NotIn", "nvme"), true],
    [requirement("empty", "Exists"), true],
    [requirement("absent", "Exists"), false],
    [requirement("absent", "DoesNotExist"), true],
    [requirement("disk", "DoesNotExist"), false],
    [{ matchLabels: { disk: "nvme" }, ...requirement("zone", "In", "b") }, false],
  ])("judges as Kubernetes does: %j → %s", (selector, matches) => {
    expect(matchesSelector(selector, labels)).toBe(matches);
  });

  it("selects everything without requirements", () => {
    for (const selector of [undefined, {}, { matchLabels: {}, matchExpressions: [] }]) {
      expect(matchesSelector(selector, labels)).toBe(true);
      expect(matchesSelector(selector, {})).toBe(true);
    }
  });

  it("does not mistake inherited properties of objects for labels", () => {
    expect(matchesSelector(requirement("constructor", "Exists"), labels)).toBe(false);
    expect(matchesSelector(requirement("toString", "DoesNotExist"), labels)).toBe(true);
  });

  it("In and NotIn, Exists and DoesNotExist are opposites for any labels", () => {
    const word = fc.constantFrom("a", "b", "constructor", "__proto__");
    fc.assert(
      fc.property(fc.dictionary(word, word), word, fc.array(word, { minLength: 1 }), (anyLabels, key, values) => {
        const holds = (operator: "In" | "NotIn" | "Exists" | "DoesNotExist") =>
          matchesSelector(requirement(key, operator, ...values), anyLabels);
        expect(holds("In")).toBe(!holds("NotIn"));
        expect(holds("Exists")).toBe(!holds("DoesNotExist"));
      }),
    );
  });
});

describe("nodeClassFor", () => {
  const nvme = { name: "nvme", selector: { matchLabels: { disk: "nvme" } }, slots: { initial: 24 } };
  const zoned = { name: "zoned", selector: { matchExpressions: [{ key: "zone", operator: "Exists" as const }] } };

  it("takes the first class that matches, not the most specific", () => {
    const policy = defaultPolicy({ nodeClasses: [zoned, nvme] });
    expect(nodeClassFor(policy, { disk: "nvme", zone: "a" }).name).toBe("zoned");
    expect(nodeClassFor(policy, { disk: "nvme" }).slots.initial).toBe(24);
  });

  it("falls back to the implicit class default, or to the policy's own last one", () => {
    expect(nodeClassFor(defaultPolicy({ nodeClasses: [nvme] }), {})).toMatchObject({
      name: "default",
      slots: { min: 1, max: 32 },
    });
    const own = defaultPolicy({ nodeClasses: [nvme, { name: "default", slots: { initial: 3 } }] });
    expect(nodeClassFor(own, {})).toMatchObject({ name: "default", slots: { initial: 3, max: 32 } });
  });
});
