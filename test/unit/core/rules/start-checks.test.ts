import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { imageName } from "../../../../src/core/ids.ts";
import { MIB } from "../../../../src/core/measures.ts";
import {
  checkStart,
  diskBacklog,
  isSchedulerBusy,
  pullQPSLimit,
  schedulerBusy,
  startChecks,
  startupSlotsFull,
} from "../../../../src/core/rules/start-checks.ts";
import type { NodeClass } from "../../../../src/policy/schema.ts";
import { defaultNodeClass } from "../../../../src/policy/resolve.ts";
import { aGatedPod, aNode, aPod, aShape, bound, START_MS, started } from "../../../support/core-facts.ts";
import { many, observe, pacerWith, released, shows, showsEqual, slots, withImage } from "../../../support/core-plan.ts";
import { aStart, type LoadGiven, onSlowDisk, secondsOf, type StartGiven } from "../../../support/start-input.ts";

const reasonOf = (hold: { readonly reason: string } | undefined) => hold?.reason;

describe("startup slots", () => {
  test("a pod starts while a slot is free, and waits while none is", () => {
    expect(startupSlotsFull(aStart({ load: { slotsInUse: 5 } }))).toBeUndefined();
    expect(reasonOf(startupSlotsFull(aStart({ load: { slotsInUse: 6 } })))).toBe("StartupSlotsFull");
    expect(reasonOf(startupSlotsFull(aStart({ load: { slotsInUse: 7 } })))).toBe("StartupSlotsFull");
  });

  test("a pod that brings no bytes needs only a sandbox: more of them start while disk and cores are free", () => {
    const free = { atMs: START_MS, utilisation: 0, cpuPressure: 0 };
    const full = (load: LoadGiven, newBytes = 0) =>
      startupSlotsFull(aStart({ load, cost: { newBytes } })) !== undefined;
    expect([full({ slotsInUse: 17, sample: free }), full({ slotsInUse: 18, sample: free })]).toEqual([false, true]);
    expect(full({ slotsInUse: 6, sample: free }, 1)).toBe(true);
    expect(full({ slotsInUse: 6, sample: { ...free, cpuPressure: 0.8 } })).toBe(true);
    expect(full({ slotsInUse: 6, sample: undefined })).toBe(true);
    expect(full({ slotsInUse: 6, sample: free, limit: { cutAtMs: START_MS - 60_000 } })).toBe(true); // starts failed
    expect(full({ slotsInUse: 6, sample: { ...free, dirtyBytes: 8 * 125 * MIB, memoryBytes: 4096 * MIB } })).toBe(true);
    expect(full({ slotsInUse: 6, sample: free, fetching: new Set([imageName("a")]) })).toBe(true);
  });

  test("as many of them as the class says, within its most, and never fewer than the limit", () => {
    const sample = { atMs: START_MS, utilisation: 0, cpuPressure: 0 };
    const most = (slots: Partial<NodeClass["slots"]>, limit = 6) => {
      const nodeClass = { ...defaultNodeClass, slots: { ...defaultNodeClass.slots, ...slots } };
      const fits = (slotsInUse: number) =>
        startupSlotsFull(aStart({ load: { slotsInUse, sample, nodeClass, limit: { slots: limit } } })) === undefined;
      return Array.from({ length: 60 }, (_, used) => used).filter(fits).length;
    };
    expect([most({ sandboxes: 10 }), most({ sandboxes: 10, max: 8 }), most({ sandboxes: 2 })]).toEqual([10, 8, 6]);
    expect(most({ sandboxes: 10 }, 20)).toBe(20);
  });

  test("the message says who uses the slots: pods in startup, and pods on their way", () => {
    const [a, b, c] = [aPod("a"), aPod("b"), aPod("c")];
    const load = { slotsInUse: 3, limit: { slots: 3 }, inStartup: [a], reserved: [b], offered: [c] };
    expect(startupSlotsFull(aStart({ load }))).toEqual({
      kind: "hold",
      reason: "StartupSlotsFull",
      message: "all 3 startup slots of node n1 are in use (1 in startup, 2 on their way)",
      node: "n1",
    });
  });
});

