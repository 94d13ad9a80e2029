import { describe, expect, test } from "vitest";
import type { NodeFacts, Taint } from "../../../../src/core/facts.ts";
import { neededNote, nextOpening, openingOf } from "../../../../src/core/state/opening.ts";
import { aNode, anOldNode, START_MS } from "../../../support/core-facts.ts";
import { aJoiningNode, CORDON_TAINT, NOT_READY, withRollCall } from "../../../support/core-plan.ts";

const MINUTE_MS = 60_000;
const LATER_MS = START_MS + 20 * MINUTE_MS;
const DAY_BEFORE_MS = START_MS - 86_400_000;
const AGENT = { key: "node.cilium.io/agent-not-ready", value: "", effect: "NoSchedule" } as const;
const CORDONED = { unschedulable: true, taints: [CORDON_TAINT] };
const NOT_READY_NOW = { readySinceMs: undefined, notReadySinceMs: START_MS, taints: [NOT_READY] };

/** What a replica concludes that saw the node in each of these states, one minute apart, the last at LATER_MS. */
function seen(...states: readonly NodeFacts[]): NodeFacts {
  const beganMs = LATER_MS - (states.length - 1) * MINUTE_MS;
  return states.reduce<NodeFacts | undefined>((before, facts, at) => {
    const nowMs = beganMs + at * MINUTE_MS;
    return { ...facts, opening: before ? nextOpening(before, facts, nowMs) : openingOf(facts, nowMs) };
  }, undefined) as NodeFacts;
}
const openedMs = (...states: readonly NodeFacts[]) => seen(...states).opening?.openedMs;
const noteOf = (...states: readonly NodeFacts[]) => neededNote(seen(...states), LATER_MS);

const old = (more: Partial<NodeFacts> = {}) => anOldNode("n1", { bootID: "a", ...more });

describe("a node opens", () => {
  test("when it is Ready for the first time: not before, and needs no note for it", () => {
    const joining = aJoiningNode("n1", { createdAtMs: LATER_MS - MINUTE_MS });
    const ready = { ...joining, readySinceMs: LATER_MS - 1_000, taints: [] };
    expect(openedMs(joining)).toBeUndefined();
    expect(openedMs(joining, ready)).toBe(LATER_MS - 1_000);
    expect(openedMs(ready)).toBe(LATER_MS - 1_000);
    expect([noteOf(joining), noteOf(joining, ready), noteOf(ready)]).toEqual([undefined, undefined, undefined]);
  });

  test("when it is first Ready after longer than nodes take to join, if that was seen", () => {
    const joining = aJoiningNode("n1", { createdAtMs: LATER_MS - 15.5 * MINUTE_MS });
    const ready = { ...joining, readySinceMs: LATER_MS, taints: [] };
    const openedNote = { atMs: undefined, bootID: "" };
    expect(noteOf(joining, joining)).toEqual(openedNote); // from now on nobody could tell its first Ready from a flap
    expect(openedMs(joining, ready)).toBe(LATER_MS);
    expect(openedMs({ ...ready, openedNote })).toBe(LATER_MS);
    expect(openedMs(ready)).toBe(ready.createdAtMs);
  });

  test("when it is uncordoned", () => {
    expect(openedMs(old(), old(CORDONED))).toBeUndefined();
    expect(openedMs(old(), old(CORDONED), old())).toBe(LATER_MS);
  });

  test("not when the cordon of a roll call ends", () => {
    const fenced = aNode("n1", withRollCall("done"));
    const inRollCall = aNode("n1", { ...withRollCall("open"), ...CORDONED });
    expect(openedMs(aNode("n1"), inRollCall, fenced)).toBe(START_MS);
  });

  test("when it loses its startup taint, though it was Ready long before", () => {
    expect(openedMs(old({ taints: [AGENT] }))).toBeUndefined();
    expect(openedMs(old({ taints: [AGENT] }), old())).toBe(LATER_MS);
  });

  test("when it loses another taint that keeps pods out; a taint that may stay does not close it", () => {
    const dedicated = { key: "team", value: "red", effect: "NoSchedule" } as const;
    expect(openedMs(old({ taints: [dedicated] }))).toBe(DAY_BEFORE_MS);
    expect(openedMs(old({ taints: [dedicated] }), old())).toBe(LATER_MS);
    const soft = { ...dedicated, effect: "PreferNoSchedule" } as const;
    expect(openedMs(old({ taints: [soft] }), old())).toBe(DAY_BEFORE_MS);
    const pressure = { key: "node.kubernetes.io/memory-pressure", value: "", effect: "NoSchedule" } as const;
    expect(openedMs(old({ taints: [pressure] }), old())).toBe(DAY_BEFORE_MS);
  });

  test("when it is Ready after a reboot", () => {
    const rebooted = old({ bootID: "b", readySinceMs: LATER_MS - 5_000 });
    expect(openedMs(old(), old(NOT_READY_NOW))).toBe(DAY_BEFORE_MS);
    expect(openedMs(old(), old(NOT_READY_NOW), rebooted)).toBe(LATER_MS - 5_000);
    expect(openedMs(old(), old({ bootID: "b" }))).toBe(LATER_MS); // so fast that nothing called it not Ready
  });

  test("also where its kubelet says first that it is not Ready yet after the boot", () => {
    const rebooted = old({ bootID: "b", readySinceMs: LATER_MS });
    const booting = old({ ...NOT_READY_NOW, bootID: "b" });
    expect(openedMs(old(), booting)).toBe(DAY_BEFORE_MS);
    expect(openedMs(old(), booting, rebooted)).toBe(LATER_MS);
    const openedNote = noteOf(old(), booting);
    expect(openedNote).toEqual({ atMs: DAY_BEFORE_MS, bootID: "a" });
    expect(openedMs({ ...booting, openedNote }, { ...rebooted, openedNote })).toBe(LATER_MS);
  });

  test("when it reports an extended resource that it never had", () => {
    const withGpus = (count: number) => old({ allocatable: { cpu: 4_000, pods: 110, "nvidia.com/gpu": count } });
    expect(openedMs(old(), withGpus(8))).toBe(LATER_MS);
    expect(openedMs(withGpus(0), withGpus(8))).toBe(LATER_MS);
    expect(openedMs(withGpus(8), withGpus(0), withGpus(8))).toBe(DAY_BEFORE_MS); // its driver was restarted
    expect(openedMs(withGpus(4), withGpus(8))).toBe(DAY_BEFORE_MS);
  });
});

