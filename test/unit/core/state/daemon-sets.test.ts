import { expect, test } from "vitest";
import { nodeName } from "../../../../src/core/ids.ts";
import { DaemonSets } from "../../../../src/core/state/daemon-sets.ts";
import { aDaemonPod, aDaemonSet, aGatedPod, aShape } from "../../../support/core-facts.ts";

const forged = aGatedPod("forged", { shape: aShape({ ownerKind: "DaemonSet", ownerName: "agent" }) });

test("a pod that may run anywhere is of no DaemonSet, whatever it names as its owner", () => {
  expect(new DaemonSets().maybeMade(forged)).toBe(false);
  expect(new DaemonSets().maybeMade(aDaemonPod("real", "n1"))).toBe(true);
});

test("nor is one of a DaemonSet that is not there, once all are known", () => {
  const known = new DaemonSets();
  known.upsert(aDaemonSet("agent"));
  const elsewhere = aDaemonPod("elsewhere", "n1", { namespace: "team" });
  expect(known.maybeMade(elsewhere)).toBe(true);
  known.listed();
  expect(known.maybeMade(elsewhere)).toBe(false);
  expect(known.maybeMade(aDaemonPod("real", "n1"))).toBe(true);
  expect(known.maybeMade(aGatedPod("other", { pinnedTo: nodeName("n1") }))).toBe(false);
});
