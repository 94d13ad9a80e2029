import { describe, expect, test } from "vitest";
import type { DaemonSetFacts, NodeFacts, PodFacts } from "../../../../src/core/facts.ts";
import {
  aDaemonPod,
  aDaemonSet,
  aNode,
  anOldNode,
  aPod,
  aShape,
  changed,
  START_MS,
} from "../../../support/core-facts.ts";
import {
  aFencedNode,
  aJoiningNode,
  aPendingPod,
  CORDON_TAINT,
  many,
  type Overrides,
  pacerKnowing,
  pacerWith,
  released,
  slots,
} from "../../../support/core-plan.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const CORDONED = { unschedulable: true, taints: [CORDON_TAINT] };
const AGENT = { key: "node.cilium.io/agent-not-ready", value: "", effect: "NoSchedule" } as const;
const herd = many(3, (name) => aPendingPod(name));
const POLICY = { ...slots(1), youngForSeconds: 60, fence: { maxSeconds: 40 } };

/** As the DaemonSet controller makes its pods: they tolerate a cordon. */
const log = aDaemonSet("agent", {
  shape: aShape({ ownerKind: "DaemonSet", ownerName: "agent", tolerations: [{ ...CORDON_TAINT, operator: "Exists" }] }),
});
const KNOWN: readonly DaemonSetFacts[] = [];
function pacer(
  nodes: NodeFacts[],
  pods: readonly PodFacts[] = herd,
  daemonSets = KNOWN,
  overrides: Overrides = POLICY,
) {
  return pacerKnowing(daemonSets, nodes, pods, { steer: { enabled: false }, ...overrides }); // tests list all writes
}
type Subject = ReturnType<typeof pacer>;
const fencesAt = (subject: Subject, nowMs: number) =>
  subject
    .plan(nowMs)
    .fences.filter(({ kind }) => kind !== "note")
    .map((action) => (action.kind === "lift" ? action.reason : action.kind));

describe("the fence of a node that is closed stays, whatever the cap,", () => {
  test.each([
    ["while it is cordoned", aFencedNode("n1", CORDONED)],
    ["while it is under a startup taint", aFencedNode("n1", { taints: [AGENT] })],
    ["while it is not Ready", aJoiningNode("n1")],
  ])("%s; the cap counts from its opening", (_, closed) => {
    const subject = pacer([closed]);
    expect(fencesAt(subject, START_MS + HOUR_MS)).toEqual([]);
    expect(released(subject.plan(START_MS + HOUR_MS))).toEqual([]);
    const openMs = START_MS + 2 * HOUR_MS;
    const open = changed(closed, { unschedulable: false, taints: [], readySinceMs: closed.readySinceMs ?? openMs });
    subject.upsertNode(open, openMs);
    expect(fencesAt(subject, openMs + 39_999)).toEqual([]);
    expect(released(subject.plan(openMs + 10_000))).toEqual(["p0"]);
    expect(fencesAt(subject, openMs + 40_000)).toEqual(["FenceCapReached"]);
  });

  test("unless it keeps the pod of a DaemonSet out for three minutes, which the node may need", () => {
    const agents = [aDaemonSet("agent", { shape: aShape({ tolerations: [{ ...AGENT, operator: "Equal" }] }) })];
    const tainted = aFencedNode("n1", { taints: [AGENT] });
    expect(fencesAt(pacer([tainted], herd, agents), START_MS + 180_000 - 1)).toEqual([]);
    expect(fencesAt(pacer([tainted], herd, agents), START_MS + 180_000)).toEqual(["DaemonSetKeptOut"]);
    expect(fencesAt(pacer([tainted], herd, [log]), START_MS + HOUR_MS)).toEqual([]); // the taint does that
    const tolerant = [aDaemonSet("agent", { fencesTolerated: ["*"] })];
    expect(fencesAt(pacer([aFencedNode("n1", CORDONED)], herd, tolerant), START_MS + HOUR_MS)).toEqual([]);
  });

  test("unless nobody knows what it keeps out: then the cap counts from its beginning", () => {
    const subject = pacerWith([aFencedNode("n1", CORDONED)], herd, POLICY);
    expect(fencesAt(subject, START_MS + 39_999)).toEqual([]);
    expect(fencesAt(subject, START_MS + 40_000)).toEqual(["DaemonSetKeptOut"]);
  });

  test("and goes where the policy has no young nodes, or no fence", () => {
    const closed = aFencedNode("n1", CORDONED);
    expect(fencesAt(pacer([closed], herd, KNOWN, { youngForSeconds: 0 }), START_MS)).toEqual(["NodeSettled"]);
    expect(fencesAt(pacer([closed], herd, KNOWN, { fence: { enabled: false } }), START_MS)).toEqual(["PacingOff"]);
  });

  test("a flap of Ready neither prolongs the time of a fence nor ends it", () => {
    const subject = pacer([aFencedNode("n1")]);
    subject.upsertNode(changed(aFencedNode("n1"), { readySinceMs: undefined }), START_MS + 10_000);
    expect(fencesAt(subject, START_MS + 20_000)).toEqual([]);
    subject.upsertNode(changed(aFencedNode("n1"), { readySinceMs: START_MS + 30_000 }), START_MS + 30_000);
    expect(fencesAt(subject, START_MS + 40_000)).toEqual(["FenceCapReached"]);
  });
});

