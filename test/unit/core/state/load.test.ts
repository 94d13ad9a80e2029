import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { NodeFacts, PodFacts } from "../../../../src/core/facts.ts";
import { imageName, nodeName } from "../../../../src/core/ids.ts";
import { MIB } from "../../../../src/core/measures.ts";
import {
  costOf,
  drainSeconds,
  drainTargetSeconds,
  isStuck,
  reservationCounts,
  reservationEndsMs,
  sum,
  steadyDrainTargetSeconds,
  writeSeconds,
  writesInFlight,
} from "../../../../src/core/state/load.ts";
import { aNode, aPod, aShape, bound, changed, START_MS, started } from "../../../support/core-facts.ts";
import { namesOf, shows, sizes, stateWith, theNode } from "../../../support/core-plan.ts";
import { aLoad, type LoadGiven, onSlowDisk, secondsOf, slowClass } from "../../../support/start-input.ts";

const DEADLINES = { deadlineMs: 300_000, reservationMs: 15_000 };
const reservation = { node: nodeName("n1"), atMs: START_MS };
const reserved = (name: string, given: Partial<PodFacts> = {}) => aPod(name, { reservation, ...given });

/** What n1 carries. */
function loadOf(pods: readonly PodFacts[], nowMs = START_MS, planned: readonly PodFacts[] = [], node = aNode("n1")) {
  return stateWith([shows(IMAGES), node], pods).loadOf(node, nowMs, planned);
}
const IMAGES = sizes({ app: 100, proxy: 10, other: 40 });
const withImages = (...images: string[]) => ({ shape: aShape({ images: images.map(imageName) }) });

describe("slots are used by", () => {
  test("pods in startup, reserved ones and planned ones, each once", () => {
    const load = loadOf([bound(aPod("starting"), "n1"), reserved("reserved")], START_MS, [aPod("planned")]);
    expect([namesOf(load.inStartup), namesOf(load.reserved), namesOf(load.offered)]).toEqual([
      ["starting"],
      ["reserved"],
      ["planned"],
    ]);
    expect(load.slotsInUse).toBe(3);
  });

  test("a pod with a reservation that was offered the node as well once only", () => {
    const pod = reserved("p");
    expect(loadOf([pod], START_MS, [pod])).toMatchObject({ slotsInUse: 1, offered: [] });
  });

  test("no pod that has started or ended", () => {
    const pod = bound(aPod("p"), "n1");
    expect(loadOf([started(pod)]).slotsInUse).toBe(0);
    expect(loadOf([changed(pod, { terminal: true })]).slotsInUse).toBe(0);
  });

  test("no stuck pod: one that waits for what pacing cannot help, or has been in startup for too long", () => {
    const stuck = changed(bound(aPod("stuck"), "n1"), { waitingOn: "ImagePullBackOff" });
    expect(loadOf([stuck, bound(aPod("fine"), "n1")])).toMatchObject({ slotsInUse: 1, stuck: 1 });
    const slow = bound(aPod("slow"), "n1", START_MS + 1_000);
    expect(isStuck(slow, DEADLINES, START_MS + 300_999)).toBe(false);
    expect(isStuck(slow, DEADLINES, START_MS + 301_000)).toBe(true);
    expect(isStuck(aPod("of unknown binding"), DEADLINES, START_MS + 300_000)).toBe(true);
  });

  test("the load changes by itself when the first reservation ends or the first start is given up", () => {
    expect(loadOf([]).untilMs).toBe(Infinity);
    expect(loadOf([bound(aPod("a"), "n1", START_MS + 2_000)]).untilMs).toBe(START_MS + 62_000);
    expect(loadOf([bound(aPod("a"), "n1"), reserved("b")]).untilMs).toBe(START_MS + 15_000);
  });
});

describe("the end of a reservation", () => {
  const rules = { refused: true, shape: aShape({ interPodRules: true }) };

  test("is early where only the scheduler can judge and has refused the pod", () => {
    expect(reservationEndsMs(reserved("p"), DEADLINES)).toBe(START_MS + 15_000);
    expect(reservationEndsMs(reserved("p", rules), DEADLINES)).toBe(START_MS + 2_000);
    expect(reservationEndsMs(reserved("p", { ...rules, refused: false }), DEADLINES)).toBe(START_MS + 15_000);
    expect(reservationEndsMs(reserved("p", { refused: true }), DEADLINES)).toBe(START_MS + 15_000);
  });

  test("is never later for a refused pod than for others", () => {
    expect(reservationEndsMs(reserved("p", rules), { ...DEADLINES, reservationMs: 1_000 })).toBe(START_MS + 1_000);
  });

  test("no pod without a reservation has one", () => {
    expect(reservationEndsMs(aPod("p"), DEADLINES)).toBeUndefined();
    expect(reservationCounts(aPod("p"), DEADLINES, START_MS)).toBe(false);
  });
});

