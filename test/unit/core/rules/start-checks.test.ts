import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { NodeSample } from "../../../../src/core/facts.ts";
import { imageName, nodeName } from "../../../../src/core/ids.ts";
import { MIB } from "../../../../src/core/measures.ts";
import {
  betterNodeExists,
  checkStart,
  cpuPressure,
  isSchedulerBusy,
  pullQPSLimit,
  schedulerBusy,
  startChecks,
  startupSlotsFull,
  waitingForImage,
} from "../../../../src/core/rules/start-checks.ts";
import { defaultNodeClass } from "../../../../src/policy/resolve.ts";
import { aGatedPod, aNode, aPod, aShape, bound, START_MS, started } from "../../../support/core-facts.ts";
import { many, pacerWith, released, shows, slots } from "../../../support/core-plan.ts";
import { aStart, type LoadGiven, secondsOf, slowDisk, type StartGiven } from "../../../support/start-input.ts";

const reasonOf = (hold: { readonly reason: string } | undefined) => hold?.reason;

describe("startup slots", () => {
  test("a pod starts while a slot is free, and waits while none is", () => {
    expect(startupSlotsFull(aStart({ load: { slotsInUse: 5 } }))).toBeUndefined();
    expect(reasonOf(startupSlotsFull(aStart({ load: { slotsInUse: 6 } })))).toBe("StartupSlotsFull");
    expect(reasonOf(startupSlotsFull(aStart({ load: { slotsInUse: 7 } })))).toBe("StartupSlotsFull");
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
    expect(schedulerBusy(aStart({ context: { onTheirWay: 499 } }))).toBeUndefined();
    expect(schedulerBusy(aStart({ context: { onTheirWay: 500 } }))).toMatchObject({
      reason: "SchedulerBusy",
      node: "n1",
    });
    expect([isSchedulerBusy(499), isSchedulerBusy(500)]).toEqual([false, true]);
  });
});

describe("a better node", () => {
  test("a pod waits where another node would have its images sooner, and its message names that node", () => {
    expect(betterNodeExists(aStart())).toBeUndefined();
    const hold = betterNodeExists(aStart({ context: { betterNode: nodeName("n2") } }));
    expect(hold).toMatchObject({ reason: "BetterNodeExists", node: "n1" });
    expect(hold?.message).toContain("n2");
  });
});

describe("an image on its way", () => {
  const follows = { cost: { follows: true, pulls: 1 } };
  /** It has 3 s left to write, or 2 s. */
  const owing = (seconds: number) => ({
    limit: slowDisk,
    bytesInFlight: secondsOf(seconds),
    sample: { atMs: START_MS },
  });

  test("a pod that only follows another waits for it; one that brings an image of its own does not", () => {
    expect(reasonOf(waitingForImage(aStart({ load: owing(3), ...follows })))).toBe("WaitingForImage");
    expect(waitingForImage(aStart({ load: owing(3), cost: { follows: false, pulls: 1 } }))).toBeUndefined();
  });

  test("it follows early where the disk runs dry within two seconds and no other pod would fetch", () => {
    expect(waitingForImage(aStart({ load: owing(2), ...follows }))).toBeUndefined();
    expect(reasonOf(waitingForImage(aStart({ load: owing(2.1), ...follows })))).toBe("WaitingForImage");
    expect(reasonOf(waitingForImage(aStart({ load: owing(2), ...follows, context: { fetchersWaiting: 1 } })))).toBe(
      "WaitingForImage",
    );
  });

  test("it does not follow early where no fresh sample shows the disk", () => {
    expect(reasonOf(waitingForImage(aStart({ load: { ...owing(1), sample: undefined }, ...follows })))).toBe(
      "WaitingForImage",
    );
  });
});

