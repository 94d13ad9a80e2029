/**
 * Where it is decided that a pod waits. One ordered chain of conditions; the first that fails is the reason. Webhook,
 * extender, fence, release loop, status page and simulator all come here.
 */
import type { HoldReason } from "../../api/reasons.ts";
import type { Cost, NodeLoad } from "../state/load.ts";
import { BUSY_CPU_PRESSURE, BUSY_UTILISATION, fetcherLimit, hasTimeLeft } from "./limit.ts";
import { debtOf, drainSeconds, leftSeconds, writeSeconds } from "../state/load.ts";
import { pullsLeft } from "./pull-budget.ts";
import type { NodeName } from "../ids.ts";
import type { Hold, Verdict } from "../verdict.ts";

const MILLICORES = 1_000;
/** Where there is no PSI: load average per core that means the same. Assumed; counts tasks that wait for the disk too. */
const CPU_BUSY_LOAD_PER_CORE = 4;
/** Starts per core below which busy cores hold nobody back: much of a start is waiting. Chosen by simulation. */
const STARTS_PER_CORE = 2.5;
/** Exempt pods pull, too, and kubelets try failed pulls again: a tenth of the burst stays in reserve for them. Assumed. */
const SPARE_PULLS_SHARE = 0.1;
/**
 * Share of drainSeconds that may be in flight while so many pods keep the disk busy: it gains nothing from more, they only
 * come later, all together. Chosen by simulation (docs/adr/0003).
 */
const BUSY_DRAIN_SHARE = 0.4;
const BUSY_FETCHERS = 3;
/**
 * Before the disk runs dry so soon, another pod may fetch: so long it takes until a pull makes the disk write (sandbox,
 * resolving, download), s. Chosen by simulation.
 */
export const REFILL_SECONDS = 2;
/**
 * A pull that is so many times all that are on their way lets a disk that is so busy run as dry as this first, s: a flush
 * waits for all that is dirty, whoever made it so. Chosen by simulation (docs/adr/0003).
 */
const DWARF_FACTOR = 4;
const DWARF_UTILISATION = 0.5;
const DWARF_REFILL_SECONDS = 0.5;
/** …at the rate at which it writes now, or this share of what it can where that is more. Assumed. */
const SLOWEST_SHARE = 0.1;
/** …unless tasks wait for a core for so much of the time: then the disk does not run dry for lack of pulls. Assumed. */
const CONTENDED_CPU_PRESSURE = 0.5;
/**
 * A pod that alone takes longer to drain than there is room for never finds it: it goes when the others owe less than
 * this share of it. Chosen by simulation.
 */
const NEARLY_DRAINED_SHARE = 0.3;

/**
 * kube-scheduler binds 50 pods a second with the client limit it has by default, 700 at best (scheduler_perf): within the time
 * that a promise lasts it comes to all of so many, and never runs out of work. Assumed.
 */
const MOST_ON_THEIR_WAY = 500;

/** What is known of those that wait beside the pod that is judged, and of the other nodes. */
export interface Beside {
  /** Pods that were let go to nodes, of the whole cluster, and are not bound yet. */
  readonly onTheirWay: number;
  /** Waiting pods that would fetch an image to the node, itself included. */
  readonly fetchersWaiting: number;
  /** A node that would have its images sooner. */
  readonly soonerOn: NodeName | undefined;
}

/** Nothing is known of them. */
const alone: Beside = { onTheirWay: 0, fetchersWaiting: Infinity, soonerOn: undefined };

/** May a pod of this cost start on the node now? */
export function judge(load: NodeLoad, cost: Cost, nowMs: number, beside: Beside = alone): Verdict {
  if (load.held >= load.limit.slots) return slotsHeld(load);
  if (schedulerIsBusy(beside.onTheirWay)) return schedulerBusy(load, beside);
  if (beside.soonerOn !== undefined) return soonerElsewhere(load, beside.soonerOn);
  const allow = { kind: "allow", reason: "SlotFree" } as const;
  // One at least, or nothing would ever move; a token for its pulls comes with time alone.
  if (load.held === 0) return pullBudgetSpent(load, cost, nowMs) ?? allow;
  return (
    followsAnother(load, cost, beside) ??
    fetchersHeld(load, cost) ??
    diskOwes(load, cost) ??
    pullBudgetSpent(load, cost, nowMs) ??
    cpuBusy(load) ??
    allow
  );
}

const hold = (load: NodeLoad, reason: HoldReason, message: string): Hold => ({
  kind: "hold",
  reason,
  message,
  node: load.facts.name,
});

function slotsHeld(load: NodeLoad): Hold {
  const { inStartup, reserved, offered, limit, facts } = load;
  const promised = reserved.length + offered.length;
  const parts = `${inStartup.length} in startup${promised > 0 ? `, ${promised} on their way` : ""}`;
  return hold(load, "SlotsHeld", `all ${limit.slots} startup slots of node ${facts.name} are held (${parts})`);
}

/** Nobody is let go to any node then. */
export const schedulerIsBusy = (onTheirWay: number) => onTheirWay >= MOST_ON_THEIR_WAY;

const schedulerBusy = (load: NodeLoad, { onTheirWay }: Beside) =>
  hold(
    load,
    "SchedulerBusy",
    `${onTheirWay} released pods wait for kube-scheduler, as many as it binds within seconds`,
  );

const soonerElsewhere = (load: NodeLoad, other: NodeName) =>
  hold(load, "SoonerElsewhere", `node ${other} would have this pod's images sooner than node ${load.facts.name}`);

