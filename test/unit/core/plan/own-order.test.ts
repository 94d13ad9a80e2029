/** `paceline.dev/order`: a place among one's own, and never one before others. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PodFacts, PodShape } from "../../../../src/core/facts.ts";
import { withoutPreceded } from "../../../../src/core/plan/own-order.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import { aGatedPod, aNode, aShape, bound, started, START_MS } from "../../../support/core-facts.ts";
import { namesOf, pacerWith, shows, sizes, slots } from "../../../support/core-plan.ts";

interface Given extends Partial<PodShape> {
  readonly heldS?: number;
}

/** Each of a template of its own. */
const pod = (name: string, { heldS = 0, ...shape }: Given = {}): PodFacts =>
  aGatedPod(name, {
    createdAtMs: START_MS - heldS * 1_000,
    shape: aShape({ namespace: name.split("-")[0] ?? "", ownerName: name, ...shape }),
  });

/** The names in the order in which a node of one slot gets them. */
function turns(pods: readonly PodFacts[]): string[] {
  const images = sizes({ heavy: 100, other: 100 });
  const pacer = pacerWith([aNode("n1"), shows(images)], pods, { ...slots(1), settledNodes: "observe" });
  const went: string[] = [];
  for (let nowMs = START_MS; went.length < pods.length && nowMs < START_MS + 100_000; nowMs += 1_000) {
    for (const { pod: one } of pacer.plan(nowMs).releases) {
      went.push(one.name);
      const here = bound(one, "n1", nowMs);
      pacer.upsertPod(here, nowMs);
      pacer.upsertPod(started(here), nowMs);
    }
  }
  return went;
}

describe("among the pods of its namespace", () => {
  test("those that it puts first go first, those that it puts last go last, whatever the order would be", () => {
    const pods = [
      pod("a-last", { order: "last", heldS: 30 }),
      pod("a-normal", { heldS: 20 }),
      pod("a-first", { order: "first", heldS: 10 }),
    ];
    expect(turns(pods)).toEqual(["a-first", "a-normal", "a-last"]);
  });

  test("higher priority and a DaemonSet's pods go before, as always", () => {
    const pods = [
      pod("a-first", { order: "first" }),
      pod("a-ranking", { priority: 10, order: "last" }),
      { ...pod("a-agent", { ownerKind: "DaemonSet", order: "last" }), pinnedTo: nodeName("n1") },
    ];
    expect(turns(pods)).toEqual(["a-agent", "a-ranking", "a-first"]);
  });

  test("one that cannot go now keeps none waiting: no slot stays empty for it", () => {
    const [first, normal, last] = [
      pod("a-first", { order: "first" }),
      pod("a-normal"),
      pod("a-last", { order: "last" }),
    ].map((one) => ({ pod: one }));
    if (!first || !normal || !last) throw new Error("three pods");
    const left = (...able: object[]) =>
      namesOf(withoutPreceded([last, normal, first], (one) => able.includes(one)).map((one) => one.pod));
    expect(left(first, normal, last)).toEqual(["a-first"]);
    expect(left(normal, last)).toEqual(["a-normal", "a-first"]);
    expect(left(last)).toEqual(["a-last", "a-normal", "a-first"]);
  });
});

describe("before the pods of other namespaces", () => {
  test("nothing that it puts first goes earlier; what it puts last makes room for them", () => {
    const others = pod("b-other", { heldS: 15 });
    expect(turns([pod("a-first", { order: "first", heldS: 10 }), others])).toEqual(["b-other", "a-first"]);
    const mine = [pod("a-last", { order: "last", heldS: 20 }), pod("a-normal", { heldS: 10 })];
    expect(turns([...mine, others])).toEqual(["b-other", "a-normal", "a-last"]);
  });

  test("a light pod does not stand in line for heavy ones that it lets pass: they rank by themselves", () => {
    const decoy = pod("a-decoy", { order: "last", heldS: 100 });
    const heavy = pod("a-heavy", { order: "first", heldS: 0, images: [...sizes({ heavy: 1 }).keys()] });
    expect(turns([decoy, heavy, pod("b-other", { heldS: 10 })])).toEqual(["b-other", "a-heavy", "a-decoy"]);
  });

  test("whatever a tenant writes on its pods, no other pod goes after more of them than before", () => {
    const order = fc.constantFrom("first", "last", undefined);
    const mine = fc.array(
      fc.record({ heldS: fc.integer({ min: 0, max: 50 }), order, priority: fc.constantFrom(0, 1) }),
      {
        minLength: 1,
        maxLength: 6,
      },
    );
    const theirs = fc.array(fc.record({ heldS: fc.integer({ min: 0, max: 50 }), priority: fc.constantFrom(0, 1) }), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(mine, theirs, (a, b) => {
        const others = b.map((given, at) => pod(`b-${at}`, given));
        const written = turns([...a.map((given, at) => pod(`a-${at}`, given)), ...others]);
        const plain = turns([...a.map(({ order: _, ...given }, at) => pod(`a-${at}`, given)), ...others]);
        const before = (went: readonly string[], name: string) =>
          went.slice(0, went.indexOf(name)).filter((one) => one.startsWith("a-")).length;
        expect(written).toHaveLength(a.length + b.length);
        for (const { name } of others) expect(before(written, name)).toBeLessThanOrEqual(before(plain, name));
      }),
      { numRuns: 40 },
    );
  });
});
