import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MIB } from "../../../../src/core/measures.ts";
import {
  diskBacklog,
  fetcherLimitOf,
  pullConcurrencyLimit,
  secondsUntilDry,
} from "../../../../src/core/rules/disk-checks.ts";
import { aGatedPod, aNode, aPod, bound, changed, START_MS, started } from "../../../support/core-facts.ts";
import {
  many,
  observe,
  pacerWith,
  released,
  shows,
  showsEqual,
  sizes,
  slots,
  withImage,
} from "../../../support/core-plan.ts";
import { aLoad, aStart, type LoadGiven, secondsOf, slowDisk } from "../../../support/start-input.ts";

const onSlowDisk = (given: LoadGiven = {}): LoadGiven => ({ ...given, limit: { ...slowDisk, ...given.limit } });
const reasonOf = (hold: { readonly reason: string } | undefined) => hold?.reason;

describe("how many pods fetch at a time", () => {
  const pulling = (load: LoadGiven, seconds = 1) =>
    reasonOf(pullConcurrencyLimit(aStart({ load: onSlowDisk(load), cost: { newBytes: secondsOf(seconds) } })));
  const busy = { fetchers: 3, bytesInFlight: secondsOf(30) };

  test("a pod waits once as many fetch as keep the disk busy; one that fetches nothing passes", () => {
    expect(fetcherLimitOf(aLoad(onSlowDisk()))).toBe(3);
    expect(pulling({ ...busy, fetchers: 2 })).toBeUndefined();
    expect(pulling(busy)).toBe("PullConcurrencyLimit");
    expect(pulling(busy, 0)).toBeUndefined();
  });

  test("a faster disk takes more of them, as far as there are cores to unpack", () => {
    const limit = { bytesPerSecond: 400 * MIB, slots: 20 };
    expect(fetcherLimitOf(aLoad({ limit }))).toBe(10);
    expect(fetcherLimitOf(aLoad({ limit, sample: { atMs: START_MS, cores: 7 } }))).toBe(8);
  });

  test("one more goes when the disk runs dry within two seconds, unless tasks wait for a core half of the time", () => {
    const nearlyDry = { fetchers: 3, bytesInFlight: secondsOf(2) };
    expect(pulling(nearlyDry)).toBeUndefined();
    expect(pulling({ ...nearlyDry, bytesInFlight: secondsOf(2.1) })).toBe("PullConcurrencyLimit");
    expect(pulling({ ...nearlyDry, sample: { atMs: START_MS, cpuPressure: 0.49 } })).toBeUndefined();
    expect(pulling({ ...nearlyDry, sample: { atMs: START_MS, cpuPressure: 0.5 } })).toBe("PullConcurrencyLimit");
  });

  test("an oversized image waits for every other pull on a busy disk, down to its last half second", () => {
    const one = { fetchers: 1, bytesInFlight: secondsOf(2), limit: { utilisation: 0.5 } };
    expect(pulling(one, 41)).toBe("PullConcurrencyLimit");
    expect(pulling({ ...one, bytesInFlight: secondsOf(0.5) }, 41)).toBeUndefined();
    expect(pulling({ ...one, fetchers: 0 }, 41)).toBeUndefined();
  });

  test("an image is oversized only beyond the drain time, at four times what is in flight, and on a busy disk", () => {
    const one = { fetchers: 1, bytesInFlight: secondsOf(10), limit: { utilisation: 0.5 } };
    expect(pulling(one, 41)).toBe("PullConcurrencyLimit");
    expect(pulling(one, 40)).toBeUndefined();
    expect(pulling({ ...one, bytesInFlight: secondsOf(10.3) }, 41)).toBeUndefined();
    expect(pulling({ ...one, limit: { utilisation: 0.49 } }, 41)).toBeUndefined();
  });

  test("the message says how many fetch, and why an oversized image waits", () => {
    const messageOf = (load: LoadGiven, seconds: number) =>
      pullConcurrencyLimit(aStart({ load: onSlowDisk(load), cost: { newBytes: secondsOf(seconds) } }))?.message;
    expect(messageOf(busy, 1)).toBe("3 pods fetch images to node n1, enough for its disk");
    expect(messageOf({ fetchers: 1, bytesInFlight: secondsOf(2), limit: { utilisation: 1 } }, 41)).toBe(
      "1 pods fetch images to node n1, whose flushes would wait for this one's",
    );
  });
});