describe("a flap of Ready changes nothing:", () => {
  test("within one boot, whether it was seen or not", () => {
    const flapped = old({ readySinceMs: LATER_MS });
    expect(openedMs(old(), old(NOT_READY_NOW), flapped)).toBe(DAY_BEFORE_MS);
    expect(openedMs(old(), flapped)).toBe(DAY_BEFORE_MS);
    expect(openedMs(flapped)).toBeLessThanOrEqual(DAY_BEFORE_MS);
  });

  test("a young node is not younger after it", () => {
    const flapped = aNode("n1", { readySinceMs: START_MS + 5 * MINUTE_MS });
    expect(openedMs(aNode("n1"), flapped)).toBe(START_MS);
    const told = { ...flapped, openedNote: { atMs: START_MS, bootID: "" } };
    expect(noteOf(aNode("n1"), flapped)).toEqual(told.openedNote);
    expect(openedMs(told)).toBe(START_MS);
    expect(noteOf(told)).toBeUndefined();
  });

  test("a roll call tells that the node was Ready before", () => {
    expect(openedMs(aNode("n1", { readySinceMs: START_MS + 5 * MINUTE_MS, ...withRollCall("done") }))).toBe(START_MS);
  });
});

describe("a taint that comes to a settled node and soon goes changes nothing:", () => {
  const minutesUnder = (taint: Taint, minutes: number) =>
    Array.from({ length: minutes }, () => old({ taints: [taint] }));
  const others = ["karpenter.sh/disrupted", "ToBeDeletedByClusterAutoscaler", "team"];
  const taints: readonly Taint[] = [AGENT, ...others.map((key) => ({ ...AGENT, key }))];

  test.each(taints)("$key", (taint) => {
    expect(openedMs(old(), old({ taints: [taint] }))).toBe(DAY_BEFORE_MS);
    expect(openedMs(old(), ...minutesUnder(taint, 14), old())).toBe(DAY_BEFORE_MS);
    expect(openedMs(old(), ...minutesUnder(taint, 15), old())).toBe(LATER_MS);
  });

  test("not to a node that has been open for a quarter of an hour at most", () => {
    const node = (more: Partial<NodeFacts> = {}) => aNode("n1", { readySinceMs: LATER_MS - 10 * MINUTE_MS, ...more });
    expect(openedMs(node(), node({ taints: [AGENT] }))).toBeUndefined();
    expect(openedMs(node(), node({ taints: [AGENT] }), node())).toBe(LATER_MS);
  });

  test("a taint that is there at a boot is not late, nor is one that was there when the node was uncordoned", () => {
    const tainted = { bootID: "b", readySinceMs: LATER_MS - MINUTE_MS, taints: [AGENT] };
    const booted = old({ ...tainted, taints: [] });
    expect(openedMs(old(), old({ taints: [AGENT] }), old(tainted))).toBeUndefined();
    expect(openedMs(old(), old({ taints: [AGENT] }), old(tainted), booted)).toBe(LATER_MS);
    const both = old({ ...CORDONED, taints: [CORDON_TAINT, AGENT] });
    expect(openedMs(old(), old({ taints: [AGENT] }), both, old({ taints: [AGENT] }))).toBeUndefined();
  });

  test("a new leader knows by a note that a startup taint came late, and every replica keeps what it has seen", () => {
    const openedNote = noteOf(old(), old({ taints: [AGENT] }));
    expect(openedNote).toEqual({ atMs: DAY_BEFORE_MS, bootID: "a" });
    const noted = old({ taints: [AGENT], openedNote });
    expect([openedMs(noted), noteOf(noted)]).toEqual([DAY_BEFORE_MS, undefined]);
    expect(openedMs(noted, old({ openedNote }))).toBe(DAY_BEFORE_MS);
    const team = { ...AGENT, key: "team" };
    const two = { taints: [AGENT, team] };
    const soon = [old(), old(two), old({ ...two, openedNote }), old({ openedNote })];
    expect([openedMs(...soon), noteOf(...soon)]).toEqual([DAY_BEFORE_MS, undefined]);
  });
});

