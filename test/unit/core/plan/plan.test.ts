import { describe, expect, test } from "vitest";
import { createPacer } from "../../../../src/core/pacer.ts";
import { imageName, nodeName } from "../../../../src/core/ids.ts";
import { MIB } from "../../../../src/core/measures.ts";
import { defaultPolicy } from "../../../../src/policy/parse.ts";
import type { NodeFacts, PodFacts } from "../../../../src/core/facts.ts";
import type { PacingPolicyInput } from "../../../../src/policy/schema.ts";
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

type Overrides = Partial<Omit<PacingPolicyInput, "apiVersion" | "kind">>;
const slots = (initial: number, more: object = {}): Overrides => ({
  nodeClasses: [{ name: "test", slots: { initial, min: 1, max: 32 }, ...more }],
});

function pacerWith(nodes: readonly NodeFacts[], pods: readonly PodFacts[], overrides: Overrides = {}) {
  const pacer = createPacer(defaultPolicy(overrides));
  for (const node of nodes) pacer.upsertNode(node, START_MS);
  for (const pod of pods) pacer.upsertPod(pod, START_MS);
  return pacer;
}

const many = <Made>(count: number, make: (name: string) => Made): Made[] =>
  Array.from({ length: count }, (_, i) => make(`p${i}`));
const released = (plan: { releases: readonly { pod: PodFacts; reason: string }[] }) =>
  plan.releases.map(({ pod }) => pod.name);