describe("a cordoned node gets a fence", () => {
  const cordoned = anOldNode("n1", CORDONED);
  const raised = (node: NodeFacts, pods = herd, daemonSets = KNOWN, overrides: Overrides = POLICY) =>
    fencesAt(pacer([node], pods, daemonSets, overrides), START_MS);

  test("while pods wait that would go there at once", () => {
    expect(pacer([cordoned]).plan(START_MS).fences).toMatchObject([{ kind: "raise", value: "n1" }]);
    expect(raised(anOldNode("n1"))).toEqual([]);
  });

  test("not where no pod waits, or none that would fit", () => {
    expect(raised(cordoned, [])).toEqual([]);
    expect(raised(cordoned, [aPod("new")])).toEqual([]); // the scheduler may still find a node for it
    expect(raised(cordoned, [aPendingPod("p", { shape: aShape({ nodeSelector: { disk: "fast" } }) })])).toEqual([]);
    expect(raised(cordoned, [aPendingPod("p", { shape: aShape({ requests: { cpu: 99_000, pods: 1 } }) })])).toEqual([]);
    expect(raised(cordoned, [aPendingPod("p", { fencesTolerated: ["*"] })])).toEqual([]);
  });

  test("not where it would keep the pod of a DaemonSet out that a cordon lets in", () => {
    expect(raised(cordoned, herd, [log])).toEqual([]);
    expect(raised(cordoned, [...herd, aDaemonPod("agent", "n1")], [log])).toEqual(["raise"]);
    expect(fencesAt(pacerWith([cordoned], herd, POLICY), START_MS)).toEqual([]); // which ones there are is not known
  });

  test("not on a node of Karpenter's, and not where the policy has no fence for it", () => {
    expect(raised(anOldNode("n1", { ...CORDONED, labels: { "karpenter.sh/nodepool": "pool" } }))).toEqual([]);
    const fence = { nodeSelector: { matchLabels: { pool: "paced" } } };
    for (const overrides of [
      { youngForSeconds: 0 },
      { fence: { enabled: false } },
      { fence },
      { mode: "observe" as const },
    ]) {
      expect(raised(cordoned, herd, KNOWN, overrides)).toEqual([]);
    }
  });

  test("which then is like any other: it paces the herd when the cordon ends, and goes when nothing waits", () => {
    const fence = { value: "n1", sinceMs: START_MS };
    const subject = pacer([cordoned]);
    subject.upsertNode(changed(cordoned, { fence }), START_MS);
    const openMs = START_MS + HOUR_MS;
    subject.upsertNode(
      changed(anOldNode("n1"), { fence: { ...fence, rollCall: { state: "done", sinceMs: 0 } } }),
      openMs,
    );
    expect(released(subject.plan(openMs))).toEqual(["p0"]);
    for (const { uid } of herd) subject.deletePod(uid, openMs);
    expect(fencesAt(subject, openMs + 4_999)).toEqual([]);
    expect(fencesAt(subject, openMs + 5_000)).toEqual(["NothingPending"]);
  });
});

describe("while pods lack only a resource that the node is still to report", () => {
  const asking = many(3, (name) =>
    aPendingPod(name, { shape: aShape({ requests: { pods: 1, "nvidia.com/gpu": 1 } }) }),
  );
  const labels = { "node.kubernetes.io/instance-type": "g5" };
  const withGpus = (count: number) => ({ labels, allocatable: { cpu: 4_000, pods: 110, "nvidia.com/gpu": count } });
  const at = (nodes: NodeFacts[], nowMs: number, pods = asking) => fencesAt(pacer(nodes, pods), nowMs);
  const LATER_MS = START_MS + 20_000;
  const node = aFencedNode("n1", { labels });

  test("the fence stays up to its cap, which counts anew once the resource is there", () => {
    const subject = pacer([node], asking);
    expect(fencesAt(subject, LATER_MS)).toEqual([]);
    expect(released(subject.plan(LATER_MS))).toEqual([]);
    expect(fencesAt(subject, START_MS + 40_000)).toEqual(["FenceCapReached"]);
    subject.upsertNode(changed(node, withGpus(8)), START_MS + 39_000);
    expect(fencesAt(subject, START_MS + 78_999)).toEqual([]);
    expect(released(subject.plan(START_MS + 39_000))).toEqual(["p0"]);
    expect(fencesAt(subject, START_MS + 79_000)).toEqual(["FenceCapReached"]);
  });

  test("nodes of its kind tell whether it will have it", () => {
    expect(at([node, anOldNode("old", withGpus(8))], LATER_MS)).toEqual([]);
    expect(at([node, anOldNode("old", { labels })], LATER_MS)).toEqual(["NothingPending"]);
    expect(at([node, anOldNode("old")], LATER_MS)).toEqual([]); // of another kind
    expect(at([node, aNode("new", { labels })], LATER_MS)).toEqual([]); // as new as the node itself
  });

  test("pods that lack more do not count", () => {
    const large = aPendingPod("p", { shape: aShape({ requests: { pods: 1, cpu: 99_000, "nvidia.com/gpu": 1 } }) });
    expect(at([node], LATER_MS, [large])).toEqual(["NothingPending"]);
    expect(
      at([changed(node, withGpus(8))], LATER_MS, [
        aPendingPod("p", { shape: aShape({ requests: { pods: 1, "nvidia.com/gpu": 9 } }) }),
      ]),
    ).toEqual(["NothingPending"]);
  });
});