/** Where nobody waits who would fetch, slots are of no other use: followers make their sandboxes while the image comes. */
function followsAnother(load: NodeLoad, { follows }: Cost, { fetchersWaiting }: Beside): Hold | undefined {
  if (!follows) return undefined;
  if (fetchersWaiting === 0 && load.sample && dryInSeconds(load) <= REFILL_SECONDS) return undefined;
  return hold(
    load,
    "ImageLeader",
    `another pod is fetching the same image to node ${load.facts.name}; this one follows`,
  );
}

/** Pods that may fetch images on the node at a time. */
export const fetcherLimitOf = (load: NodeLoad) => fetcherLimit(load.limit, coresOf(load));

export const coresOf = ({ sample, facts }: NodeLoad) => sample?.cores ?? (facts.allocatable["cpu"] ?? 0) / MILLICORES;

/** As many pulls as keep the disk busy, and one more before it runs dry. One that dwarfs the others waits until they are all but written. */
function fetchersHeld(load: NodeLoad, { newBytes }: Cost): Hold | undefined {
  if (newBytes === 0) return undefined;
  const dwarf = dwarfs(load, newBytes);
  const most = dwarf ? 1 : fetcherLimitOf(load);
  if (load.fetchers < most) return undefined;
  const drySeconds = dwarf ? DWARF_REFILL_SECONDS : REFILL_SECONDS;
  if (dryInSeconds(load) <= drySeconds && (load.sample?.cpuPressure ?? 0) < CONTENDED_CPU_PRESSURE) return undefined;
  const { fetchers, facts } = load;
  const enough = dwarf ? "whose flushes would wait for this one's" : "enough for its disk";
  return hold(load, "FetchersHeld", `${fetchers} pods fetch images to node ${facts.name}, ${enough}`);
}

/** Alone it takes longer to write than may be owed, and many times as long as all that are on their way to a busy disk. */
const dwarfs = (load: NodeLoad, newBytes: number) =>
  writeSeconds(load, newBytes) > load.nodeClass.drainSeconds &&
  newBytes >= DWARF_FACTOR * load.bytesInFlight &&
  load.limit.utilisation >= DWARF_UTILISATION;

/** At the rate at which it writes now: where a registry or the cores are slower than the disk, more pulls write no faster. */
function dryInSeconds(load: NodeLoad): number {
  const { bytesPerSecond, writeBytesPerSecond, fetchedBytes } = load.limit;
  if (!load.sample || fetchedBytes === 0) return leftSeconds(load); // no pull has shown yet how fast they write
  const rate = Math.max(writeBytesPerSecond, SLOWEST_SHARE * bytesPerSecond);
  return leftSeconds(load) * (bytesPerSecond / rate);
}

function diskOwes(load: NodeLoad, { newBytes }: Cost): Hold | undefined {
  if (newBytes === 0) return undefined;
  const { own } = debtOf(load, newBytes);
  const most = load.nodeClass.drainSeconds;
  const drains = [{ seconds: drainOf(load, newBytes), most }];
  if (isBusy(load)) drains.push({ seconds: leftSeconds(load) + own, most: most * BUSY_DRAIN_SHARE });
  const over = drains.find((drain) => drain.seconds > drain.most);
  if (!over || (own > most && drainSeconds(load) <= most * NEARLY_DRAINED_SHARE)) return undefined;
  const figures = `${Math.ceil(over.seconds)} s with this pod's images, ${over.most.toFixed(0)} s is the most`;
  return hold(load, "DiskOwes", `the disk of node ${load.facts.name} would need ${figures}`);
}

/**
 * What is compared with the target, in s: all that would be owed. A disk that has time left may owe up to twice as much, of
 * which the target is the most for images on their way and for this pod's own: below a threshold of its own the kernel
 * leaves dirty pages be, waiting makes them no fewer; and one large image at a time leaves the disk idle while it is
 * downloaded and unpacked (docs/real-node.md).
 */
function drainOf(load: NodeLoad, newBytes: number): number {
  const { inFlight, cached, own } = debtOf(load, newBytes);
  return hasTimeLeft(load.sample) ? Math.max(inFlight, own, (cached + own) / 2) : inFlight + cached + own;
}

/** Several pulls keep the disk busy: it is given less than one that has time left. */
const isBusy = ({ sample, fetchers }: NodeLoad) =>
  (sample?.utilisation ?? 0) >= BUSY_UTILISATION && fetchers >= BUSY_FETCHERS;

function pullBudgetSpent(load: NodeLoad, { pulls }: Cost, nowMs: number): Hold | undefined {
  const { qps, burst } = load.nodeClass.pullQPS;
  if (qps === 0 || pulls === 0) return undefined;
  const wanted = Math.min(burst, pulls + Math.round(burst * SPARE_PULLS_SHARE));
  if (pullsLeft({ qps, burst }, load.donePulls, load.pulls, nowMs) >= wanted) return undefined;
  return hold(load, "PullBudgetSpent", `node ${load.facts.name} may pull ${qps} images a second (burst ${burst})`);
}

function cpuBusy(load: NodeLoad): Hold | undefined {
  const { sample, facts } = load;
  if (load.held < STARTS_PER_CORE * coresOf(load)) return undefined;
  if (sample?.cpuPressure !== undefined) {
    if (sample.cpuPressure < BUSY_CPU_PRESSURE) return undefined;
    return hold(
      load,
      "CpuBusy",
      `tasks on node ${facts.name} wait for a core ${Math.round(sample.cpuPressure * 100)} % of the time`,
    );
  }
  const perCore = (sample?.load1 ?? 0) / (sample?.cores ?? Infinity);
  if (perCore < CPU_BUSY_LOAD_PER_CORE) return undefined;
  return hold(load, "CpuBusy", `node ${facts.name} has a load of ${perCore.toFixed(1)} per core`);
}