describe("kube-scheduler's queue", () => {
  test("a pod waits once 500 released pods are not bound yet", () => {
    expect(schedulerBusy(aStart({ onTheirWay: 499 }))).toBeUndefined();
    expect(schedulerBusy(aStart({ onTheirWay: 500 }))).toMatchObject({
      reason: "SchedulerBusy",
      node: "n1",
    });
    expect([isSchedulerBusy(499), isSchedulerBusy(500)]).toEqual([false, true]);
  });
});

describe("what the disk owes", () => {
  const owing = (load: LoadGiven, seconds: number) =>
    reasonOf(diskBacklog(aStart({ load: onSlowDisk(load), cost: { newBytes: secondsOf(seconds) } })));
  const dirty = (seconds: number) => ({ atMs: START_MS, dirtyBytes: secondsOf(seconds) });

  test("what is in flight or dirty, and what is new, may take the drain time, and not a second more", () => {
    expect(owing({ bytesInFlight: secondsOf(30) }, 10)).toBeUndefined();
    expect(owing({ bytesInFlight: secondsOf(30) }, 10.1)).toBe("DiskBacklog");
    const withDirty = { bytesInFlight: secondsOf(20), sample: dirty(35) };
    expect([owing(withDirty, 5), owing(withDirty, 5.1)]).toEqual([undefined, "DiskBacklog"]);
  });

  test("what is written of the images in flight already is not owed any more", () => {
    const halfWritten = { bytesInFlight: secondsOf(40), limit: { progressBytes: secondsOf(20) } };
    expect([owing(halfWritten, 20), owing(halfWritten, 20.1)]).toEqual([undefined, "DiskBacklog"]);
  });

  test("a node with little memory may owe a tenth of it, however long its drain time", () => {
    const small = { bytesInFlight: secondsOf(5), sample: { atMs: START_MS, memoryBytes: secondsOf(100) } };
    expect([owing(small, 5), owing(small, 5.1)]).toEqual([undefined, "DiskBacklog"]);
  });

  describe("for images that come after init containers", () => {
    const input = (later: number, own: number, more: LoadGiven = {}) =>
      aStart({
        load: onSlowDisk({ laterBytes: secondsOf(later), slotsInUse: 0, ...more }),
        cost: { newBytes: secondsOf(own), newLaterBytes: secondsOf(own) },
      });
    const reason = (...given: Parameters<typeof input>) =>
      checkStart(input(...given).load, input(...given).cost, 0).reason;

    test("those of a crowd may take the drain time together, though none of its pods uses a slot", () => {
      expect([reason(30, 10), reason(30, 10.1)]).toEqual(["SlotFree", "DiskBacklog"]);
      expect([
        reason(20, 10, { bytesInFlight: secondsOf(10) }),
        reason(20, 10.1, { bytesInFlight: secondsOf(10) }),
      ]).toEqual([...["SlotFree", "DiskBacklog"]]);
      expect(diskBacklog(input(35, 10))?.message).toBe(
        "the disk of node n1 would need 45 s with this pod's images and those after init containers, 40 s is the most",
      );
    });

    test("the first always goes, and a disk that has time left now says nothing of then", () => {
      expect(reason(0, 100)).toBe("SlotFree");
      const idle = { sample: { atMs: START_MS, utilisation: 0 }, limit: { utilisation: 0 } };
      expect([reason(30, 10, idle), reason(30, 10.1, idle)]).toEqual(["SlotFree", "DiskBacklog"]);
    });

    test("they keep back no pod that has none itself: others may wait for it", () => {
      const load = onSlowDisk({ laterBytes: secondsOf(100) });
      expect(diskBacklog(aStart({ load, cost: { newBytes: secondsOf(10) } }))).toBeUndefined();
    });
  });

  test("a pod without new bytes passes, whatever the disk owes", () => {
    expect(owing({ bytesInFlight: secondsOf(1_000) }, 0)).toBeUndefined();
  });

  test("an image about as large as the target goes once less than a fifth of it is owed: it would wait for ever otherwise", () => {
    expect(owing({ bytesInFlight: secondsOf(7.9) }, 100)).toBeUndefined();
    expect(owing({ bytesInFlight: secondsOf(8) }, 100)).toBe("DiskBacklog");
    expect(owing({ bytesInFlight: secondsOf(7.9) }, 39)).toBeUndefined(); // not later than a larger one
    expect(owing({ bytesInFlight: secondsOf(8) }, 39)).toBe("DiskBacklog");
  });

  test("the message says how long the disk would need, and the most that it may", () => {
    const message = (load: LoadGiven) =>
      diskBacklog(aStart({ load: onSlowDisk(load), cost: { newBytes: secondsOf(10.5) } }))?.message;
    expect(message({ bytesInFlight: secondsOf(30) })).toBe(
      "the disk of node n1 would need 41 s with this pod's images, 40 s is the most",
    );
    const small = { atMs: START_MS, memoryBytes: secondsOf(200) };
    expect(message({ bytesInFlight: secondsOf(30), sample: small })).toBe(
      "the disk of node n1 would need 41 s with this pod's images, 20 s is the most",
    );
  });

  test("the message tells tenths where the disk is fast and the memory small", () => {
    const load = onSlowDisk({ sample: { atMs: START_MS, memoryBytes: secondsOf(4) }, bytesInFlight: secondsOf(0.3) });
    expect(diskBacklog(aStart({ load, cost: { newBytes: secondsOf(0.25) } }))?.message).toBe(
      "the disk of node n1 would need 0.6 s with this pod's images, 0.4 s is the most",
    );
  });

  test("more in flight, more dirty pages, less memory or a larger image never let a pod pass that waited, short of the target", () => {
    const seconds = fc.double({ min: 0, max: 40, noNaN: true });
    const figures = fc.record({ inFlight: seconds, dirtySeconds: seconds, own: seconds });
    fc.assert(
      fc.property(figures, figures, fc.double({ min: 0.5, max: 1, noNaN: true }), (some, more, share) => {
        const reason = (inFlight: number, dirtySeconds: number, own: number, memorySeconds: number) => {
          const sample = { ...dirty(dirtySeconds), memoryBytes: secondsOf(memorySeconds) };
          return owing({ bytesInFlight: secondsOf(inFlight), sample }, own);
        };
        fc.pre(some.own > 0 && some.own + more.own <= 40 * share);
        if (reason(some.inFlight, some.dirtySeconds, some.own, 400) === undefined) return;
        const [inFlight, dirtySeconds] = [some.inFlight + more.inFlight, some.dirtySeconds + more.dirtySeconds];
        expect(reason(inFlight, dirtySeconds, some.own + more.own, 400 * share)).toBe("DiskBacklog");
      }),
    );
  });
});