describe("when the disk runs dry", () => {
  const sample = { atMs: START_MS };
  const dryIn = (load: LoadGiven) => secondsUntilDry(aLoad(onSlowDisk({ bytesInFlight: secondsOf(8), ...load })));

  test("at the disk's own rate until a pull has shown how fast it writes", () => {
    expect(dryIn({})).toBe(8);
    expect(dryIn({ sample, limit: { writeBytesPerSecond: 500 } })).toBe(8);
    expect(dryIn({ limit: { writeBytesPerSecond: 500, fetchedBytes: 1 } })).toBe(8); // the sample is stale
  });

  test("then at the rate at which it writes, but never at less than a tenth of what it can", () => {
    const at = (writeBytesPerSecond: number) => dryIn({ sample, limit: { writeBytesPerSecond, fetchedBytes: 1 } });
    expect([at(1_000), at(500), at(100), at(1), at(0)]).toEqual([8, 16, 80, 80, 80]);
  });

  test("what it has written of the images in flight is not left to write, and dirty pages are", () => {
    expect(dryIn({ limit: { progressBytes: secondsOf(6) } })).toBe(2);
    expect(dryIn({ limit: { progressBytes: secondsOf(60) } })).toBe(0);
    expect(dryIn({ sample: { ...sample, dirtyBytes: secondsOf(1), writebackBytes: secondsOf(2) } })).toBe(11);
  });
});

describe("what the disk owes", () => {
  const owing = (load: LoadGiven, seconds: number) =>
    reasonOf(diskBacklog(aStart({ load: onSlowDisk(load), cost: { newBytes: secondsOf(seconds) } })));
  const sampleOf = (utilisation: number, dirtySeconds = 0) => ({
    atMs: START_MS,
    utilisation,
    dirtyBytes: secondsOf(dirtySeconds),
  });

  test("all that is in flight, dirty and new may take the drain time, and not a second more", () => {
    expect(owing({ bytesInFlight: secondsOf(30) }, 10)).toBeUndefined();
    expect(owing({ bytesInFlight: secondsOf(30) }, 10.1)).toBe("DiskBacklog");
    const withDirty = { bytesInFlight: secondsOf(20), sample: sampleOf(1, 15) };
    expect([owing(withDirty, 5), owing(withDirty, 5.1)]).toEqual([undefined, "DiskBacklog"]);
  });

  test("a pod without new bytes passes, whatever the disk owes", () => {
    expect(owing({ bytesInFlight: secondsOf(1_000) }, 0)).toBeUndefined();
  });

  test("a disk with time left may owe twice as much in dirty pages, but images beyond the drain time neither in flight nor beside others", () => {
    expect(owing({ sample: sampleOf(0.89, 70) }, 10)).toBeUndefined();
    expect(owing({ sample: sampleOf(0.89, 71) }, 10)).toBe("DiskBacklog");
    expect(owing({ sample: sampleOf(0.9, 70) }, 10)).toBe("DiskBacklog");
    expect(owing({ sample: sampleOf(0.2), bytesInFlight: secondsOf(39) }, 39)).toBeUndefined();
    expect(owing({ sample: sampleOf(0.2), bytesInFlight: secondsOf(41) }, 1)).toBe("DiskBacklog");
    expect(owing({ sample: sampleOf(0.2), bytesInFlight: secondsOf(13) }, 41)).toBe("DiskBacklog");
  });

  test("a disk of which no fresh sample tells is taken for a busy one", () => {
    expect(owing({ bytesInFlight: secondsOf(25) }, 20)).toBe("DiskBacklog");
    expect(owing({ bytesInFlight: secondsOf(25), sample: sampleOf(0) }, 20)).toBeUndefined();
  });

  test("while three pods keep the disk busy, two fifths of the drain time may be left to write", () => {
    const three = { fetchers: 3, bytesInFlight: secondsOf(10), sample: sampleOf(0.9) };
    expect([owing(three, 6), owing(three, 6.1)]).toEqual([undefined, "DiskBacklog"]);
    expect(owing({ ...three, fetchers: 2 }, 6.1)).toBeUndefined();
    expect(owing({ ...three, sample: sampleOf(0.89) }, 6.1)).toBeUndefined();
  });

  test("an image beyond the drain time goes once the others owe less than three tenths of it: it would wait for ever otherwise", () => {
    expect(owing({ bytesInFlight: secondsOf(12) }, 100)).toBeUndefined();
    expect(owing({ bytesInFlight: secondsOf(12.1) }, 100)).toBe("DiskBacklog");
  });

  test("the message says how long the disk would need, and the most that it may", () => {
    const hold = diskBacklog(
      aStart({ load: onSlowDisk({ bytesInFlight: secondsOf(30) }), cost: { newBytes: secondsOf(10.5) } }),
    );
    expect(hold?.message).toBe("the disk of node n1 would need 41 s with this pod's images, 40 s is the most");
  });

  test("more in flight, more dirty pages or a larger image never let a pod pass that waited, short of the drain time", () => {
    const seconds = fc.double({ min: 0, max: 40, noNaN: true });
    fc.assert(
      fc.property(
        fc.record({ inFlight: seconds, dirty: seconds, own: seconds }),
        fc.record({ inFlight: seconds, dirty: seconds, own: seconds }),
        fc.nat(4),
        fc.constantFrom(0.2, 0.95),
        (some, more, fetchers, utilisation) => {
          const reason = (inFlight: number, dirty: number, own: number) =>
            owing({ fetchers, bytesInFlight: secondsOf(inFlight), sample: sampleOf(utilisation, dirty) }, own);
          fc.pre(some.own > 0 && some.own + more.own <= 40);
          if (reason(some.inFlight, some.dirty, some.own) === undefined) return;
          const [inFlight, dirty] = [some.inFlight + more.inFlight, some.dirty + more.dirty];
          expect(reason(inFlight, dirty, some.own + more.own)).toBe("DiskBacklog");
        },
      ),
    );
  });
});