describe("a new leader that has seen nothing comes to the same, by the note that the last one wrote:", () => {
  const rebooted = old({ bootID: "b", readySinceMs: LATER_MS });
  const cases: readonly (readonly [what: string, states: readonly NodeFacts[]])[] = [
    ["uncordoned", [old(), old(CORDONED), old()]],
    ["closed by a cordon", [old(), old(CORDONED)]],
    ["a startup taint gone", [old({ taints: [AGENT] }), old()]],
    ["another taint gone", [old({ taints: [{ ...AGENT, key: "team" }] }), old()]],
    ["rebooted", [old(), old(NOT_READY_NOW), rebooted]],
    ["a resource appeared", [old(), old({ allocatable: { "nvidia.com/gpu": 8 } })]],
    ["a young node flapped", [aNode("n1"), aNode("n1", { readySinceMs: START_MS + MINUTE_MS })]],
  ];
  test.each(cases)("%s", (_, states) => {
    const node = seen(...states);
    const note = neededNote(node, LATER_MS);
    expect(note).toBeDefined();
    const noted = { ...node, opening: undefined, openedNote: note };
    const laterMs = LATER_MS + 30_000;
    expect(openingOf(noted, laterMs).openedMs).toBe(node.opening?.openedMs);
    const told = { ...noted, opening: nextOpening(node, noted, laterMs) };
    expect(told.opening.openedMs).toBe(node.opening?.openedMs);
    expect(neededNote(told, laterMs)).toBeUndefined();
  });

  test("it opens a node that was closed when the last leader saw it", () => {
    const openedNote = noteOf(old(), old(CORDONED));
    expect(openedNote).toEqual({ atMs: undefined, bootID: "a" });
    expect(openedMs(old({ openedNote }))).toBe(LATER_MS);
    expect(openedMs(old({ openedNote, ...NOT_READY_NOW }))).toBeUndefined();
  });

  test("it opens a node that rebooted meanwhile, and not one whose Ready came and went", () => {
    const openedNote = noteOf(old(), old(NOT_READY_NOW));
    expect(openedNote).toEqual({ atMs: DAY_BEFORE_MS, bootID: "a" });
    expect(openedMs(old({ openedNote, bootID: "b", readySinceMs: LATER_MS }))).toBe(LATER_MS);
    expect(openedMs(old({ openedNote, readySinceMs: LATER_MS }))).toBe(DAY_BEFORE_MS);
  });

  test("nodes of an existing cluster are settled without any note", () => {
    expect(noteOf(old())).toBeUndefined();
    expect(openedMs(old())).toBe(DAY_BEFORE_MS);
  });
});

test("an opening that a clock dated which was ahead does not last for as long as it was ahead", () => {
  const ahead = { ...old(), opening: { openedMs: LATER_MS + 3_600_000, bootID: "a", resources: [] } };
  expect(nextOpening(ahead, old(), LATER_MS).openedMs).toBe(DAY_BEFORE_MS);
});

describe("a note that somebody forged", () => {
  const opened = (atMs: number | undefined, bootID = "a") => openedMs(old({ openedNote: { atMs, bootID } }));

  test("makes no node older than its creation, nor younger than now", () => {
    expect(opened(0)).toBe(DAY_BEFORE_MS);
    expect(opened(LATER_MS + 1_000)).toBe(LATER_MS);
  });

  test("from the future counts for nothing, and is replaced", () => {
    expect(opened(LATER_MS + 3_600_000)).toBe(DAY_BEFORE_MS);
    const forged = old({ openedNote: { atMs: LATER_MS + 3_600_000, bootID: "a" } });
    expect(openedMs(old(), old(CORDONED), old(), { ...forged })).toBe(LATER_MS - MINUTE_MS);
    expect(noteOf(old(), old(CORDONED), old(), forged)).toEqual({ atMs: LATER_MS - MINUTE_MS, bootID: "a" });
  });
});