describe("the kubelet's pull budget", () => {
  const withBurst = (qps: number, burst: number) => ({ ...defaultNodeClass, pullQPS: { qps, burst } });
  const after = (donePulls: number, pulls: number, nodeClass = withBurst(5, 10)) =>
    reasonOf(pullQPSLimit(aStart({ load: { nodeClass, pulls: donePulls }, cost: { pulls } })));

  test("a pod waits for a token for each of its pulls, and one token stays in reserve", () => {
    expect([after(8, 1), after(9, 1)]).toEqual([undefined, "PullQPSLimit"]);
    expect([after(7, 2), after(8, 2)]).toEqual([undefined, "PullQPSLimit"]);
  });

  test("a pod that pulls nothing passes, and so does every pod where the kubelet has no limit", () => {
    expect(after(10, 0)).toBeUndefined();
    expect(after(100, 1, withBurst(0, 10))).toBeUndefined();
  });

  test("a pod with more images than the burst passes once the bucket is full: it would wait for ever otherwise", () => {
    expect(after(0, 25)).toBeUndefined();
    expect(after(1, 25)).toBe("PullQPSLimit");
  });

  test("pulls of pods that have started count until their tokens have come back", () => {
    const load = { donePulls: [{ atMs: START_MS, count: 10 }] };
    const at = (seconds: number) =>
      reasonOf(pullQPSLimit(aStart({ load, cost: { pulls: 1 }, nowMs: START_MS + seconds * 1_000 })));
    expect([at(0), at(0.39), at(0.4)]).toEqual(["PullQPSLimit", "PullQPSLimit", undefined]);
  });
});

