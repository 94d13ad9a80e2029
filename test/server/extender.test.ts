/** `/scheduler/filter` and `/scheduler/prioritize`, with what a real kube-scheduler sends. */
import { describe, expect, it } from "vitest";
import type { ExtenderFilterResult, HostPriority } from "../../src/api/extender.ts";
import { defaultPolicy } from "../../src/policy/parse.ts";
import { brokenPacer, recorded, testApp, type TestAppOptions } from "../support/app.ts";
import { aNode, anOldNode, aPod, bound, START_MS } from "../support/core-facts.ts";

interface Args {
  readonly Pod: { readonly metadata: { name: string; uid: string } };
  readonly NodeNames: string[];
}

const slots = { initial: 1, min: 1, max: 1 };
const policy = defaultPolicy({ extender: { enabled: true }, nodeClasses: [{ name: "one", slots }] });
const young = [aNode("node-1"), aNode("node-2")];

function scheduler(options: TestAppOptions = {}) {
  const service = testApp({ policy, nodes: young, ...options });
  const post = async <Answer>(path: string, payload: object) => {
    const answer = await service.app.inject({ method: "POST", url: `/scheduler/${path}`, payload });
    expect(answer.statusCode).toBe(200);
    return answer.json<Answer>();
  };
  return {
    ...service,
    filter: (args: object) => post<ExtenderFilterResult>("filter", args),
    prioritize: (args: object) => post<HostPriority[]>("prioritize", args),
  };
}

function args(pod: string, nodes?: string[]): Args {
  const recording = recorded<Args>("extender-filter");
  Object.assign(recording.Pod.metadata, { name: pod, uid: `uid-${pod}` });
  return { ...recording, NodeNames: nodes ?? recording.NodeNames };
}

describe("filter", () => {
  it("accepts a node with a free slot", async () => {
    const { filter } = scheduler();
    const answer = await filter(recorded("extender-filter"));
    expect(answer.NodeNames.length).toBeGreaterThan(0);
    expect(answer).toMatchObject({ FailedNodes: {}, Nodes: null, Error: "" });
  });

  it("refuses a full node with a reason that is never a cause for preemption", async () => {
    const { filter, metrics } = scheduler();
    await filter(args("first", ["node-1"]));
    const answer = await filter(args("second", ["node-1"]));
    expect(answer.NodeNames).toEqual([]);
    expect(answer.FailedNodes).toEqual({});
    expect(Object.keys(answer.FailedAndUnresolvableNodes)).toEqual(["node-1"]);
    expect(answer.FailedAndUnresolvableNodes["node-1"]).toMatch(/^StartupSlotsFull: .+/);
    expect(await metrics.registry.metrics()).toContain(
      'paceline_holds_total{lever="extender",reason="StartupSlotsFull"} 1',
    );
  });

  it("accepts unknown nodes", async () => {
    const { filter } = scheduler();
    expect((await filter(args("a", ["stranger"]))).NodeNames).toEqual(["stranger"]);
  });

  it("accepts every settled node", async () => {
    const { filter } = scheduler({ nodes: ["node-1", "node-2"].map((name) => anOldNode(name)) });
    for (const pod of ["a", "b", "c"])
      expect((await filter(args(pod, ["node-1", "node-2"]))).NodeNames).toHaveLength(2);
  });

  it("accepts everything while the lever is off", async () => {
    const { filter } = scheduler({ policy: defaultPolicy({ nodeClasses: [{ name: "one", slots }] }) });
    for (const pod of ["a", "b", "c"]) expect((await filter(args(pod, ["node-1"]))).NodeNames).toEqual(["node-1"]);
  });

  it("accepts everything when the core throws, and counts it", async () => {
    const { filter, metrics } = scheduler({ pacer: brokenPacer() });
    expect((await filter(args("a"))).NodeNames).toEqual(args("a").NodeNames);
    expect(await metrics.registry.metrics()).toContain('paceline_handler_failures_total{handler="filter"} 1');
  });

  it("returns no nodes for no nodes", async () => {
    const { filter } = scheduler();
    expect(await filter(args("a", []))).toMatchObject({ NodeNames: [], FailedAndUnresolvableNodes: {} });
  });

  it("accepts whole nodes, too, and logs once that names are enough", async () => {
    const { filter, lines } = scheduler();
    const whole = recorded<{ Nodes: { items: { metadata: { name: string } }[] } }>("extender-filter-whole-nodes");
    const names = whole.Nodes.items.map((node) => node.metadata.name);
    const answer = await filter(whole);
    await filter(whole);
    expect(answer.NodeNames.every((name) => names.includes(name))).toBe(true);
    expect(answer.Nodes?.items).toEqual(
      whole.Nodes.items.filter((node) => answer.NodeNames.includes(node.metadata.name)),
    );
    expect(lines.filter(({ msg }) => msg.includes("nodeCacheCapable"))).toHaveLength(1);
  });
});