describe("the plan spends slots and no more", () => {
  test("a herd of DaemonSet pods is released up to the limit; the rest stays held with the reason", () => {
    const pacer = pacerWith(
      [aNode("n1")],
      many(10, (name) => aDaemonPod(name, "n1")),
      slots(4),
    );
    const plan = pacer.plan(START_MS);
    expect(plan.releases).toHaveLength(4);
    expect(plan.releases.every(({ node, reason }) => node === "n1" && reason === "SlotFree")).toBe(true);
    expect(plan.held).toHaveLength(6);
    expect(plan.held[0]?.hold).toMatchObject({ reason: "StartupSlotsFull", node: "n1" });
  });

  test("planning again before anything was applied gives the same answer", () => {
    const pacer = pacerWith(
      [aNode("n1")],
      many(10, (name) => aDaemonPod(name, "n1")),
      slots(4),
    );
    expect(released(pacer.plan(START_MS))).toEqual(released(pacer.plan(START_MS)));
  });

  test("a reservation holds its slot until the pod is bound, and until it expires if it never is", () => {
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
});

describe("the plan lets go at once whom it need not hold", () => {
  test("on a settled node", () => {
    const pacer = pacerWith(
      [anOldNode("n1")],
      many(20, (name) => aDaemonPod(name, "n1")),
      slots(1),
    );
    expect(pacer.plan(START_MS).releases).toHaveLength(20);
  });

  test("when a settled node has room, and for as many as it has room", () => {
    const roomForTwo = anOldNode("old", { allocatable: { cpu: 250, memory: 1e12, pods: 110 } });
    const pacer = pacerWith(
      [roomForTwo, aNode("n1")],
      many(4, (name) => aGatedPod(name)),
      slots(1),
    );
    const plan = pacer.plan(START_MS);
    expect(plan.releases.filter(({ reason }) => reason === "NodeSettled")).toHaveLength(2);
    expect(plan.releases.filter(({ reason }) => reason === "SlotFree")).toHaveLength(1);
  });

  test("when no node that exists has room for all of them: what is too much becomes visible demand", () => {
    const roomForThree = aNode("n1", { allocatable: { cpu: 350, memory: 1e12, pods: 110 } });
    const pacer = pacerWith(
      [roomForThree],
      many(5, (name) => aGatedPod(name)),
      slots(1),
    );
    const plan = pacer.plan(START_MS);
    expect(plan.releases.filter(({ reason }) => reason === "NoNodeFits")).toHaveLength(2);
    expect(plan.held).toHaveLength(2);
  });

  test("when its node is gone", () => {
    const pacer = pacerWith([aNode("n1")], [aDaemonPod("p", "n1", { createdAtMs: START_MS - 2_000 })], slots(1));
    pacer.deleteNode(nodeName("n1"), START_MS);
    expect(pacer.plan(START_MS).releases).toMatchObject([{ reason: "NoNodeFits", node: undefined }]);
  });

  test("but not before its node can be known: the watch of nodes may be behind that of pods", () => {
    const pods = [aDaemonPod("p", "n1"), aDaemonPod("q", "n1")];
    const pacer = pacerWith([], pods, slots(1));
    expect(pacer.plan(START_MS)).toMatchObject({ releases: [], wakeAtMs: START_MS + 2_000 });
    pacer.upsertNode(aNode("n1", { allocatable: {} }), START_MS); // registered, but it has not said what it can take
    expect(pacer.plan(START_MS).releases).toEqual([]);
    pacer.upsertNode(aNode("n1"), START_MS);
    expect(pacer.plan(START_MS).releases).toMatchObject([{ reason: "SlotFree", node: "n1" }]);
    expect(pacerWith([], pods, slots(1)).plan(START_MS + 2_000).releases).toHaveLength(2);
  });

  test("when the hold cap is reached, whatever the slots; the plan wakes up for it", () => {
    const pacer = pacerWith([aNode("n1")], [bound(aPod("busy"), "n1"), aDaemonPod("p", "n1")], {
      ...slots(1),
      maxHoldSeconds: 60,
      startup: { deadlineSeconds: 3_600 },
    });
    expect(pacer.plan(START_MS).wakeAtMs).toBe(START_MS + 60_000);
    expect(pacer.plan(START_MS + 59_999).releases).toHaveLength(0);
    expect(pacer.plan(START_MS + 60_000).releases).toMatchObject([{ reason: "HoldCapReached" }]);
  });

  test("when the hold cap is reached, though its annotation says that it was held later: a gate comes with the pod", () => {
    const forged = changed(aDaemonPod("p", "n1"), {
      hold: { node: nodeName("n1"), reason: "AwaitingRelease", sinceMs: START_MS + 86_400_000 },
    });
    const pacer = pacerWith([aNode("n1")], [bound(aPod("busy"), "n1"), forged], {
      ...slots(1),
      maxHoldSeconds: 60,
      startup: { deadlineSeconds: 3_600 },
    });
    expect(pacer.plan(START_MS + 60_000).releases).toMatchObject([{ reason: "HoldCapReached" }]);
  });

  test.each([{ mode: "off" }, { mode: "observe" }, { gate: { enabled: false } }] as const)(
    "when the policy says %j",
    (off) => {
      const pacer = pacerWith(
        [aNode("n1")],
        many(3, (name) => aDaemonPod(name, "n1")),
        { ...slots(1), ...off },
      );
      expect(pacer.plan(START_MS).releases.map(({ reason }) => reason)).toEqual(Array(3).fill("PacingOff"));
    },
  );
});

describe("the order of release", () => {
  test("DaemonSet pods first, then priority, then the fewest new bytes per pod, then oldest", () => {
    const sized = aNode("big", {
      readySinceMs: START_MS - 86_400_000,
      createdAtMs: START_MS - 86_400_000,
      allocatable: { cpu: 0, memory: 0, pods: 0 },
      images: new Map([
        [imageName("large"), 900 * MIB],
        [imageName("small"), 10 * MIB],
      ]),
    });
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

  test("of pods with one new image, one goes first; the others follow once it has started", () => {
    const shape = aShape({ image: "app" });
    const pacer = pacerWith(
      [aNode("n1")],
      many(5, (name) => aGatedPod(name, { shape })),
      slots(4),
    );
    const first = pacer.plan(START_MS);
    expect(released(first)).toEqual(["p0"]);
    expect(first.held[0]?.hold.reason).toBe("WaitingForImage");
    const leader = bound(first.releases[0]?.pod ?? aPod("none"), "n1");
    pacer.upsertPod(leader, START_MS);
    expect(pacer.plan(START_MS + 1_000).releases).toHaveLength(0);
    pacer.upsertPod(started(leader), START_MS);
    expect(pacer.plan(START_MS + 2_000).releases).toHaveLength(4);
  });

  test("when its image is about to be there and nobody else would fetch, followers make their sandboxes meanwhile", () => {
    const shape = aShape({ image: "app" }); // taken for 200 MiB × 4, 6.4 s of 125 MiB/s
    const leader = bound(aPod("leader", { shape }), "n1");
    const followers = many(3, (name) => aGatedPod(name, { shape }));
    const planAfter = (seconds: number, others: readonly PodFacts[] = []) => {
      const pacer = pacerWith([aNode("n1")], [leader, ...followers, ...others], slots(6));
      for (const atMs of [START_MS, START_MS + seconds * 1_000]) {
        pacer.observeSample(nodeName("n1"), { atMs, utilisation: 1, writeBytesPerSecond: 125 * MIB }, atMs);
      }
      return pacer.plan(START_MS + seconds * 1_000);
    };
    expect(planAfter(2).held.map(({ hold }) => hold.reason)).toEqual([
      "WaitingForImage",
      "WaitingForImage",
      "WaitingForImage",
    ]);
    expect(released(planAfter(5))).toEqual(["p0", "p1", "p2"]);
    const other = aGatedPod("other", { shape: aShape({ image: "other", ownerName: "o" }) });
    expect(released(planAfter(5, [other]))).toEqual(["other"]);
  });

  test("where no bytes tell them apart, whose replicas started quickly goes before whose took long, then the oldest", () => {
    const [slow, quick] = [aShape({ ownerName: "slow" }), aShape({ ownerName: "quick" })];
    const pacer = pacerWith([aNode("n1")], [], slots(1));
    for (const [name, shape, seconds] of [["s", slow, 40] as const, ["q", quick, 5] as const]) {
      const first = bound(aPod(name, { shape }), "n1");
      pacer.upsertPod(first, START_MS);
      pacer.upsertPod(started(first), START_MS + seconds * 1_000);
    }
    const at = (age: number, name: string, shape: typeof slow) =>
      aGatedPod(name, { shape, createdAtMs: START_MS - age * 1_000 });
    for (const pod of [at(3, "slow-old", slow), at(2, "quick-old", quick), at(1, "quick-young", quick)]) {
      pacer.upsertPod(pod, START_MS);
    }
    expect(released(pacer.plan(START_MS + 60_000))).toEqual(["quick-old"]);
  });

  test("pods for whom the last slot is not kept go by their age, too", () => {
    const pods = ["first", "second", "third"].map((name, at) =>
      aGatedPod(name, { shape: aShape({ ownerName: name }), createdAtMs: START_MS - 10_000 + at * 1_000 }),
    );
    expect(released(pacerWith([aNode("n1")], pods, slots(1)).plan(START_MS))).toEqual(["first"]);
  });

  test("who has waited for most of the cap goes before smaller and more important ones", () => {
    const old = aGatedPod("old", { createdAtMs: START_MS - 250_000, shape: aShape({ image: "x" }) });
    const young = aGatedPod("young", { shape: aShape({ priority: 100, ownerName: "y" }) });
    expect(released(pacerWith([aNode("n1")], [young, old], slots(1)).plan(START_MS))).toEqual(["old"]);
  });
});

describe("what the disk owes and what the kubelet may pull bound a release", () => {
  test("no new bytes beyond the drain time, but one pod at least, and pods without new bytes pass", () => {
    const images = new Map([1, 2, 3].map((n) => [imageName(`i${n}`), 500 * MIB] as const));
    const seen = anOldNode("seen", { images, allocatable: { cpu: 0, pods: 0 } });
    const pods = [1, 2, 3].map((n) => aGatedPod(`p${n}`, { shape: aShape({ image: `i${n}`, ownerName: `o${n}` }) }));
    // 500 MiB × 4 ÷ 125 MiB/s = 16 s each: the second one would make it 32 s.
    const pacer = pacerWith([seen, aNode("n1")], [...pods, aGatedPod("bare")], slots(8, { drainSeconds: 20 }));
    const plan = pacer.plan(START_MS);
    expect(released(plan)).toEqual(["bare", "p1"]);
    expect(plan.held.map(({ hold }) => hold.reason)).toEqual(["DiskBacklog", "DiskBacklog"]);
  });

  test("dirty page cache counts as owed", () => {
    const pods = [1, 2].map((n) => aGatedPod(`p${n}`, { shape: aShape({ image: `i${n}`, ownerName: `o${n}` }) }));
    const pacer = pacerWith([aNode("n1")], [bound(aPod("busy"), "n1"), ...pods], slots(8, { drainSeconds: 20 }));
    pacer.observeSample(nodeName("n1"), { atMs: START_MS, dirtyBytes: 3_000 * MIB }, START_MS);
    expect(pacer.plan(START_MS).held.map(({ hold }) => hold.reason)).toEqual(["DiskBacklog", "DiskBacklog"]);
    expect(pacer.plan(START_MS + 60_000).releases.length).toBeGreaterThan(0); // a stale sample is unknown
  });

  test("no more pods fetch at a time than keep the disk busy; pods whose images are there pass meanwhile", () => {
    const images = new Map([1, 2, 3, 4, 5, 6].map((n) => [imageName(`i${n}`), 60 * MIB] as const));
    const seen = anOldNode("seen", { images, allocatable: { cpu: 0, pods: 0 } });
    const pods = [1, 2, 3, 4, 5, 6].map((n) =>
      aGatedPod(`p${n}`, { shape: aShape({ image: `i${n}`, ownerName: `o${n}` }) }),
    );
    const pacer = pacerWith([seen, aNode("n1")], [...pods, aGatedPod("bare")], slots(10));
    const plan = pacer.plan(START_MS);
    expect(released(plan)).toEqual(["bare", "p1", "p2", "p3", "p4"]);
    expect(plan.held.map(({ hold }) => hold.reason)).toEqual(["PullConcurrencyLimit", "PullConcurrencyLimit"]);
  });

  test("before the disk runs dry another one may fetch; not so where tasks wait for a core", () => {
    const images = new Map([1, 2, 3, 4, 5, 6].map((n) => [imageName(`i${n}`), 60 * MIB] as const));
    const seen = anOldNode("seen", { images, allocatable: { cpu: 0, pods: 0 } });
    const pod = (n: number) => aPod(`p${n}`, { shape: aShape({ image: `i${n}`, ownerName: `o${n}` }) });
    const plan = (cpuPressure: number) => {
      const fetching = [1, 2, 3, 4].map((n) => bound(pod(n), "n1"));
      const pacer = pacerWith(
        [seen, aNode("n1")],
        [...fetching, changed(pod(5), { gated: true }), changed(pod(6), { gated: true })],
        slots(10),
      );
      // 4 × 60 MiB × 4 in flight; six seconds at 125 MiB/s leave 210 MiB
      const sample = { utilisation: 1, writeBytesPerSecond: 125 * MIB, cpuPressure };
      pacer.observeSample(nodeName("n1"), { atMs: START_MS, ...sample }, START_MS);
      pacer.observeSample(nodeName("n1"), { atMs: START_MS + 6_000, ...sample }, START_MS + 6_000);
      return released(pacer.plan(START_MS + 6_000));
    };
    expect(plan(0)).toEqual(["p5"]);
    expect(plan(0.6)).toEqual([]);
  });

  test("not so where pulls write more slowly than the disk can: another one would only share what there is", () => {
    const images = new Map([1, 2, 3, 4, 5, 6, 7].map((n) => [imageName(`i${n}`), 20 * MIB] as const));
    const seen = anOldNode("seen", { images, allocatable: { cpu: 0, pods: 0 } });
    const pod = (n: number) => aPod(`p${n}`, { shape: aShape({ image: `i${n}`, ownerName: `o${n}` }) });
    const plan = (mibPerSecond: number) => {
      const fetching = [1, 2, 3, 4, 5].map((n) => bound(pod(n), "n1"));
      const pacer = pacerWith(
        [seen, aNode("n1")],
        [...fetching, ...[6, 7].map((n) => changed(pod(n), { gated: true }))],
        slots(10),
      );
      const sample = { utilisation: mibPerSecond / 125, writeBytesPerSecond: mibPerSecond * MIB };
      for (const atMs of [START_MS, START_MS + 1_500, START_MS + 3_000]) {
        pacer.observeSample(nodeName("n1"), { atMs, ...sample }, atMs);
      }
      pacer.upsertPod(started(fetching[0] ?? pod(1)), START_MS + 3_000); // a pull has shown how fast they write
      return released(pacer.plan(START_MS + 3_000));
    };
    expect(plan(110)).toEqual(["p6", "p7"]);
    expect(plan(40)).toEqual([]);
  });

  test("the last one that fetches waits like the others", () => {
    const images = new Map([1, 2, 3, 4, 5].map((n) => [imageName(`i${n}`), 60 * MIB] as const));
    const seen = anOldNode("seen", { images, allocatable: { cpu: 0, pods: 0 } });
    const pods = [1, 2, 3, 4, 5].map((n) =>
      aGatedPod(`p${n}`, { shape: aShape({ image: `i${n}`, ownerName: `o${n}` }) }),
    );
    const plan = pacerWith([seen, aNode("n1")], pods, slots(10)).plan(START_MS);
    expect(released(plan)).toEqual(["p1", "p2", "p3", "p4"]);
    expect(plan.held.map(({ hold }) => hold.reason)).toEqual(["PullConcurrencyLimit"]);
  });

  test("one that dwarfs the others waits until they are all but written: their flushes would wait for its own", () => {
    const reasons = (mib: number, seconds: number, utilisation = 1) => {
      const images = new Map([[imageName("small"), 60 * MIB] as const, [imageName("large"), mib * MIB] as const]);
      const seen = anOldNode("seen", { images, allocatable: { cpu: 0, pods: 0 } });
      const small = bound(aPod("small", { shape: aShape({ image: "small", ownerName: "s" }) }), "n1");
      const large = aGatedPod("large", { shape: aShape({ image: "large", ownerName: "l" }) });
      const pacer = pacerWith([seen, aNode("n1")], [small, large], slots(10, { drainSeconds: 40 }));
      const sample = { utilisation, writeBytesPerSecond: utilisation * 125 * MIB };
      const nowMs = START_MS + seconds * 1_000;
      for (const atMs of [START_MS, nowMs]) pacer.observeSample(nodeName("n1"), { atMs, ...sample }, atMs);
      return pacer.plan(nowMs).held.map(({ hold }) => hold.reason);
    };
    // 60 MiB × 4 are 1.9 s at 125 MiB/s; 1,500 MiB are 48 s, more than may be owed; 300 MiB are 9.6 s.
    expect(reasons(1_500, 1)).toEqual(["PullConcurrencyLimit"]);
    expect(reasons(1_500, 1.5)).toEqual([]);
    expect(reasons(300, 1)).toEqual([]);
    expect(reasons(1_500, 1, 0.3)).toEqual([]); // behind a slow registry nobody's flush waits
  });

  test("a side image that many share comes before a smaller one that nobody shares", () => {
    const images = new Map([
      ["shared", 100 * MIB],
      ["app-1", 1],
      ["app-2", 1],
      ["app-3", 1],
      ["own", 60 * MIB],
    ] as const);
    const seen = anOldNode("seen", {
      images: new Map([...images].map(([name, bytes]) => [imageName(name), bytes])),
      allocatable: { cpu: 0, pods: 0 },
    });
    const sharing = [1, 2, 3].map((n) =>
      aGatedPod(`p${n}`, {
        shape: { ...aShape({ ownerName: `o${n}` }), images: [imageName(`app-${n}`), imageName("shared")] },
      }),
    );
    const alone = aGatedPod("alone", { shape: aShape({ image: "own", ownerName: "alone" }) });
    expect(released(pacerWith([seen, aNode("n1")], [alone, ...sharing], slots(1)).plan(START_MS))).toEqual(["p1"]);
  });

  test("where nobody fetches, the last slot is kept for who does: pods without new bytes do not starve the disk", () => {
    const image = new Map([[imageName("big"), 300 * MIB]]);
    const seen = anOldNode("seen", { images: image, allocatable: { cpu: 0, pods: 0 } });
    const pods = [
      ...many(4, (name) => aGatedPod(name)),
      aGatedPod("fetches", { shape: aShape({ image: "big", ownerName: "f" }) }),
    ];
    expect(released(pacerWith([seen, aNode("n1")], pods, slots(3)).plan(START_MS)).sort()).toEqual([
      "fetches",
      "p0",
      "p1",
    ]);
  });

  test("a disk with time left may owe up to twice the drain time in dirty pages: waiting makes them no fewer", () => {
    const verdictAt = (utilisation: number, dirtyMib: number) => {
      const pods = [aGatedPod("p1", { shape: aShape({ image: "i1", ownerName: "o1" }) })];
      const pacer = pacerWith([aNode("n1")], [bound(aPod("busy"), "n1"), ...pods], slots(8, { drainSeconds: 20 }));
      const sample = { atMs: START_MS, utilisation, dirtyBytes: dirtyMib * MIB };
      pacer.observeSample(nodeName("n1"), sample, START_MS);
      return pacer.plan(START_MS).held.map(({ hold }) => hold.reason)[0] ?? "released";
    };
    // 24 s, and 48 s, of a disk that writes 125 MiB/s.
    expect([verdictAt(1, 3_000), verdictAt(0.2, 3_000)]).toEqual(["DiskBacklog", "released"]);
    expect(verdictAt(0.2, 6_000)).toBe("DiskBacklog");
  });

  test("a disk with time left takes a large image while another is on its way, and no third one", () => {
    const sizes = [550, 550, 550, 900]; // × 4 ÷ 125 MiB/s = 17.6 s each, and 28.8 s
    const images = new Map(sizes.map((mib, n) => [imageName(`i${n}`), mib * MIB] as const));
    const seen = anOldNode("seen", { images, allocatable: { cpu: 0, pods: 0 } });
    const pods = sizes.map((_, n) => aGatedPod(`p${n}`, { shape: aShape({ image: `i${n}`, ownerName: `o${n}` }) }));
    const releasedAt = (utilisation: number) => {
      const pacer = pacerWith([seen, aNode("n1")], pods, slots(8, { drainSeconds: 20 }));
      pacer.observeSample(nodeName("n1"), { atMs: START_MS, utilisation }, START_MS);
      return released(pacer.plan(START_MS));
    };
    expect(releasedAt(1)).toEqual(["p0"]);
    expect(releasedAt(0.2)).toEqual(["p0", "p1"]);
  });

  test("an image beyond the drain time goes alone, however idle the disk", () => {
    const images = new Map([1, 2].map((n) => [imageName(`i${n}`), 900 * MIB] as const));
    const seen = anOldNode("seen", { images, allocatable: { cpu: 0, pods: 0 } });
    const pods = [1, 2].map((n) => aGatedPod(`p${n}`, { shape: aShape({ image: `i${n}`, ownerName: `o${n}` }) }));
    const pacer = pacerWith([seen, aNode("n1")], pods, slots(8, { drainSeconds: 20 }));
    pacer.observeSample(nodeName("n1"), { atMs: START_MS, utilisation: 0 }, START_MS);
    expect(released(pacer.plan(START_MS))).toEqual(["p1"]);
  });

  test("never more new pulls than the kubelet's burst less one in reserve, and the plan wakes when a token is there", () => {
    const pods = many(20, (name) => aGatedPod(name, { shape: aShape({ image: name, ownerName: name }) }));
    const tiny = new Map(pods.map((_, i) => [imageName(`p${i}`), MIB] as const));
    const seen = anOldNode("seen", { images: tiny, allocatable: { cpu: 0, pods: 0 } });
    const plan = pacerWith([seen, aNode("n1")], pods, slots(32)).plan(START_MS);
    expect(plan.releases).toHaveLength(9);
    expect(plan.held[0]?.hold.reason).toBe("PullQPSLimit");
    expect(plan.wakeAtMs).toBe(START_MS + 200);
  });

  test("a pull that is over counts until the kubelet's bucket has made up for it, however short it was", () => {
    const shapes = many(12, (name) => aGatedPod(name, { shape: aShape({ image: name, ownerName: name }) }));
    const tiny = new Map(shapes.map(({ name }) => [imageName(name), MIB] as const));
    const seen = anOldNode("seen", { images: tiny, allocatable: { cpu: 0, pods: 0 } });
    const pacer = pacerWith([seen, aNode("n1")], shapes, slots(32));
    const first = pacer.plan(START_MS).releases;
    for (const { pod } of first) {
      pacer.upsertPod(bound(pod, "n1"), START_MS);
      pacer.upsertPod(started(bound(pod, "n1")), START_MS + 100);
    }
    expect(first).toHaveLength(9);
    // burst 10, 9 spent: a pod and one in reserve take two tokens, and half a second of 5 a second makes them 3.5
    expect(pacer.plan(START_MS + 100).held.map(({ hold }) => hold.reason)).toEqual(Array(3).fill("PullQPSLimit"));
    expect(released(pacer.plan(START_MS + 600))).toHaveLength(2);
  });
});

describe("the fence", () => {
  const fenced = (name: string) => aNode(name, { fence: { value: name, sinceMs: START_MS } });
  const pending = (name: string, more: Partial<PodFacts> = {}) => aPod(name, { unschedulable: true, ...more });

  test("pending pods pass one batch at a time, each with the toleration of its node", () => {
    const pacer = pacerWith(
      [fenced("n1"), fenced("n2")],
      many(20, (name) => pending(name)),
      slots(3),
    );
    const { releases } = pacer.plan(START_MS);
    expect(releases).toHaveLength(6);
    expect(releases.every(({ node, fence }) => fence === node)).toBe(true);
    expect(new Set(released({ releases })).size).toBe(6);
  });

  test("replicas of one owner are spread over nodes, as kube-scheduler would", () => {
    const apps = ["a", "b", "c"].map((ownerName) => aShape({ ownerName }));
    const pods = apps.flatMap((shape) => many(2, (name) => pending(`${shape.ownerName}-${name}`, { shape })));
    const { releases } = pacerWith([fenced("n1"), fenced("n2")], pods, slots(3)).plan(START_MS);
    for (const { ownerName } of apps) {
      const nodes = releases.filter(({ pod }) => pod.shape.ownerName === ownerName).map(({ node }) => node);
      expect(nodes.sort()).toEqual(["n1", "n2"]);
    }
  });

  test("DaemonSet pods of the node go before pending ones", () => {
    const pods = [...many(5, (name) => pending(name)), aDaemonPod("daemon", "n1", { fencesTolerated: ["*"] })];
    const { releases } = pacerWith([fenced("n1")], pods, slots(1)).plan(START_MS);
    expect(releases).toMatchObject([{ pod: { name: "daemon" }, fence: undefined }]);
  });

  test("exempt pods that wait for room pass without a slot", () => {
    const system = pending("dns", { shape: aShape({ namespace: "kube-system" }) });
    const { releases } = pacerWith([fenced("n1")], [bound(aPod("busy"), "n1"), system], slots(1)).plan(START_MS);
    expect(releases).toMatchObject([{ pod: { name: "dns" }, reason: "Exempt", fence: "n1" }]);
  });

  test("it is lifted when nothing waits, its cap is reached, the node has settled, or pacing is off", () => {
    const lift = (nodes: NodeFacts[], pods: PodFacts[], atMs: number, overrides: Overrides = slots(1)) =>
      pacerWith(nodes, pods, overrides)
        .plan(atMs)
        .fences.map((action) => action.kind === "lift" && action.reason);
    const busy = [bound(aPod("busy"), "n1"), pending("p")];
    expect(lift([fenced("n1")], busy, START_MS + 6_000)).toEqual([]);
    expect(lift([fenced("n1")], [], START_MS + 4_999)).toEqual([]);
    expect(lift([fenced("n1")], [], START_MS + 5_000)).toEqual(["NothingPending"]);
    expect(lift([fenced("n1")], busy, START_MS + 30_000, { ...slots(1), fence: { maxSeconds: 30 } })).toEqual([
      "FenceCapReached",
    ]);
    expect(lift([fenced("n1")], busy, START_MS + 60_000, { ...slots(1), youngForSeconds: 60 })).toEqual([
      "NodeSettled",
    ]);
    expect(lift([fenced("n1")], busy, START_MS, { ...slots(1), mode: "observe" })).toEqual(["PacingOff"]);
    expect(lift([fenced("n1")], busy, START_MS, { ...slots(1), fence: { enabled: false } })).toEqual(["PacingOff"]);
  });

  test("one that somebody else put up is adopted with the node's own value", () => {
    const foreign = aNode("n1", { fence: { value: "", sinceMs: undefined } });
    expect(pacerWith([foreign], [pending("p")], slots(1)).plan(START_MS).fences).toMatchObject([
      { kind: "adopt", value: "n1" },
    ]);
  });

  test("a pod that passed and was not bound in time gives way to another", () => {
    const pods = [
      pending("tried", { fencesTolerated: ["n1"], reservation: { node: nodeName("n1"), atMs: START_MS } }),
      pending("next"),
    ];
    const pacer = pacerWith([fenced("n1")], pods, slots(1));
    expect(pacer.plan(START_MS + 14_000).releases).toEqual([]);
    expect(released(pacer.plan(START_MS + 15_000))).toEqual(["next"]);
  });

  test("what a promise that is over had claimed of a node's room is free for another pod", () => {
    const gpu = aShape({ requests: { "example.com/gpu": 1, pods: 1 } });
    const oneGpu = changed(fenced("n1"), { allocatable: { "example.com/gpu": 1, pods: 110 } });
    const promise = { fencesTolerated: ["n1"], reservation: { node: nodeName("n1"), atMs: START_MS } };
    const pods = [pending("tried", { shape: gpu, ...promise }), pending("next", { shape: gpu })];
    const pacer = pacerWith([oneGpu], pods, slots(4));
    expect(pacer.plan(START_MS + 14_000).releases).toEqual([]);
    expect(released(pacer.plan(START_MS + 15_000))).toEqual(["next"]);
  });

  test("where only the scheduler can judge, its refusal of the pod as it is now returns the slot early", () => {
    const promise = { fencesTolerated: ["n1"], reservation: { node: nodeName("n1"), atMs: START_MS }, refused: true };
    const afterTwoSeconds = (interPodRules: boolean) => {
      const tried = pending("tried", { shape: aShape({ interPodRules }), ...promise });
      return released(pacerWith([fenced("n1")], [tried, pending("next")], slots(1)).plan(START_MS + 2_000));
    };
    expect(afterTwoSeconds(true)).toEqual(["next"]);
    // It fits by all that we know: the scheduler has not seen the node as we do, and binds the pod after its back-off.
    expect(afterTwoSeconds(false)).toEqual([]);
  });

  test("DaemonSet pods that fences of several nodes keep out are let go node by node, whichever is the oldest", () => {
    const shape = aShape({ ownerKind: "DaemonSet" }); // of one DaemonSet: all alike but for their node
    const agents = ["n1", "n2"].map((node) => pending(`agent-${node}`, { shape, pinnedTo: nodeName(node) }));
    const pacer = pacerWith([fenced("n1"), fenced("n2")], agents, slots(1));
    expect(pacer.plan(START_MS + 5_000).releases).toMatchObject([{ fence: "n1" }, { fence: "n2" }]);
  });

  test("nobody is let go on top of as many as kube-scheduler binds within seconds, and is told so", () => {
    const nodes = many(60, (name) => fenced(name));
    const promised = nodes.flatMap((node) =>
      many(10, (name) =>
        pending(`${name}-${node.name}`, {
          fencesTolerated: [node.name],
          reservation: { node: node.name, atMs: START_MS },
        }),
      ),
    );
    const next = pending("next");
    expect(pacerWith(nodes, [...promised.slice(0, 499), next], slots(32)).plan(START_MS).releases).toHaveLength(1);
    const busy = pacerWith(nodes, [...promised.slice(0, 500), next], slots(32));
    expect(busy.plan(START_MS).releases).toEqual([]);
    expect(busy.keptOut(START_MS)).toMatchObject([{ pod: { name: "next" }, hold: { reason: "SchedulerBusy" } }]);
  });

  test("a kube-scheduler that is behind is given those first that it comes to first: the oldest, whatever they fetch", () => {
    const large = aShape({ ownerName: "large", image: "large:1" });
    const small = aShape({ ownerName: "small", image: "small:1" });
    const sizes = {
      images: new Map([
        [imageName("large:1"), 900 * MIB],
        [imageName("small:1"), 9 * MIB],
      ]),
    };
    const pods = [
      aPod("old", { shape: large, createdAtMs: START_MS - 20_000 }),
      aPod("young", { shape: small, createdAtMs: START_MS - 10_000 }),
    ];
    const others = many(500, (name) =>
      aPod(name, { createdAtMs: START_MS - 5_000, shape: aShape({ nodeSelector: { not: "here" } }) }),
    );
    const first = (more: readonly PodFacts[]) =>
      released(
        pacerWith([fenced("n1"), anOldNode("n0", { ...sizes, allocatable: {} })], [...pods, ...more], slots(1)).plan(
          START_MS,
        ),
      );
    expect(first([])).toEqual(["young"]);
    expect(first(others)).toEqual(["old"]);
  });

  test("a full node keeps it while lifting it would make kube-scheduler try very many pods in vain", () => {
    const full = changed(fenced("n1"), { allocatable: { cpu: 16_000, memory: 1e12, pods: 1 } });
    const liftedBeside = (waiting: number) => {
      const there = started(bound(aPod("there"), "n1"));
      const pacer = pacerWith([full], [there, ...many(waiting, (name) => pending(name))], slots(4));
      return pacer.plan(START_MS + 60_000).fences.length;
    };
    expect(liftedBeside(500)).toBe(1);
    expect(liftedBeside(501)).toBe(0);
  });

  test("a pod that it has kept out for the hold cap passes, whatever the slots; who came later waits on", () => {
    const late = pending("late", { createdAtMs: START_MS + 30_000 });
    const pods = [bound(aPod("busy"), "n1"), pending("p"), late];
    const pacer = pacerWith([fenced("n1")], pods, { ...slots(1), maxHoldSeconds: 60 });
    expect(pacer.plan(START_MS + 59_999)).toMatchObject({ releases: [], wakeAtMs: START_MS + 60_000 });
    const atTheCap = pacer.plan(START_MS + 60_000).releases;
    expect(atTheCap).toMatchObject([{ pod: { name: "p" }, reason: "HoldCapReached", fence: "n1" }]);
    expect(released(pacer.plan(START_MS + 90_000))).toEqual(["p", "late"]);
  });

  test("whom it keeps out is told why, as far as the node has room; exempt, promised and tolerant pods are not kept", () => {
    const roomForFour = changed(fenced("n1"), { allocatable: { cpu: 500, memory: 1e12, pods: 110 } });
    const promise = { fencesTolerated: ["n1"], reservation: { node: nodeName("n1"), atMs: START_MS } };
    const pods = [
      bound(aPod("busy"), "n1"),
      pending("promised", promise),
      pending("system", { shape: aShape({ namespace: "kube-system" }) }),
      pending("tolerant", { fencesTolerated: ["*"] }),
      ...many(9, (name) => pending(name)),
    ];
    const kept = pacerWith([roomForFour], pods, slots(2)).keptOut(START_MS);
    expect(kept.map(({ pod }) => pod.name)).toEqual(["p0", "p1"]);
    expect(kept[0]?.hold).toMatchObject({ reason: "StartupSlotsFull", node: "n1" });
    expect(pacerWith([roomForFour], pods, { ...slots(2), mode: "observe" }).keptOut(START_MS)).toEqual([]);
  });

  test("a pod that opted out passes without a slot", () => {
    const optedOut = pending("free", { shape: aShape({ labels: { "paceline.dev/pacing": "disabled" } }) });
    const { releases } = pacerWith([fenced("n1")], [bound(aPod("busy"), "n1"), optedOut], slots(1)).plan(START_MS);
    expect(releases).toMatchObject([{ pod: { name: "free" }, reason: "Exempt" }]);
  });

  test("pods that tolerate every taint pass by themselves: they neither keep it up nor get a promise", () => {
    const tolerant = pending("tolerant", { fencesTolerated: ["*"] });
    const plan = pacerWith([fenced("n1")], [tolerant], slots(1)).plan(START_MS + 5_000);
    expect(plan).toMatchObject({ releases: [], fences: [{ kind: "lift", reason: "NothingPending" }] });
  });

  test("it stays on a cordoned node, whose herd comes when it is uncordoned, and lets nobody in meanwhile", () => {
    const cordoned = changed(fenced("n1"), { unschedulable: true });
    const plan = pacerWith([cordoned], [pending("p")], slots(1)).plan(START_MS + 60_000);
    expect(plan).toMatchObject({ releases: [], fences: [] });
  });

  test("it stays while a pod waits that the scheduler has not tried yet, and lets it in after two seconds", () => {
    const pacer = pacerWith([fenced("n1")], [aPod("new", { createdAtMs: START_MS + 60_000 })], slots(1));
    expect(pacer.plan(START_MS + 61_000)).toMatchObject({ releases: [], fences: [] });
    expect(released(pacer.plan(START_MS + 62_000))).toEqual(["new"]);
  });

  test("a pod that was promised a node that is gone goes to another one at once", () => {
    const promise = { fencesTolerated: ["n1"], reservation: { node: nodeName("n1"), atMs: START_MS } };
    const pacer = pacerWith([fenced("n1"), fenced("n2")], [pending("p", promise)], slots(1));
    expect(pacer.plan(START_MS + 1_000).releases).toEqual([]);
    pacer.deleteNode(nodeName("n1"), START_MS + 1_000);
    expect(pacer.plan(START_MS + 1_000).releases).toMatchObject([{ pod: { name: "p" }, node: "n2", fence: "n2" }]);
  });

  test("another machine of the same name begins anew: what was learnt of the old one is forgotten", () => {
    const pacer = pacerWith([fenced("n1")], [], slots(8));
    const broken = changed(bound(aPod("broken"), "n1"), { overloadFailures: 1 });
    pacer.upsertPod(broken, START_MS + 20_000);
    expect(pacer.status(START_MS + 20_000).nodes[0]?.limit).toBe(4);
    pacer.upsertNode(changed(fenced("n1"), { uid: "another" }), START_MS + 21_000);
    expect(pacer.status(START_MS + 21_000).nodes[0]?.limit).toBe(8);
  });
});

describe("a node that is still joining", () => {
  const NOT_READY = { key: "node.kubernetes.io/not-ready", value: "", effect: "NoSchedule" } as const;
  const fence = { value: "n1", sinceMs: START_MS };
  const joining = aNode("n1", { fence, readySinceMs: undefined, taints: [NOT_READY] });
  const pending = (name: string, more: Partial<PodFacts> = {}) => aPod(name, { unschedulable: true, ...more });
  const herd = [
    ...many(10, (name) => pending(`pending-${name}`)),
    ...many(10, (name) => aDaemonPod(`daemon-${name}`, "n1", { fencesTolerated: ["*"] })),
    ...many(10, (name) => aGatedPod(`gated-${name}`)),
  ];

  test("lets nobody go whom it would not take yet: else all of them came at once when it is Ready", () => {
    const pacer = pacerWith([joining], herd, slots(3));
    const plan = pacer.plan(START_MS + 60_000);
    expect(plan).toMatchObject({ releases: [], fences: [] });
    expect(plan.held).toHaveLength(20);
    expect(new Set(plan.held.map(({ hold }) => hold.reason))).toEqual(new Set(["NodeJoining"]));
    expect(plan.held[0]?.hold.message).toContain(NOT_READY.key);
    pacer.upsertNode(changed(joining, { readySinceMs: START_MS + 60_000, taints: [] }), START_MS + 60_000);
    expect(pacer.plan(START_MS + 60_000).releases).toHaveLength(3);
  });

  test("takes pods that tolerate what keeps the others out, such as its network agent", () => {
    const shape = aShape({
      ownerKind: "DaemonSet",
      tolerations: [{ key: "", operator: "Exists", value: "", effect: "" }],
    });
    const agent = aDaemonPod("cni", "n1", { shape, fencesTolerated: ["*"] });
    expect(released(pacerWith([joining], [...herd, agent], slots(3)).plan(START_MS))).toEqual(["cni"]);
  });

  test("keeps its fence while a startup taint of somebody else keeps the herd out", () => {
    const warming = {
      key: "startup-taint.cluster-autoscaler.kubernetes.io/warm",
      value: "",
      effect: "NoSchedule",
    } as const;
    const ready = aNode("n1", { fence, taints: [warming] });
    expect(pacerWith([ready], [pending("p")], slots(1)).plan(START_MS + 60_000)).toMatchObject({
      releases: [],
      fences: [],
    });
  });

  test("loses its fence when it does not become Ready for minutes, but not when it was Ready in between", () => {
    const actions = (node: NodeFacts) => pacerWith([node], [pending("p")], slots(1)).plan(START_MS + 180_000).fences;
    expect(actions(joining)).toMatchObject([{ kind: "lift", reason: "NodeNotReady" }]);
    expect(actions(changed(joining, { notReadySinceMs: START_MS + 90_000 }))).toEqual([]);
  });
});