describe("the list of checks", () => {
  test("is asked in the documented order, and a node on which nothing starts skips only what protects its disk", () => {
    expect(startChecks.map(({ check, whenIdle }) => [check.name, whenIdle ? "always" : "not when idle"])).toEqual([
      ["startupSlotsFull", "always"],
      ["schedulerBusy", "always"],
      ["diskBacklog", "not when idle"],
      ["pullQPSLimit", "always"],
    ]);
  });

  /** Each of these alone makes one check fail, in the order of the list. */
  const obstacles = {
    StartupSlotsFull: { load: { limit: { slots: 0 } } },
    SchedulerBusy: { onTheirWay: 500 },
    DiskBacklog: { cost: { newBytes: secondsOf(10) }, load: { bytesInFlight: secondsOf(100) } },
    PullQPSLimit: { cost: { pulls: 1 }, load: { pulls: 10 } },
  } satisfies Record<string, StartGiven>;
  type Obstacle = keyof typeof obstacles;
  const reasons = Object.keys(obstacles) as Obstacle[];

  /** What the checks say where these obstacles come together. */
  function verdictWith(given: Iterable<Obstacle>, slotsInUse = 1): string {
    const all = [...given].map((reason): StartGiven => obstacles[reason]);
    const loads = all.map((one) => one.load);
    const { load, cost, nowMs, onTheirWay } = aStart({
      load: onSlowDisk({
        ...(Object.assign({ slotsInUse }, ...loads) as LoadGiven),
        limit: Object.assign({}, ...loads.map((one) => one?.limit)) as object,
      }),
      cost: Object.assign({}, ...all.map((one) => one.cost)) as object,
      onTheirWay: Math.max(0, ...all.map((one) => one.onTheirWay ?? 0)),
    });
    return checkStart(load, cost, nowMs, onTheirWay).reason;
  }

  test("every obstacle alone holds a pod back from a node on which something starts", () => {
    expect(reasons.map((reason) => verdictWith([reason]))).toEqual(reasons);
    expect(verdictWith([])).toBe("SlotFree");
  });

  test("on a node on which nothing starts all but the disk's do: one pod can always go, and a pull token it needs", () => {
    expect(reasons.filter((reason) => verdictWith([reason], 0) === reason)).toEqual([
      "StartupSlotsFull",
      "SchedulerBusy",
      "PullQPSLimit",
    ]);
    expect(verdictWith(["DiskBacklog"], 0)).toBe("SlotFree");
  });

  test("of several obstacles the first of the list is the reason, whichever they are", () => {
    fc.assert(
      fc.property(fc.subarray(reasons, { minLength: 1 }), (some) => {
        expect(verdictWith(some)).toBe(some[0]);
      }),
    );
  });
});