describe("prioritize", () => {
  it("scores every node with a whole number from 0 to 10", async () => {
    const { prioritize } = scheduler();
    const recording = recorded<Args>("extender-prioritize");
    const scores = await prioritize(recording);
    expect(scores.map(({ Host }) => Host)).toEqual(recording.NodeNames);
    for (const { Score } of scores) expect(Number.isInteger(Score) && Score >= 0 && Score <= 10).toBe(true);
  });

  it("prefers the node with fewer starts", async () => {
    const wide = defaultPolicy({
      extender: { enabled: true },
      nodeClasses: [{ name: "four", slots: { initial: 4, min: 4, max: 4 } }],
    });
    const { pacer, prioritize } = scheduler({ policy: wide });
    for (const pod of ["a", "b", "c"]) pacer.upsertPod(bound(aPod(pod), "node-1"), START_MS);
    const [busy, free] = await prioritize(args("d", ["node-1", "node-2"]));
    expect(free?.Score).toBeGreaterThan(busy?.Score ?? 10);
  });

  it("gives all nodes the same score when the core throws", async () => {
    const { prioritize } = scheduler({ pacer: brokenPacer() });
    expect(new Set((await prioritize(args("a"))).map(({ Score }) => Score)).size).toBe(1);
  });
});

describe("preempt", () => {
  const pod = recorded<Args>("extender-filter").Pod;
  const NodeNameToMetaVictims = { full: { Pods: [{ UID: "low-1" }, { UID: "low-2" }], NumPDBViolations: 1 } };
  const fencedNode = aNode("node-1", { fence: { value: "node-1", sinceMs: START_MS } });

  function asked(payload: object, options: TestAppOptions = {}) {
    const { app, ...service } = testApp({
      policy: defaultPolicy(),
      nodes: [fencedNode, anOldNode("full")],
      ...options,
    });
    return { ...service, answer: app.inject({ method: "POST", url: "/scheduler/preempt", payload }) };
  }

  it("returns no victims while a fenced node has room for the pod", async () => {
    const { answer } = asked({ Pod: pod, NodeNameToVictims: null, NodeNameToMetaVictims });
    expect((await answer).json()).toEqual({ NodeNameToMetaVictims: {} });
  });

  it("returns the scheduler's choice otherwise, by uid, as the protocol demands", async () => {
    const nodes = [anOldNode("full")];
    const { answer } = asked({ Pod: pod, NodeNameToMetaVictims }, { nodes });
    expect((await answer).json()).toEqual({ NodeNameToMetaVictims });
    const Pods = [{ metadata: { name: "a", uid: "low-1" } }, { metadata: { name: "b", uid: "low-2" } }];
    const NodeNameToVictims = { full: { Pods, NumPDBViolations: 1 } };
    expect((await asked({ Pod: pod, NodeNameToVictims }, { nodes }).answer).json()).toEqual({ NodeNameToMetaVictims });
    expect((await asked({ Pod: pod, NodeNameToVictims: { full: { Pods: null } } }, { nodes }).answer).json()).toEqual({
      NodeNameToMetaVictims: { full: { Pods: [] } },
    });
  });

  it("returns the scheduler's choice when the core throws, and counts it", async () => {
    const { answer, metrics } = asked({ Pod: pod, NodeNameToMetaVictims }, { pacer: brokenPacer() });
    expect((await answer).json()).toEqual({ NodeNameToMetaVictims });
    expect(await metrics.registry.metrics()).toContain('paceline_handler_failures_total{handler="preempt"} 1');
  });

  it("refuses a body that is no question, so that an ignorable extender is passed over", async () => {
    expect((await asked({ NodeNameToMetaVictims }).answer).statusCode).toBe(400);
  });
});
