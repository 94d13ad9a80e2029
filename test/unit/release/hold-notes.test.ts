/** Notes on held pods: those that date a hold are never put off, because the next leader counts from them. */
import { expect, test } from "vitest";
import type { PodFacts } from "../../../src/core/facts.ts";
import type { Held } from "../../../src/core/verdict.ts";
import { HoldNotes } from "../../../src/release/hold-notes.ts";
import { aGatedPod, START_MS } from "../../support/core-facts.ts";
import { many } from "../../support/core-plan.ts";

const because = (pod: PodFacts, reason: Held["hold"]["reason"]): Held => ({
  pod,
  hold: { kind: "hold", reason, message: "", node: undefined },
});
const ofOthers = { hold: { node: undefined, reason: "OtherGates", sinceMs: START_MS } } as const;
const freedMs = START_MS + 3_600_000;

test("a hold that has just begun is dated for all pods at once, whatever else is to be told", () => {
  const others = many(100, (name) => because(aGatedPod(`other-${name}`), "StartupSlotsFull"));
  const freed = many(100, (name) => because(aGatedPod(name, { ...ofOthers, freedMs }), "StartupSlotsFull"));
  const notes = new HoldNotes();
  expect(notes.due([...others, ...freed], freedMs).notes).toHaveLength(20);
  const due = notes.due([...others, ...freed], freedMs + 1_000).notes.map(({ held }) => held.pod);
  expect(due.filter((pod) => pod.freedMs !== undefined)).toHaveLength(100);
});

test("a pod that others gate is annotated so, and no Event tells it: that is theirs to say", () => {
  const blocked = (more: Partial<PodFacts> = {}) =>
    because(aGatedPod("p", { gatedByOthers: true, ...more }), "OtherGates");
  const due = (held: Held) => new HoldNotes().due([held], START_MS + 10_000).notes;
  expect(due(blocked())).toMatchObject([{ annotate: true, announce: false }]);
  expect(due(blocked(ofOthers))).toEqual([]);
});

test("reasons that come and go make one Event, and a write that fails makes one more: a pod has few", () => {
  const pod = aGatedPod("p");
  const notes = new HoldNotes();
  const reasons = [
    "StartupSlotsFull",
    "DiskSaturated",
    "StartupSlotsFull",
    "WriteFailed",
    "DiskSaturated",
    "WriteFailed",
  ];
  const announced = reasons.flatMap(
    (reason, at) => notes.due([because(pod, reason as Held["hold"]["reason"])], START_MS + (at + 1) * 120_000).notes,
  );
  expect(announced.filter(({ announce }) => announce).map(({ held }) => held.hold.reason)).toEqual([
    "StartupSlotsFull",
    "WriteFailed",
  ]);
  expect(announced, "each is in the annotation all the same").toHaveLength(reasons.length);
});