describe("images in flight", () => {
  test("count once, however many pods wait for them, and every pod may pull", () => {
    const pods = [bound(aPod("a", withImages("app", "proxy")), "n1"), bound(aPod("b", withImages("app")), "n1")];
    const load = loadOf(pods, START_MS, [aPod("c", withImages("proxy", "other"))]);
    expect(load).toMatchObject({ pulls: 5, bytesInFlight: 150 * MIB });
    expect([...load.fetching].sort()).toEqual(["app", "other", "proxy"].map(imageName));
  });

  test("are none that the node lists, nor that a pod has started from there", () => {
    const there = aNode("n1", { images: IMAGES });
    expect(loadOf([bound(aPod("p", withImages("app")), "n1")], START_MS, [], there).bytesInFlight).toBe(0);
    const pods = [started(bound(aPod("a", withImages("app")), "n1")), bound(aPod("b", withImages("app")), "n1")];
    expect(loadOf(pods)).toMatchObject({ pulls: 0, bytesInFlight: 0 });
  });

  test("are none that come after an init container which runs: these are told apart, for twice the drain target", () => {
    const container = (image: string, role: "init" | "app", kind: "running" | "waiting") => ({
      ...{ role, image: imageName(image) },
      state: kind === "running" ? ({ kind, sinceMs: START_MS } as const) : ({ kind, reason: "" } as const),
    });
    const containers = [container("proxy", "init", "running"), container("app", "app", "waiting")];
    const startup = { sandboxReady: true, sandboxSinceMs: START_MS, containers };
    const pod = bound(aPod("p", { ...withImages("proxy", "app"), startup }), "n1");
    const none = { bytesInFlight: 0, inStartup: [], waiting: 1 };
    const untilMs = START_MS + 2_000 * steadyDrainTargetSeconds(loadOf([pod]));
    expect(loadOf([pod], untilMs - 1)).toMatchObject({ ...none, laterBytes: 100 * MIB, untilMs });
    expect(loadOf([pod], untilMs)).toMatchObject({ ...none, laterBytes: 0 });
    expect(loadOf([pod], START_MS, [], aNode("n1", { images: IMAGES }))).toMatchObject({ ...none, laterBytes: 0 });
    expect(loadOf([pod, bound(aPod("q", withImages("app")), "n1")])).toMatchObject({ laterBytes: 0 }); // on its way
  });

  test("make the disk write more than their size, by the unpack ratio", () => {
    const nodeClass = { ...slowClass, unpackRatio: 4 };
    const load = aLoad({ nodeClass, bytesInFlight: 50, limit: { bytesPerSecond: 100 } });
    expect(writesInFlight(load)).toBe(200);
    expect(writeSeconds(load, 50)).toBe(2);
  });
});

describe("the cost of a pod", () => {
  const costOn = (pods: readonly PodFacts[], pod: PodFacts) => {
    const state = stateWith([shows(IMAGES), aNode("n1")], pods);
    return costOf(pod, state.loadOf(theNode(state, "n1").facts, START_MS), state.catalogue);
  };
  const fetching = bound(aPod("fetches", withImages("app")), "n1");

  test("is its images that are neither there nor on their way; every image that is not there is a pull", () => {
    expect(costOn([fetching], aPod("p", withImages("app", "other")))).toEqual({
      newImages: [imageName("other")],
      ...{ newBytes: 40 * MIB, newLaterBytes: 0 },
      pulls: 2,
    });
  });

  test("tells what comes after an init container of its own, and after none that others have on the node", () => {
    const laterImages = [imageName("other"), imageName("app")];
    const later = aPod("p", { shape: aShape({ images: laterImages, laterImages }) });
    expect(costOn([fetching], later)).toMatchObject({ newBytes: 40 * MIB, newLaterBytes: 40 * MIB });
  });

  test("is nothing but a pull where all that it misses is on its way", () => {
    const cost = { newImages: [], newBytes: 0, newLaterBytes: 0, pulls: 1 };
    expect(costOn([fetching], aPod("p", withImages("app")))).toEqual(cost);
  });

  test("is nothing where its images are there", () => {
    const cost = { newImages: [], newBytes: 0, newLaterBytes: 0, pulls: 0 };
    expect(costOn([started(fetching)], aPod("p", withImages("app")))).toEqual(cost);
    expect(costOn([fetching], aPod("bare"))).toEqual(cost);
  });
});

