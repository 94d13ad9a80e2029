/**
 * Where it is decided that a pod waits for its node. An ordered list of checks over one input; the first that fails
 * gives the reason. The release plan, the extender's answers and the status page ask {@link checkStart}. Pod admission
 * does not: it only asks whether the pod can go anywhere but to a paced node (pod-admission.ts), and leaves the rest to
 * the leader.
 */
import type { Cost, NodeLoad } from "../state/load.ts";
import { coresOf } from "../state/load.ts";
import type { Hold, Verdict } from "../verdict.ts";
import { holdBack, type StartCheck, type StartContext, type StartInput } from "./check.ts";
import { diskBacklog, pullConcurrencyLimit, REFILL_SECONDS, secondsUntilDry } from "./disk-checks.ts";
import { BUSY_CPU_PRESSURE } from "./limit.ts";
import { pullsLeft } from "./pull-budget.ts";

/**
 * Load average per core that means the same where there is no PSI. It counts tasks that wait for the disk, too.
 * Assumed.
 */
const CPU_BUSY_LOAD_PER_CORE = 4;
/** Starts per core below which busy cores hold no pod back: much of a start is waiting. Chosen by simulation. */
const STARTS_PER_CORE = 2.5;
/** Share of the burst kept in reserve: exempt pods pull, too, and kubelets try failed pulls again. Assumed. */
const SPARE_PULLS_SHARE = 0.1;
/**
 * Released pods that may wait for kube-scheduler. It binds 50 pods a second with its default client limit, 700 at best
 * (scheduler_perf), so it reaches all of these before their reservations end, and never runs out of work. Assumed.
 */
const MOST_ON_THEIR_WAY = 500;

/** A check, and whether a node on which nothing starts is asked it, too. */
interface ListedCheck {
  readonly check: StartCheck;
  readonly whenIdle: boolean;
}

/**
 * In order. A node on which nothing starts skips what protects its disk and cores: one pod must always be able to go,
 * or nothing would ever move. It keeps to the pull budget, because only time brings a token.
 */
export const startChecks: readonly ListedCheck[] = [
  { check: startupSlotsFull, whenIdle: true },
  { check: schedulerBusy, whenIdle: true },
  { check: betterNodeExists, whenIdle: true },
  { check: waitingForImage, whenIdle: false },
  { check: pullConcurrencyLimit, whenIdle: false },
  { check: diskBacklog, whenIdle: false },
  { check: pullQPSLimit, whenIdle: true },
  { check: cpuPressure, whenIdle: false },
];

/** What to assume of other pods and nodes where nothing is known of them. */
const unknownContext: StartContext = { onTheirWay: 0, fetchersWaiting: Infinity, betterNode: undefined };

/** May a pod of this cost start on the node now? */
export function checkStart(load: NodeLoad, cost: Cost, nowMs: number, context: StartContext = unknownContext): Verdict {
  const input: StartInput = { load, cost, nowMs, context };
  const idle = load.slotsInUse === 0;
  for (const { check, whenIdle } of startChecks) {
    const hold = idle && !whenIdle ? undefined : check(input);
    if (hold) return hold;
  }
  return { kind: "allow", reason: "SlotFree" };
}

/** As many pods are starting, or are about to, as the limit allows. */
export function startupSlotsFull({ load }: StartInput): Hold | undefined {
  const { inStartup, reserved, offered, limit, facts, slotsInUse } = load;
  if (slotsInUse < limit.slots) return undefined;
  const onTheirWay = reserved.length + offered.length;
  const parts = `${inStartup.length} in startup${onTheirWay > 0 ? `, ${onTheirWay} on their way` : ""}`;
  const message = `all ${limit.slots} startup slots of node ${facts.name} are in use (${parts})`;
  return holdBack(load, "StartupSlotsFull", message);
}

/** True while no pod may be released to any node. */
export const isSchedulerBusy = (onTheirWay: number) => onTheirWay >= MOST_ON_THEIR_WAY;

export function schedulerBusy({ load, context: { onTheirWay } }: StartInput): Hold | undefined {
  if (!isSchedulerBusy(onTheirWay)) return undefined;
  const message = `${onTheirWay} released pods wait for kube-scheduler, as many as it binds within seconds`;
  return holdBack(load, "SchedulerBusy", message);
}

export function betterNodeExists({ load, context: { betterNode } }: StartInput): Hold | undefined {
  if (betterNode === undefined) return undefined;
  const message = `node ${betterNode} would have this pod's images sooner than node ${load.facts.name}`;
  return holdBack(load, "BetterNodeExists", message);
}

/**
 * All images that the pod misses are on their way. It follows once they are there, except where no pod that fetches
 * waits and the disk is about to run dry: slots are of no other use then, and it can make its sandbox meanwhile.
 */
export function waitingForImage({ load, cost, context }: StartInput): Hold | undefined {
  if (!cost.follows) return undefined;
  if (context.fetchersWaiting === 0 && load.sample && secondsUntilDry(load) <= REFILL_SECONDS) return undefined;
  const message = `another pod is fetching the same image to node ${load.facts.name}; this one follows`;
  return holdBack(load, "WaitingForImage", message);
}

/** One more pull now might exceed the kubelet's own limit. */
export function pullQPSLimit({ load, cost: { pulls }, nowMs }: StartInput): Hold | undefined {
  const { qps, burst } = load.nodeClass.pullQPS;
  if (qps === 0 || pulls === 0) return undefined;
  const wanted = Math.min(burst, pulls + Math.round(burst * SPARE_PULLS_SHARE));
  if (pullsLeft({ qps, burst }, load.donePulls, load.pulls, nowMs) >= wanted) return undefined;
  return holdBack(load, "PullQPSLimit", `node ${load.facts.name} may pull ${qps} images a second (burst ${burst})`);
}

/** Several starts per core, and the cores are the bottleneck. */
export function cpuPressure({ load }: StartInput): Hold | undefined {
  const { sample, facts, slotsInUse } = load;
  if (slotsInUse < STARTS_PER_CORE * coresOf(load)) return undefined;
  if (sample?.cpuPressure !== undefined) {
    if (sample.cpuPressure < BUSY_CPU_PRESSURE) return undefined;
    const share = `${Math.round(sample.cpuPressure * 100)} %`;
    return holdBack(load, "CPUPressure", `tasks on node ${facts.name} wait for a core ${share} of the time`);
  }
  const perCore = (sample?.load1 ?? 0) / (sample?.cores ?? Infinity);
  if (perCore < CPU_BUSY_LOAD_PER_CORE) return undefined;
  return holdBack(load, "CPUPressure", `node ${facts.name} has a load of ${perCore.toFixed(1)} per core`);
}
