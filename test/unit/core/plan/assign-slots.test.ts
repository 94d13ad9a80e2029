import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PodFacts } from "../../../../src/core/facts.ts";
import { imageName, nodeName } from "../../../../src/core/ids.ts";
import { MIB } from "../../../../src/core/measures.ts";
import { SettledNodes } from "../../../../src/core/placement/settled-nodes.ts";
import { assignSlots } from "../../../../src/core/plan/assign-slots.ts";
import type { ClusterState } from "../../../../src/core/state/cluster-state.ts";
import { sum } from "../../../../src/core/state/load.ts";
import {
  aDaemonPod,
  aGatedPod,
  aNode,
  anOldNode,
  aPod,
  aShape,
  bound,
  changed,
  START_MS,
  started,
} from "../../../support/core-facts.ts";
import {
  aFencedNode,
  aPendingPod,
  many,
  pacerWith,
  planOf,
  released,
  shows,
  sizes,
  slots,
  stateWith,
  withImage,
} from "../../../support/core-plan.ts";

describe("assigning slots", () => {
  /** `pod to node`, in the order of release. */
  const assigned = (state: ClusterState, nowMs = START_MS) => {
    const plan = planOf(state, nowMs);
    assignSlots(plan, new SettledNodes());
    return plan.releases.map(({ pod, node }) => `${pod.name} to ${node ?? "any"}`);
  };
  /** Pods that cost nothing, of owners of their own, the first the oldest. */
  const herd = (count: number) =>
    many(count, (name) => aGatedPod(name, { shape: aShape({ ownerName: name }), createdAtMs: START_MS - 9_000 }));

  test("every message says which slot of how many the pod gets", () => {
    const plan = planOf(stateWith([aNode("n1")], herd(2), slots(3)));
    assignSlots(plan, new SettledNodes());
    expect(plan.releases.map(({ message }) => message)).toEqual(["slot 1 of 3 of node n1", "slot 2 of 3 of node n1"]);
  });

  test("a pod is released to a node only where it fits beside all that go there", () => {
    const small = aNode("n1", { allocatable: { cpu: 250, memory: 1e12, pods: 110 } });
    expect(assigned(stateWith([small], herd(4), slots(4)))).toEqual(["p0 to n1", "p1 to n1"]);
  });

  test("settled nodes are given no pod: their pods need no slot", () => {
    expect(assigned(stateWith([anOldNode("old")], herd(2)))).toEqual([]);
  });

  test("the plan wakes when the next token for a pull comes", () => {
    const pods = many(12, (name) => aGatedPod(name, withImage(name)));
    const tiny = sizes(Object.fromEntries(pods.map(({ name }) => [name, 0.01])));
    const nodeClasses = { pullQPS: { qps: 4, burst: 10 } };
    const plan = planOf(stateWith([shows(tiny), aNode("n1")], pods, slots(32, nodeClasses)));
    assignSlots(plan, new SettledNodes());
    expect(plan.wakeAtMs).toBe(START_MS + 250);
  });

  test("the plan wakes when a reservation ends, a start is given up, and the node is no longer young", () => {
    const wakesAfterMs = (pods: readonly PodFacts[]) => {
      const plan = planOf(stateWith([aNode("n1")], pods, { ...slots(1), youngForSeconds: 600 }));
      assignSlots(plan, new SettledNodes());
      return (plan.wakeAtMs ?? 0) - START_MS;
    };
    const reservation = { node: nodeName("n1"), atMs: START_MS };
    expect(wakesAfterMs([])).toBe(600_000);
    expect(wakesAfterMs([bound(aPod("starting"), "n1")])).toBe(60_000);
    expect(wakesAfterMs([aPod("reserved", { reservation })])).toBe(15_000);
  });

  test("no node gets more pods than it has slots free, and no free slot is left while a pod waits for it", () => {
    const nodeArb = fc.record({ starting: fc.nat(4), reserved: fc.nat(2) });
    fc.assert(
      fc.property(fc.array(nodeArb, { minLength: 1, maxLength: 4 }), fc.nat(20), (given, waiting) => {
        const there = given.flatMap(({ starting, reserved }, at) => [
          ...many(starting, (name) => bound(aPod(`s-${name}-${at}`), `n${at}`)),
          ...many(reserved, (name) =>
            aPod(`r-${name}-${at}`, { reservation: { node: nodeName(`n${at}`), atMs: START_MS } }),
          ),
        ]);
        const nodes = given.map((_, at) => aNode(`n${at}`));
        const plan = planOf(stateWith(nodes, [...there, ...herd(waiting)], slots(4)));
        assignSlots(plan, new SettledNodes());
        const free = given.map(({ starting, reserved }) => Math.max(0, 4 - starting - reserved));
        for (const [at, slotsFree] of free.entries()) {
          expect(plan.plannedFor(nodeName(`n${at}`)).length).toBeLessThanOrEqual(slotsFree);
        }
        expect(plan.releases).toHaveLength(Math.min(waiting, sum(free)));
      }),
    );
  });
});

