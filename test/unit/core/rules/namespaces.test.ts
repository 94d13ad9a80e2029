/** Namespaces in and out by label: every lever obeys the same answer. */
import { describe, expect, test } from "vitest";
import { createPacer } from "../../../../src/core/pacer.ts";
import type { Pacer } from "../../../../src/core/pacer.ts";
import { defaultPolicy } from "../../../../src/policy/parse.ts";
import { aFencedNode, aPendingPod, type Overrides, released } from "../../../support/core-plan.ts";
import { aGatedPod, aNode, aPod, aShape, bound, START_MS } from "../../../support/core-facts.ts";

const healthy = { synced: true, leaderAlive: true };
const CANARY: Overrides = { namespaces: { selector: { matchLabels: { canary: "yes" } } } };
const OUT: Overrides = { exempt: { namespaceSelector: { matchLabels: { team: "data" } } } };
const shape = aShape({ namespace: "team", image: "app:1" });

function pacer(overrides: Overrides, labels?: Record<string, string>): Pacer {
  const made = createPacer(
    defaultPolicy({ nodeClasses: [{ name: "one", slots: { initial: 1, max: 1 } }], ...overrides }),
  );
  if (labels) made.upsertNamespace("team", labels);
  return made;
}

const cases: readonly [string, Overrides, Record<string, string> | undefined, "paced" | "left out"][] = [
  ["no label, and the policy names none", {}, {}, "paced"],
  ["the label paceline.dev/pacing: disabled", {}, { "paceline.dev/pacing": "disabled" }, "left out"],
  ["that label with another value", {}, { "paceline.dev/pacing": "enabled" }, "paced"],
  ["a label that the policy exempts", OUT, { team: "data" }, "left out"],
  ["another value of the label that the policy exempts", OUT, { team: "web" }, "paced"],
  ["the label of the canary", CANARY, { canary: "yes" }, "paced"],
  ["no label of the canary", CANARY, {}, "left out"],
  ["the canary's label, and one that exempts", { ...CANARY, ...OUT }, { canary: "yes", team: "data" }, "left out"],
  ["labels that are not known, where the policy names none", {}, undefined, "paced"],
  ["labels that are not known, where some are exempt (fails open)", OUT, undefined, "left out"],
  ["labels that are not known, where only some are paced (fails open)", CANARY, undefined, "left out"],
];

describe.each(cases)("pods of a namespace with %s", (_, overrides, labels, wanted) => {
  const isPaced = wanted === "paced";

  test(`are ${wanted} by the gate, also where they came before it was known`, () => {
    const core = pacer(overrides, labels);
    core.upsertNode(aNode("n1"), START_MS);
    core.upsertPod(bound(aPod("busy"), "n1"), START_MS);
    expect(core.admit(aPod("p", { shape }), healthy, START_MS).kind).toBe(isPaced ? "hold" : "allow");
    core.upsertPod(aGatedPod("q", { shape }), START_MS);
    const { releases, held } = core.plan(START_MS);
    expect(releases.map(({ reason }) => reason)).toEqual(isPaced ? [] : ["Exempt"]);
    expect(held).toHaveLength(isPaced ? 1 : 0);
  });

  test(`are ${wanted} by the fence, and shown so`, () => {
    const core = pacer(overrides, labels);
    core.upsertNode(aFencedNode("n1"), START_MS);
    for (const pod of [bound(aPod("busy"), "n1"), aPendingPod("p", { shape })]) core.upsertPod(pod, START_MS);
    expect(core.keptOut(START_MS)).toHaveLength(isPaced ? 1 : 0);
    expect(core.status(START_MS).held).toHaveLength(isPaced ? 1 : 0);
    expect(released(core.plan(START_MS))).toEqual(isPaced ? [] : ["p"]);
  });

  test(`are ${wanted} by the extender, for filter and preempt`, () => {
    const core = pacer({ ...overrides, fence: { enabled: false }, extender: { enabled: true } }, labels);
    core.upsertNode(aNode("n1"), START_MS);
    core.upsertPod(bound(aPod("busy"), "n1"), START_MS);
    const pod = aPod("p", { shape });
    expect(core.offer(pod, ["n1"], healthy, START_MS).accepted).toEqual(isPaced ? [] : ["n1"]);
    expect(core.roomBehindPacing(pod, healthy, START_MS)).toBe(isPaced ? "n1" : undefined);
  });
});

test("a label that changes counts at once, and what may not be listed any more is forgotten", () => {
  const core = pacer(CANARY, {});
  core.upsertNode(aNode("n1"), START_MS);
  const verdict = () => core.admit(aPod("p", { shape }), healthy, START_MS).kind;
  expect(verdict()).toBe("allow");
  expect(core.upsertNamespace("team", { canary: "yes" })).toBe(true);
  expect(verdict()).toBe("hold");
  expect(core.upsertNamespace("team", { canary: "yes" })).toBe(false);
  core.forgetNamespaces();
  expect(verdict()).toBe("allow");
  core.upsertNamespace("team", { canary: "yes" });
  core.deleteNamespace("team");
  expect(verdict()).toBe("allow");
});

test("a selector of a namespace's labels says what it cannot be", () => {
  expect(() => defaultPolicy({ exempt: { namespaceSelector: {} } })).toThrow("is empty and would exempt every pod");
  expect(defaultPolicy({ namespaces: { selector: {} } }).namespaces.selector).toEqual({});
});