describe("a plan bounds what the disk must write:", () => {
  test("no new bytes beyond the drain time, but one pod at least, and pods without new bytes pass", () => {
    const seen = showsEqual(3, 500);
    const pods = [1, 2, 3].map((n) => aGatedPod(`p${n}`, withImage(`i${n}`)));
    // 500 MiB × 4 ÷ 125 MiB/s = 16 s each: the second one would make it 32 s.
    const pacer = pacerWith([seen, aNode("n1")], [...pods, aGatedPod("bare")], slots(8, { drainSeconds: 20 }));
    const plan = pacer.plan(START_MS);
    expect(released(plan)).toEqual(["bare", "p1"]);
    expect(plan.held.map(({ hold }) => hold.reason)).toEqual(["DiskBacklog", "DiskBacklog"]);
  });

  test("dirty page cache counts as owed", () => {
    const pods = [1, 2].map((n) => aGatedPod(`p${n}`, withImage(`i${n}`)));
    const pacer = pacerWith([aNode("n1")], [bound(aPod("busy"), "n1"), ...pods], slots(8, { drainSeconds: 20 }));
    observe(pacer, "n1", { dirtyBytes: 3_000 * MIB }, START_MS);
    expect(pacer.plan(START_MS).held.map(({ hold }) => hold.reason)).toEqual(["DiskBacklog", "DiskBacklog"]);
    expect(pacer.plan(START_MS + 60_000).releases.length).toBeGreaterThan(0); // a stale sample is unknown
  });

  test("no more pods fetch at a time than keep the disk busy; pods whose images are there pass meanwhile", () => {
    const seen = showsEqual(6, 60);
    const pods = [1, 2, 3, 4, 5, 6].map((n) => aGatedPod(`p${n}`, withImage(`i${n}`)));
    const pacer = pacerWith([seen, aNode("n1")], [...pods, aGatedPod("bare")], slots(10));
    const plan = pacer.plan(START_MS);
    expect(released(plan)).toEqual(["bare", "p1", "p2", "p3", "p4"]);
    expect(plan.held.map(({ hold }) => hold.reason)).toEqual(["PullConcurrencyLimit", "PullConcurrencyLimit"]);
  });

  test("before the disk runs dry another one may fetch; not so where tasks wait for a core", () => {
    const seen = showsEqual(6, 60);
    const pod = (n: number) => aPod(`p${n}`, withImage(`i${n}`));
    const plan = (cpuPressure: number) => {
      const fetching = [1, 2, 3, 4].map((n) => bound(pod(n), "n1"));
      const pacer = pacerWith(
        [seen, aNode("n1")],
        [...fetching, changed(pod(5), { gated: true }), changed(pod(6), { gated: true })],
        slots(10),
      );
      // 4 × 60 MiB × 4 in flight; six seconds at 125 MiB/s leave 210 MiB
      const sample = { utilisation: 1, writeBytesPerSecond: 125 * MIB, cpuPressure };
      observe(pacer, "n1", sample, START_MS);
      observe(pacer, "n1", sample, START_MS + 6_000);
      return released(pacer.plan(START_MS + 6_000));
    };
    expect(plan(0)).toEqual(["p5"]);
    expect(plan(0.6)).toEqual([]);
  });

  test("not so where pulls write more slowly than the disk can: another one would only share what there is", () => {
    const seen = showsEqual(7, 20);
    const pod = (n: number) => aPod(`p${n}`, withImage(`i${n}`));
    const plan = (mibPerSecond: number) => {
      const fetching = [1, 2, 3, 4, 5].map((n) => bound(pod(n), "n1"));
      const pacer = pacerWith(
        [seen, aNode("n1")],
        [...fetching, ...[6, 7].map((n) => changed(pod(n), { gated: true }))],
        slots(10),
      );
      const sample = { utilisation: mibPerSecond / 125, writeBytesPerSecond: mibPerSecond * MIB };
      observe(pacer, "n1", sample, START_MS, START_MS + 1_500, START_MS + 3_000);
      pacer.upsertPod(started(fetching[0] ?? pod(1)), START_MS + 3_000); // a pull has shown how fast they write
      return released(pacer.plan(START_MS + 3_000));
    };
    expect(plan(110)).toEqual(["p6", "p7"]);
    expect(plan(40)).toEqual([]);
  });

  test("the last one that fetches waits like the others", () => {
    const seen = showsEqual(5, 60);
    const pods = [1, 2, 3, 4, 5].map((n) => aGatedPod(`p${n}`, withImage(`i${n}`)));
    const plan = pacerWith([seen, aNode("n1")], pods, slots(10)).plan(START_MS);
    expect(released(plan)).toEqual(["p1", "p2", "p3", "p4"]);
    expect(plan.held.map(({ hold }) => hold.reason)).toEqual(["PullConcurrencyLimit"]);
  });

  test("one that is far larger than the others waits until they are nearly written: their flushes would wait for its own", () => {
    const reasons = (mib: number, seconds: number, utilisation = 1) => {
      const seen = shows(sizes({ small: 60, large: mib }));
      const small = bound(aPod("small", withImage("small")), "n1");
      const large = aGatedPod("large", withImage("large"));
      const pacer = pacerWith([seen, aNode("n1")], [small, large], slots(10, { drainSeconds: 40 }));
      const sample = { utilisation, writeBytesPerSecond: utilisation * 125 * MIB };
      const nowMs = START_MS + seconds * 1_000;
      observe(pacer, "n1", sample, START_MS, nowMs);
      return pacer.plan(nowMs).held.map(({ hold }) => hold.reason);
    };
    // 60 MiB × 4 are 1.9 s at 125 MiB/s; 1,500 MiB are 48 s, more than the limit of 40 s; 300 MiB are 9.6 s.
    expect(reasons(1_500, 1)).toEqual(["PullConcurrencyLimit"]);
    expect(reasons(1_500, 1.5)).toEqual([]);
    expect(reasons(300, 1)).toEqual([]);
    expect(reasons(1_500, 1, 0.3)).toEqual([]); // behind a slow registry nobody's flush waits
  });

  test("a disk with time left may owe up to twice the drain time in dirty pages: waiting makes them no fewer", () => {
    const verdictAt = (utilisation: number, dirtyMib: number) => {
      const pods = [aGatedPod("p1", withImage("i1"))];
      const pacer = pacerWith([aNode("n1")], [bound(aPod("busy"), "n1"), ...pods], slots(8, { drainSeconds: 20 }));
      const sample = { utilisation, dirtyBytes: dirtyMib * MIB };
      observe(pacer, "n1", sample, START_MS);
      return pacer.plan(START_MS).held.map(({ hold }) => hold.reason)[0] ?? "released";
    };
    // 24 s, and 48 s, of a disk that writes 125 MiB/s.
    expect([verdictAt(1, 3_000), verdictAt(0.2, 3_000)]).toEqual(["DiskBacklog", "released"]);
    expect(verdictAt(0.2, 6_000)).toBe("DiskBacklog");
  });

  test("a disk with time left takes a large image while another is on its way, and no third one", () => {
    const seen = shows(sizes({ p0: 550, p1: 550, p2: 550, p3: 900 })); // × 4 ÷ 125 MiB/s = 17.6 s each, and 28.8 s
    const pods = many(4, (name) => aGatedPod(name, withImage(name)));
    const releasedAt = (utilisation: number) => {
      const pacer = pacerWith([seen, aNode("n1")], pods, slots(8, { drainSeconds: 20 }));
      observe(pacer, "n1", { utilisation }, START_MS);
      return released(pacer.plan(START_MS));
    };
    expect(releasedAt(1)).toEqual(["p0"]);
    expect(releasedAt(0.2)).toEqual(["p0", "p1"]);
  });

  test("an image beyond the drain time goes alone, however idle the disk", () => {
    const seen = showsEqual(2, 900);
    const pods = [1, 2].map((n) => aGatedPod(`p${n}`, withImage(`i${n}`)));
    const pacer = pacerWith([seen, aNode("n1")], pods, slots(8, { drainSeconds: 20 }));
    observe(pacer, "n1", { utilisation: 0 }, START_MS);
    expect(released(pacer.plan(START_MS))).toEqual(["p1"]);
  });
});
