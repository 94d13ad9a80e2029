/** A pod that others gate as well loses none of its time: its hold begins when their gates are gone. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PodFacts } from "../../../../src/core/facts.ts";
import { createPacer } from "../../../../src/core/pacer.ts";
import { heldSinceMs, seenHeldSinceMs } from "../../../../src/core/state/held-since.ts";
import { formatHold, parseHold } from "../../../../src/kube/parse/annotations.ts";
import { defaultPolicy } from "../../../../src/policy/parse.ts";
import { aGatedPod, aNode, anOldNode, aPod, bound, changed, START_MS } from "../../../support/core-facts.ts";
import { aFencedNode, pacerWith, slots } from "../../../support/core-plan.ts";

const HOUR_MS = 3_600_000;
const CAP_MS = 300_000;
/** When Kueue lets its pods go. */
const freeMs = START_MS + HOUR_MS;
const healthy = { synced: true, leaderAlive: true };

const aKueuePod = (name: string, more: Partial<PodFacts> = {}) =>
  aGatedPod(name, { gatedByOthers: true, hold: { node: undefined, reason: "OtherGates", sinceMs: START_MS }, ...more });
const letGo = (pod: PodFacts) => changed(pod, { gatedByOthers: false });

/** n1 has opened just before, and its one slot is taken. */
function pacerAt(nowMs: number, pods: readonly PodFacts[]) {
  const young = aNode("n1", { createdAtMs: nowMs - 1_000, readySinceMs: nowMs - 1_000 });
  return pacerWith([young], [bound(aPod("busy"), "n1", nowMs), ...pods], slots(1), nowMs);
}

describe("a pod that others gate", () => {
  test.each([
    ["no node would take", []],
    ["a settled node has room for", [anOldNode("n1")]],
    ["a young node would take", [aNode("n1")]],
  ])("and that %s is gated on arrival: where it can go shows when they let it go", (_, nodes) => {
    const verdict = pacerWith(nodes, []).admit(aPod("p", { gatedByOthers: true }), healthy, START_MS);
    expect(verdict).toMatchObject({ kind: "hold", reason: "OtherGates" });
  });

  test("keeps our gate for as long as they keep theirs, and says why", () => {
    const pacer = pacerAt(freeMs, [aKueuePod("p")]);
    expect(pacer.plan(freeMs)).toMatchObject({ releases: [], held: [{ hold: { reason: "OtherGates" } }] });
    expect(pacer.status(freeMs).held).toMatchObject([{ reason: "OtherGates", heldSeconds: 0 }]);
  });

  test("goes when pacing is off", () => {
    const pacer = pacerWith([aNode("n1")], [aKueuePod("p")], { mode: "off" });
    expect(pacer.plan(START_MS).releases).toMatchObject([{ reason: "PacingOff", note: { heldMs: 0 } }]);
  });

  test("keeps no fence up: it cannot go to the node", () => {
    const pacer = pacerWith([aFencedNode("n1")], [aKueuePod("p")], { steer: { enabled: false } });
    expect(pacer.plan(START_MS + 10_000).fences).toMatchObject([{ kind: "lift", reason: "NothingPending" }]);
  });
});

describe("once they let it go", () => {
  test("it is paced, and goes near the end of a whole cap of its own; only then past every fence", () => {
    const pacer = pacerAt(freeMs, [aKueuePod("p")]);
    pacer.upsertPod(letGo(aKueuePod("p")), freeMs);
    expect(pacer.plan(freeMs + 10)).toMatchObject({ releases: [], held: [{ hold: { reason: "StartupSlotsFull" } }] });
    expect(pacer.plan(freeMs + CAP_MS).releases).toMatchObject([
      { reason: "HoldCapReached", fence: "*", note: { heldMs: CAP_MS } },
    ]);
  });

  test("it goes at once where a slot is free, with the toleration of that node's fence alone", () => {
    const pacer = pacerWith([aFencedNode("n1")], [aKueuePod("p")], slots(1));
    pacer.upsertPod(letGo(aKueuePod("p")), START_MS + 400_000);
    expect(pacer.plan(START_MS + 400_000).releases).toMatchObject([{ reason: "SlotFree", node: "n1", fence: "n1" }]);
  });

  test("a leader that has seen none of it counts from the note, and from its first look where there is none", () => {
    const since = (pod: PodFacts, nowMs: number) =>
      pacerAt(nowMs, [pod])
        .plan(nowMs)
        .held.map((one) => heldSinceMs(one.pod));
    const noted = { node: undefined, reason: "StartupSlotsFull", sinceMs: freeMs, freed: true } as const;
    expect(since(changed(letGo(aKueuePod("p")), { hold: noted }), freeMs + 5_000)).toEqual([freeMs]);
    expect(since(letGo(aKueuePod("p")), freeMs + 5_000)).toEqual([freeMs + 5_000]);
  });

  test("the note is read as it was written", () => {
    const note = { node: undefined, reason: "DiskBacklog", sinceMs: freeMs, freed: true } as const;
    expect(parseHold(formatHold(note))).toEqual(note);
  });

  test("a note that is not a leader's makes no hold longer: one of the future counts for nothing", () => {
    const forged = { node: undefined, reason: "StartupSlotsFull", sinceMs: freeMs + HOUR_MS, freed: true } as const;
    const pacer = pacerAt(freeMs, [aGatedPod("p", { hold: forged })]);
    expect(pacer.plan(freeMs).releases).toMatchObject([{ reason: "HoldCapReached" }]);
  });
});

describe("the janitor", () => {
  const noted = { node: undefined, reason: "DiskBacklog", sinceMs: freeMs, freed: true } as const;

  test("counts as the leader does, and leaves alone what ours does not hold", () => {
    expect(seenHeldSinceMs(aKueuePod("p"), true, freeMs)).toBe(Infinity);
    expect(seenHeldSinceMs(aGatedPod("p", { hold: noted }), false, freeMs)).toBe(freeMs);
    expect(seenHeldSinceMs(aGatedPod("p"), false, freeMs)).toBe(START_MS);
  });

  test("leaves to a leader what only that can date, and lets it go where there is none", () => {
    expect(seenHeldSinceMs(letGo(aKueuePod("p")), false, freeMs)).toBe(Infinity);
    expect(seenHeldSinceMs(letGo(aKueuePod("p")), true, freeMs)).toBe(START_MS);
  });
});

test("whatever the note says and whoever leads, no hold outlasts the cap from when the pod was first seen free", () => {
  const aTime = fc.integer({ min: -HOUR_MS, max: 2 * HOUR_MS }).map((ms) => freeMs + ms);
  const aHold = fc.option(
    fc.record({
      node: fc.constant(undefined),
      reason: fc.constantFrom("OtherGates", "DiskBacklog"),
      sinceMs: aTime,
      freed: fc.constantFrom(true, undefined),
    } as const),
    { nil: undefined },
  );
  fc.assert(
    fc.property(
      aHold,
      fc.array(fc.tuple(aHold, fc.integer({ min: 0, max: 400_000 })), { maxLength: 5 }),
      (first, later) => {
        const pacer = createPacer(defaultPolicy());
        let pod = changed(aKueuePod("p"), { hold: first });
        pacer.upsertPod(pod, freeMs - 1_000);
        pacer.upsertPod((pod = changed(pod, { gatedByOthers: false })), freeMs);
        for (const [hold, afterMs] of later) pacer.upsertPod((pod = changed(pod, { hold })), freeMs + afterMs);
        expect(pacer.plan(freeMs + CAP_MS).releases).toHaveLength(1);
      },
    ),
  );
});