describe("a plan bounds what the disk must write:", () => {
  const two = [1, 2].map((n) => aGatedPod(`p${n}`, withImage(`i${n}`)));

  test("no new bytes beyond the drain time, but one pod at least, and pods without new bytes pass", () => {
    const pods = [...two, aGatedPod("p3", withImage("i3")), aGatedPod("bare")];
    // 500 MiB × 4 ÷ 125 MiB/s = 16 s each: the second one would make it 32 s.
    const pacer = pacerWith([showsEqual(3, 500), aNode("n1")], pods, slots(8, { drainSeconds: 20 }));
    const plan = pacer.plan(START_MS);
    expect(released(plan)).toEqual(["bare", "p1"]);
    expect(plan.held.map(({ hold }) => hold.reason)).toEqual(["DiskBacklog", "DiskBacklog"]);
  });

  test("dirty page cache counts as owed, while its sample is fresh", () => {
    const pacer = pacerWith([aNode("n1")], [bound(aPod("busy"), "n1"), ...two], slots(8, { drainSeconds: 20 }));
    observe(pacer, "n1", { dirtyBytes: 3_000 * MIB }, START_MS);
    expect(pacer.plan(START_MS).held.map(({ hold }) => hold.reason)).toEqual(["DiskBacklog", "DiskBacklog"]);
    expect(released(pacer.plan(START_MS + 60_000))).toEqual(["p1", "p2"]); // a stale sample is unknown
  });

  test("an image beyond the drain time goes alone", () => {
    const pacer = pacerWith([showsEqual(2, 900), aNode("n1")], two, slots(8, { drainSeconds: 20 }));
    expect(released(pacer.plan(START_MS))).toEqual(["p1"]);
  });

  test("the page cache of a small node takes fewer images than its drain time would", () => {
    const withMemory = (gib: number) => {
      const node = aNode("n1", { allocatable: { cpu: 16_000, memory: gib * 1024 * MIB, pods: 110 } });
      return released(pacerWith([showsEqual(2, 500), node], two, slots(8)).plan(START_MS));
    };
    expect(withMemory(64)).toEqual(["p1", "p2"]); // 4,000 MiB, 32 s: less than 40 s and than a tenth of 64 GiB
    expect(withMemory(32)).toEqual(["p1"]);
  });

  test("the check, its message and the status page tell of one figure and of one target", () => {
    const memoryBytes = 25_000 * MIB;
    const pods = [bound(aPod("first", withImage("i1")), "n1"), aGatedPod("p2", withImage("i2"))];
    const pacer = pacerWith([showsEqual(2, 500), aNode("n1")], pods, slots(8));
    const sample = { memoryBytes, utilisation: 1, writeBytesPerSecond: 125 * MIB, dirtyBytes: 250 * MIB };
    const times = Array.from({ length: 11 }, (_, at) => START_MS + 200 * at); // until it counts as busy
    observe(pacer, "n1", sample, ...times);
    // 2,000 MiB in flight, 250 of them written; 2,500 MiB is a tenth of the memory; 2,000 MiB would come
    const status = pacer.status(START_MS + 2_000).nodes.find(({ name }) => name === "n1");
    expect(status).toMatchObject({ drainSeconds: 14, drainTargetSeconds: 20 });
    expect(pacer.plan(START_MS + 2_000).held.map(({ hold }) => hold.message)).toEqual([
      "the disk of node n1 would need 30 s with this pod's images, 20 s is the most",
    ]);
  });
});

describe("the kubelet's pull budget in a plan", () => {
  test("never more new pulls than the kubelet's burst less one in reserve, and the plan wakes when a token is there", () => {
    const pods = many(20, (name) => aGatedPod(name, { shape: aShape({ image: name, ownerName: name }) }));
    const tiny = new Map(pods.map((_, i) => [imageName(`p${i}`), MIB] as const));
    const seen = shows(tiny);
    const plan = pacerWith([seen, aNode("n1")], pods, slots(32)).plan(START_MS);
    expect(plan.releases).toHaveLength(9);
    expect(plan.held[0]?.hold.reason).toBe("PullQPSLimit");
    expect(plan.wakeAtMs).toBe(START_MS + 200);
  });

  test("a pull that is over counts until the kubelet's bucket has made up for it, however short it was", () => {
    const shapes = many(12, (name) => aGatedPod(name, { shape: aShape({ image: name, ownerName: name }) }));
    const tiny = new Map(shapes.map(({ name }) => [imageName(name), MIB] as const));
    const seen = shows(tiny);
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