describe("what a disk owes", () => {
  const load = (given: LoadGiven = {}) => aLoad(onSlowDisk({ bytesInFlight: secondsOf(8), ...given }));
  const dirty = (seconds: number) => ({
    atMs: START_MS,
    dirtyBytes: secondsOf(seconds - 1),
    writebackBytes: secondsOf(1),
  });

  test("is images in flight or dirty pages, whichever is more, in seconds of its time: one byte is not owed twice", () => {
    expect(drainSeconds(load())).toBe(8);
    expect(drainSeconds(load({ sample: dirty(3) }))).toBe(8);
    expect(drainSeconds(load({ sample: dirty(11) }))).toBe(11);
    expect(drainSeconds(load({ sample: dirty(3), nodeClass: { ...slowClass, unpackRatio: 2 } }))).toBe(16);
    expect(drainSeconds(load({ sample: dirty(3), limit: { bytesPerSecond: secondsOf(2) } }))).toBe(4);
  });

  test("does not include what it has written of the images in flight already, and is never below its dirty pages", () => {
    const after = (seconds: number) =>
      drainSeconds(load({ sample: dirty(3), limit: { progressBytes: secondsOf(seconds) } }));
    expect([after(0), after(4), after(8), after(20)]).toEqual([8, 4, 3, 3]);
  });
});

describe("the most that a disk may owe", () => {
  const target = (given: LoadGiven = {}) => drainTargetSeconds(aLoad(onSlowDisk(given)));
  const memory = (seconds: number) => ({ atMs: START_MS, memoryBytes: secondsOf(seconds) });

  test("is the drain time of its class, or what a tenth of the memory takes to write, whichever is less", () => {
    expect(target({ sample: memory(1_000) })).toBe(40);
    expect(target({ sample: memory(100) })).toBe(10);
    expect(target({ sample: memory(1_000), nodeClass: { ...slowClass, drainSeconds: 15 } })).toBe(15);
    expect(target({ sample: memory(100), limit: { bytesPerSecond: secondsOf(2) } })).toBe(5); // twice as fast
  });

  test("is twice as much while the disk is seen to have time left, so that a second large image overlaps with the first", () => {
    const sample = { ...memory(1_000), utilisation: 1 };
    expect(target({ sample, limit: { utilisation: 0.79 } })).toBe(80);
    expect(target({ sample, limit: { utilisation: 0.8 } })).toBe(40);
    expect(target({ sample: memory(1_000), limit: { utilisation: 0 } })).toBe(40); // not watched: unknown, never idle
  });

  test("counts the memory that pods may have where no fresh sample shows the node's, and none where that is unknown", () => {
    const withMemory = (allocatable: NodeFacts["allocatable"]) => target({ facts: aNode("n1", { allocatable }) });
    expect(withMemory({ memory: secondsOf(100) })).toBe(10);
    expect(withMemory({})).toBe(40);
    expect(target({ facts: aNode("n1", { allocatable: { memory: 1 } }), sample: memory(100) })).toBe(10);
  });
});

test("whatever a node carries, its slots are those of its pods, and its images those of its pods that are not there", () => {
  const images = ["app", "proxy", "other"].map((name) => name);
  const podArb = fc.record({
    how: fc.constantFrom("starting", "started", "stuck", "reserved", "expired", "planned"),
    images: fc.subarray(images),
  });
  fc.assert(
    fc.property(fc.array(podArb, { maxLength: 10 }), (given) => {
      const made = given.map(({ how, images: some }, at) => {
        const pod = aPod(`p${at}`, withImages(...some));
        if (how === "planned") return { how, some, pod };
        if (how === "reserved") return { how, some, pod: { ...pod, reservation } };
        if (how === "expired")
          return { how, some, pod: { ...pod, reservation: { ...reservation, atMs: START_MS - 15_000 } } };
        const there = bound(pod, "n1");
        if (how === "stuck") return { how, some, pod: changed(there, { waitingOn: "CrashLoopBackOff" }) };
        return { how, some, pod: how === "started" ? started(there) : there };
      });
      const [planned, others] = [
        made.filter(({ how }) => how === "planned"),
        made.filter(({ how }) => how !== "planned"),
      ];
      const load = loadOf(
        others.map(({ pod }) => pod),
        START_MS,
        planned.map(({ pod }) => pod),
      );
      const using = made.filter(({ how }) => ["starting", "reserved", "planned"].includes(how));
      const present = new Set(made.flatMap(({ how, some }) => (how === "started" ? some : [])));
      const missing = new Set(using.flatMap(({ some }) => some.filter((image) => !present.has(image))));
      expect(load.slotsInUse).toBe(using.length);
      expect(load.fetching).toEqual(new Set([...missing].map(imageName)));
      expect(load.bytesInFlight).toBe(sum([...missing].map((image) => IMAGES.get(imageName(image)) ?? 0)));
    }),
  );
});