describe("slots", () => {
  test("a reservation keeps its slot until the pod is bound, and until it expires if it never is", () => {
    const pods = many(3, (name) => aDaemonPod(name, "n1"));
    const pacer = pacerWith([aNode("n1")], pods, slots(1));
    const [first] = pacer.plan(START_MS).releases;
    const reserved = changed(first?.pod ?? aPod("none"), {
      gated: false,
      reservation: { node: nodeName("n1"), atMs: START_MS },
    });
    pacer.upsertPod(reserved, START_MS);
    expect(pacer.plan(START_MS + 14_999).releases).toHaveLength(0);
    expect(pacer.plan(START_MS + 14_999).wakeAtMs).toBe(START_MS + 15_000);
    expect(pacer.plan(START_MS + 15_000).releases).toHaveLength(1);
  });

  test("a started pod frees its slot at once", () => {
    const pods = many(2, (name) => aDaemonPod(name, "n1"));
    const running = bound(aPod("running"), "n1");
    const pacer = pacerWith([aNode("n1")], [...pods, running], slots(1));
    expect(pacer.plan(START_MS).releases).toHaveLength(0);
    pacer.upsertPod(started(running), START_MS + 9_000);
    expect(pacer.plan(START_MS + 9_000).releases).toHaveLength(1);
  });

  test("a stuck pod gives its slot back", () => {
    const stuck = changed(bound(aPod("stuck"), "n1"), { waitingOn: "ImagePullBackOff" });
    const pacer = pacerWith([aNode("n1")], [stuck, aDaemonPod("p", "n1")], slots(1));
    expect(released(pacer.plan(START_MS))).toEqual(["p"]);
  });

  test("across nodes the one with most room goes first", () => {
    const busy = [bound(aPod("a"), "n1"), bound(aPod("b"), "n1")];
    const pacer = pacerWith([aNode("n1"), aNode("n2")], [...busy, ...many(3, (name) => aGatedPod(name))], slots(3));
    expect(
      pacer
        .plan(START_MS)
        .releases.map(({ node }) => node)
        .sort(),
    ).toEqual(["n1", "n2", "n2"]);
  });

  test("DaemonSet pods of the node go before pending ones", () => {
    const pods = [...many(5, (name) => aPendingPod(name)), aDaemonPod("daemon", "n1", { fencesTolerated: ["*"] })];
    const { releases } = pacerWith([aFencedNode("n1")], pods, slots(1)).plan(START_MS);
    expect(releases).toMatchObject([{ pod: { name: "daemon" }, fence: undefined }]);
  });

  test("a pod that passed and was not bound in time gives way to another", () => {
    const pods = [
      aPendingPod("tried", { fencesTolerated: ["n1"], reservation: { node: nodeName("n1"), atMs: START_MS } }),
      aPendingPod("next"),
    ];
    const pacer = pacerWith([aFencedNode("n1")], pods, slots(1));
    expect(pacer.plan(START_MS + 14_000).releases).toEqual([]);
    expect(released(pacer.plan(START_MS + 15_000))).toEqual(["next"]);
  });

  test("the room that an expired reservation had claimed on a node is free for another pod", () => {
    const gpu = aShape({ requests: { "example.com/gpu": 1, pods: 1 } });
    const oneGpu = changed(aFencedNode("n1"), { allocatable: { "example.com/gpu": 1, pods: 110 } });
    const reserved = { fencesTolerated: ["n1"], reservation: { node: nodeName("n1"), atMs: START_MS } };
    const pods = [aPendingPod("tried", { shape: gpu, ...reserved }), aPendingPod("next", { shape: gpu })];
    const pacer = pacerWith([oneGpu], pods, slots(4));
    expect(pacer.plan(START_MS + 14_000).releases).toEqual([]);
    expect(released(pacer.plan(START_MS + 15_000))).toEqual(["next"]);
  });

  test("where only the scheduler can judge, its refusal of the pod as it is now returns the slot early", () => {
    const reserved = { fencesTolerated: ["n1"], reservation: { node: nodeName("n1"), atMs: START_MS }, refused: true };
    const afterTwoSeconds = (interPodRules: boolean) => {
      const tried = aPendingPod("tried", { shape: aShape({ interPodRules }), ...reserved });
      return released(pacerWith([aFencedNode("n1")], [tried, aPendingPod("next")], slots(1)).plan(START_MS + 2_000));
    };
    expect(afterTwoSeconds(true)).toEqual(["next"]);
    // It fits by all that we know: the scheduler has not seen the node as we do, and binds the pod after its back-off.
    expect(afterTwoSeconds(false)).toEqual([]);
  });
});