describe("the kubelet's pull budget", () => {
  const withBurst = (qps: number, burst: number) => ({ ...defaultNodeClass, pullQPS: { qps, burst } });
  const after = (donePulls: number, pulls: number, nodeClass = withBurst(5, 10)) =>
    reasonOf(pullQPSLimit(aStart({ load: { nodeClass, pulls: donePulls }, cost: { pulls } })));

  test("a tenth of the burst is kept in reserve", () => {
    expect(after(8, 1)).toBeUndefined();
    expect(after(9, 1)).toBe("PullQPSLimit");
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

describe("busy cores", () => {
  const pressed = (slotsInUse: number, sample: Omit<NodeSample, "atMs">) =>
    cpuPressure(aStart({ load: { slotsInUse, sample: { atMs: START_MS, ...sample } } }));

  test("a pod waits where there are 2.5 starts a core and tasks wait for a core nine tenths of the time", () => {
    expect(reasonOf(pressed(10, { cores: 4, cpuPressure: 0.9 }))).toBe("CPUPressure");
    expect(pressed(9, { cores: 4, cpuPressure: 0.9 })).toBeUndefined();
    expect(pressed(10, { cores: 4, cpuPressure: 0.89 })).toBeUndefined();
  });

  test("the message says how much of the time tasks wait", () => {
    expect(pressed(10, { cores: 4, cpuPressure: 0.95 })?.message).toBe(
      "tasks on node n1 wait for a core 95 % of the time",
    );
  });

  test("the node's allocatable cores count where the sample has no figure", () => {
    expect(reasonOf(pressed(40, { cpuPressure: 1 }))).toBe("CPUPressure");
    expect(pressed(39, { cpuPressure: 1 })).toBeUndefined();
  });

  test("where the kernel reports no pressure, a load average of four a core means the same", () => {
    expect(reasonOf(pressed(10, { cores: 4, load1: 16 }))).toBe("CPUPressure");
    expect(pressed(10, { cores: 4, load1: 15.9 })).toBeUndefined();
  });

  test("measured pressure goes before the load average, which counts tasks that wait for the disk, too", () => {
    expect(pressed(10, { cores: 4, cpuPressure: 0.2, load1: 100 })).toBeUndefined();
  });

  test("a pod goes where nothing is known of the cores: no sample, or one that says nothing of them", () => {
    expect(cpuPressure(aStart({ load: { slotsInUse: 100 } }))).toBeUndefined();
    expect(pressed(100, { load1: 500 })).toBeUndefined();
  });
});

describe("the list of checks", () => {
  test("is asked in the documented order, and a node on which nothing starts skips what protects its disk and cores", () => {
    expect(startChecks.map(({ check, whenIdle }) => [check.name, whenIdle ? "always" : "not when idle"])).toEqual([
      ["startupSlotsFull", "always"],
      ["schedulerBusy", "always"],
      ["betterNodeExists", "always"],
      ["waitingForImage", "not when idle"],
      ["pullConcurrencyLimit", "not when idle"],
      ["diskBacklog", "not when idle"],
      ["pullQPSLimit", "always"],
      ["cpuPressure", "not when idle"],
    ]);
  });

  /** Each of these alone makes one check fail, in the order of the list. */
  const obstacles = {
    StartupSlotsFull: { load: { limit: { slots: 0 } } },
    SchedulerBusy: { context: { onTheirWay: 500 } },
    BetterNodeExists: { context: { betterNode: nodeName("n2") } },
    WaitingForImage: { cost: { follows: true } },
    PullConcurrencyLimit: { cost: { newBytes: secondsOf(10) }, load: { fetchers: 3, bytesInFlight: secondsOf(5) } },
    DiskBacklog: { cost: { newBytes: secondsOf(10) }, load: { bytesInFlight: secondsOf(100) } },
    PullQPSLimit: { cost: { pulls: 1 }, load: { pulls: 10 } },
    CPUPressure: { load: { sample: { atMs: START_MS, cores: 0.1, cpuPressure: 1 } } },
  } satisfies Record<string, StartGiven>;
  type Obstacle = keyof typeof obstacles;
  const reasons = Object.keys(obstacles) as Obstacle[];

  /** What the checks say where these obstacles come together. */
  function verdictWith(given: Iterable<Obstacle>, slotsInUse = 1): string {
    const all = [...given].map((reason): StartGiven => obstacles[reason]);
    const { load, cost, nowMs, context } = aStart({
      load: {
        ...(Object.assign({ slotsInUse }, ...all.map((one) => one.load)) as LoadGiven),
        limit: Object.assign({}, slowDisk, ...all.map((one) => one.load?.limit)) as object,
      },
      cost: Object.assign({}, ...all.map((one) => one.cost)) as object,
      context: Object.assign({ fetchersWaiting: Infinity }, ...all.map((one) => one.context)) as object,
    });
    return checkStart(load, cost, nowMs, context).reason;
  }

  test("every obstacle alone holds a pod back from a node on which something starts", () => {
    expect(reasons.map((reason) => verdictWith([reason]))).toEqual(reasons);
    expect(verdictWith([])).toBe("SlotFree");
  });

  test("on a node on which nothing starts only these do, so that one pod can always go", () => {
    expect(reasons.filter((reason) => verdictWith([reason], 0) === reason)).toEqual([
      "StartupSlotsFull",
      "SchedulerBusy",
      "BetterNodeExists",
      "PullQPSLimit",
    ]);
  });

  test("of several obstacles the first of the list is the reason, whichever they are", () => {
    fc.assert(
      fc.property(fc.subarray(reasons, { minLength: 1 }), (some) => {
        expect(verdictWith(some)).toBe(some[0]);
      }),
    );
  });

  test("where nobody says what others do, a pod that follows waits, and no other pod does", () => {
    const { load, cost, nowMs } = aStart({ load: { sample: { atMs: START_MS } }, cost: { follows: true } });
    expect(checkStart(load, cost, nowMs)).toMatchObject({ kind: "hold", reason: "WaitingForImage" });
    expect(checkStart(load, { ...cost, follows: false }, nowMs)).toEqual({ kind: "allow", reason: "SlotFree" });
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
