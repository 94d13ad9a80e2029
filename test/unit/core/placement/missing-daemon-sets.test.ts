import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DaemonSetFacts, NodeFacts, PodFacts } from "../../../../src/core/facts.ts";
import { missingDaemonSets } from "../../../../src/core/placement/missing-daemon-sets.ts";
import { aDaemonPod, aDaemonSet, aNode, aPod, aShape, bound, changed, START_MS } from "../../../support/core-facts.ts";
import { NOT_READY, stateWith, theNode } from "../../../support/core-plan.ts";

const daemonShape = (more: Parameters<typeof aShape>[0] = {}) =>
  aShape({ ownerKind: "DaemonSet", ownerName: "agent", ...more });
const named = (daemonSets: readonly DaemonSetFacts[]) => daemonSets.map(({ name }) => name);

function scene(daemonSets: readonly DaemonSetFacts[], pods: readonly PodFacts[] = [], node: NodeFacts = aNode("n1")) {
  const state = stateWith([node], pods);
  for (const one of daemonSets) state.daemonSets.upsert(one);
  return { state, missing: () => named(missingDaemonSets(state, theNode(state, "n1"))) };
}

describe("a node lacks a DaemonSet's pod", () => {
  test("until one is bound there, gated for it, or pending for it", () => {
    const gated = aDaemonPod("d", "n1");
    const states = [gated, changed(gated, { gated: false, hold: undefined }), bound(gated, "n1")];
    expect(scene([aDaemonSet("agent")]).missing()).toEqual(["agent"]);
    for (const pod of states) expect(scene([aDaemonSet("agent")], [pod]).missing()).toEqual([]);
  });

  test("whatever is on other nodes, belongs to others of that name, or has ended", () => {
    const elsewhere = bound(aDaemonPod("elsewhere", "n2"), "n2");
    const otherNamespace = bound(aDaemonPod("d2", "n1", { shape: daemonShape({ namespace: "other" }) }), "n1");
    const otherKind = bound(aPod("d3", { shape: aShape({ ownerName: "agent" }) }), "n1");
    const ended = changed(bound(aDaemonPod("d4", "n1"), "n1"), { terminal: true });
    const pods = [elsewhere, otherNamespace, otherKind, ended];
    expect(scene([aDaemonSet("agent")], pods).missing()).toEqual(["agent"]);
  });

  test("again when the pod is gone", () => {
    const pod = bound(aDaemonPod("d", "n1"), "n1");
    const { state, missing } = scene([aDaemonSet("agent")], [pod]);
    expect(missing()).toEqual([]);
    state.ledger.deletePod(pod.uid);
    expect(missing()).toEqual(["agent"]);
  });

  test.each([
    ["node selector", { nodeSelector: { pool: "gpu" } }],
    ["node affinity", { affinityTerms: [{ labels: [{ key: "gpu", operator: "Exists", values: [] }], fields: [] }] }],
  ] as const)("only where its %s admits the node", (_, shape) => {
    const daemonSet = aDaemonSet("agent", { shape: daemonShape(shape) });
    expect(scene([daemonSet]).missing()).toEqual([]);
    expect(scene([daemonSet], [], aNode("n1", { labels: { pool: "gpu", gpu: "yes" } })).missing()).toEqual(["agent"]);
  });

  test("only where it tolerates the node's lasting taints; those of joining go by themselves", () => {
    const own = { key: "team", value: "a", effect: "NoSchedule" } as const;
    const exclusive = aNode("n1", { taints: [own] });
    const tolerant = daemonShape({ tolerations: [{ key: "team", operator: "Exists", value: "", effect: "" }] });
    expect(scene([aDaemonSet("agent")], [], exclusive).missing()).toEqual([]);
    expect(scene([aDaemonSet("agent", { shape: tolerant })], [], exclusive).missing()).toEqual(["agent"]);
    expect(scene([aDaemonSet("agent")], [], aNode("n1", { taints: [NOT_READY] })).missing()).toEqual(["agent"]);
  });

  test("no longer when the DaemonSet is deleted, or is being deleted", () => {
    const { state, missing } = scene([aDaemonSet("agent"), aDaemonSet("other")]);
    state.daemonSets.delete("default/agent");
    expect(missing()).toEqual(["other"]);
    state.daemonSets.upsert(aDaemonSet("other", { deleting: true }));
    expect(missing()).toEqual([]);
  });

  test("by its newest template, and by the node's newest labels", () => {
    const { state, missing } = scene([aDaemonSet("agent")]);
    expect(missing()).toEqual(["agent"]);
    state.daemonSets.upsert(aDaemonSet("agent", { shape: daemonShape({ nodeSelector: { pool: "gpu" } }) }));
    expect(missing()).toEqual([]);
    state.ledger.upsertNode(changed(theNode(state, "n1").facts, { labels: { pool: "gpu" } }), START_MS);
    expect(missing()).toEqual(["agent"]);
  });

  test("as if nothing was remembered, in any order of events", () => {
    const event = fc.record({
      what: fc.constantFrom("template", "deleted", "bound", "gone", "labels"),
      which: fc.constantFrom("a", "b", "c"),
      pool: fc.constantFrom("x", "y"),
    });
    const shapes = new Map(
      ["ax", "ay", "bx", "by", "cx", "cy"].map((id) => {
        const [ownerName = "", pool = ""] = id;
        return [id, daemonShape({ ownerName, nodeSelector: { pool } })];
      }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        const { state, missing } = scene([], [], aNode("n1", { labels: { pool: "x" } }));
        const pools = new Map<string, string>();
        const there = new Map<string, PodFacts>();
        let label = "x";
        let serial = 0;
        for (const { what, which, pool } of events) {
          const shape = shapes.get(`${which}${pool}`);
          if (what === "template") {
            state.daemonSets.upsert(aDaemonSet(which, shape && { shape }));
            pools.set(which, pool);
          } else if (what === "deleted") {
            state.daemonSets.delete(`default/${which}`);
            pools.delete(which);
          } else if (what === "bound" && !there.has(which)) {
            const pod = bound(aDaemonPod(`${which}-${serial++}`, "n1", shape && { shape }), "n1");
            state.ledger.upsertPod(pod);
            there.set(which, pod);
          } else if (what === "gone") {
            const pod = there.get(which);
            if (pod) state.ledger.deletePod(pod.uid);
            there.delete(which);
          } else if (what === "labels") {
            label = pool;
            state.ledger.upsertNode(changed(theNode(state, "n1").facts, { labels: { pool } }), START_MS);
          }
          const expected = [...pools].filter(([name, wanted]) => wanted === label && !there.has(name));
          expect(missing().sort()).toEqual(expected.map(([name]) => name).sort());
        }
      }),
    );
  });
});

describe("a change of a DaemonSet", () => {
  test("counts only where it may change a plan: most events tell of a status", () => {
    const { daemonSets } = stateWith([]);
    const agent = aDaemonSet("agent");
    expect(daemonSets.upsert(agent)).toBe(true);
    expect(daemonSets.upsert({ ...agent, fencesTolerated: [] })).toBe(false);
    expect(daemonSets.upsert({ ...agent, fencesTolerated: ["*"] })).toBe(true);
    expect(daemonSets.upsert({ ...agent, deleting: true })).toBe(true);
    expect(daemonSets.delete("default/agent")).toBe(false);
  });
});