describe("of the pods that could go, the next one", () => {
  test("DaemonSet pods first, then priority, then the fewest new bytes per pod, then oldest", () => {
    const sized = shows(sizes({ large: 900, small: 10 }));
    const pods = [
      aGatedPod("old-large", { createdAtMs: START_MS - 9_000, shape: aShape({ image: "large" }) }),
      aGatedPod("small", { shape: aShape({ image: "small", ownerName: "s" }) }),
      aGatedPod("urgent-class", { shape: aShape({ image: "large", priority: 10, ownerName: "u" }) }),
      aDaemonPod("daemon", "n1"),
    ];
    const pacer = pacerWith([sized, aNode("n1")], pods, slots(1));
    const order: string[] = [];
    for (const expected of pods) {
      const [next] = pacer.plan(START_MS).releases;
      if (!next) break;
      expect(expected).toBeDefined();
      order.push(next.pod.name);
      pacer.deletePod(next.pod.uid, START_MS);
    }
    expect(order).toEqual(["daemon", "urgent-class", "small", "old-large"]);
  });

  test("pods with one new image start together: its bytes count once, and a slot each", () => {
    const shape = aShape({ image: "app" }); // taken for 100 MiB × 4, 3.2 s of 125 MiB/s
    const herd = many(5, (name) => aGatedPod(name, { shape }));
    const plan = pacerWith([aNode("n1")], herd, slots(4, { drainSeconds: 4 })).plan(START_MS);
    expect(released(plan)).toEqual(["p0", "p1", "p2", "p3"]);
    expect(plan.held.map(({ hold }) => hold.reason)).toEqual(["StartupSlotsFull"]);
  });

  test("pods that bring as much as each other go by their age", () => {
    const pods = ["first", "second", "third"].map((name, at) =>
      aGatedPod(name, { shape: aShape({ ownerName: name }), createdAtMs: START_MS - 10_000 + at * 1_000 }),
    );
    expect(released(pacerWith([aNode("n1")], pods, slots(1)).plan(START_MS))).toEqual(["first"]);
  });

  test("a pod that has waited for most of the cap goes before smaller and more important ones", () => {
    const old = aGatedPod("old", { createdAtMs: START_MS - 250_000, shape: aShape({ image: "x" }) });
    const young = aGatedPod("young", { shape: aShape({ priority: 100, ownerName: "y" }) });
    expect(released(pacerWith([aNode("n1")], [young, old], slots(1)).plan(START_MS))).toEqual(["old"]);
  });

  test("a kube-scheduler that is behind is given the pods that it comes to first: the oldest, whatever they fetch", () => {
    const large = aShape({ ownerName: "large", image: "large:1" });
    const small = aShape({ ownerName: "small", image: "small:1" });
    const seen = shows(sizes({ "large:1": 900, "small:1": 9 }));
    const pods = [
      aPod("old", { shape: large, createdAtMs: START_MS - 20_000 }),
      aPod("young", { shape: small, createdAtMs: START_MS - 10_000 }),
    ];
    const others = many(500, (name) =>
      aPod(name, { createdAtMs: START_MS - 5_000, shape: aShape({ nodeSelector: { not: "here" } }) }),
    );
    const first = (more: readonly PodFacts[]) =>
      released(pacerWith([aFencedNode("n1"), seen], [...pods, ...more], slots(1)).plan(START_MS));
    expect(first([])).toEqual(["young"]);
    expect(first(others)).toEqual(["old"]);
  });

  test("a side image that many share comes before a smaller one that is not shared", () => {
    const tiny = 1 / MIB;
    const seen = shows(sizes({ shared: 100, "app-1": tiny, "app-2": tiny, "app-3": tiny, own: 60 }));
    const sharing = [1, 2, 3].map((n) =>
      aGatedPod(`p${n}`, {
        shape: { ...aShape({ ownerName: `o${n}` }), images: [imageName(`app-${n}`), imageName("shared")] },
      }),
    );
    const alone = aGatedPod("alone", { shape: aShape({ image: "own", ownerName: "alone" }) });
    expect(released(pacerWith([seen, aNode("n1")], [alone, ...sharing], slots(1)).plan(START_MS))).toEqual(["p1"]);
  });
});
