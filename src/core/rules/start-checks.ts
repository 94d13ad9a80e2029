/**
 * Where it is decided that a pod waits for its node. Four checks in order; the first that fails gives the reason. The
 * release plan, the extender's answers and the status page ask {@link checkStart}. Pod admission asks it of settled
 * nodes only (settled-nodes.ts); of young and hot ones the leader alone gives.
 */
import type { HoldReason } from "../../api/reasons.ts";
import {
  coresOf,
  type Cost,
  drainSeconds,
  drainTargetSeconds,
  type NodeLoad,
  steadyDrainTargetSeconds,
  writeSeconds,
} from "../state/load.ts";
import { SCHEDULER_BATCH } from "../state/scheduler-batch.ts";
import type { Hold, Verdict } from "../verdict.ts";
import { NEXT_TO_NOTHING } from "./limit.ts";
import { pullsLeft } from "./pull-budget.ts";

/** One pod that may start on one node. */
export interface StartInput {
  readonly load: NodeLoad;
  /** What the pod would add to the node. */
  readonly cost: Cost;
  readonly nowMs: number;
  /** Pods of the whole cluster that were released to nodes and are not bound yet. */
  readonly onTheirWay: number;
}

/** Why the pod must wait, or undefined where it passes. */
export type StartCheck = (input: StartInput) => Hold | undefined;

/** A check, and whether a node on which nothing starts is asked it, too. */
interface ListedCheck {
  readonly check: StartCheck;
  readonly whenIdle: boolean;
}

/**
 * A node on which nothing starts skips what protects its disk: one pod must always be able to go, or nothing would ever
 * move. It keeps to the pull budget, because only time brings a token.
 */
export const startChecks: readonly ListedCheck[] = [
  { check: startupSlotsFull, whenIdle: true },
  { check: schedulerBusy, whenIdle: true },
  { check: diskBacklog, whenIdle: false },
  { check: pullQPSLimit, whenIdle: true },
];

/** May a pod of this cost start on the node now? */
export function checkStart(load: NodeLoad, cost: Cost, nowMs: number, onTheirWay = 0): Verdict {
  const idle = load.slotsInUse === 0 && !joinsLater(load, cost);
  for (const { check, whenIdle } of startChecks) {
    const hold = idle && !whenIdle ? undefined : check({ load, cost, nowMs, onTheirWay });
    if (hold) return hold;
  }
  return { kind: "allow", reason: "SlotFree" };
}

/**
 * As many pods are starting, or are about to, as the limit allows. Pods that bring no bytes need only a sandbox, so on
 * a disk that owes nothing more of them may start: as many as the class says.
 */
export function startupSlotsFull({ load, cost }: StartInput): Hold | undefined {
  const { inStartup, reserved, offered, limit, facts, slotsInUse } = load;
  const slots = needsSandboxOnly(load, cost) ? mostSlots(load) : limit.slots;
  if (slotsInUse < slots) return undefined;
  const onTheirWay = reserved.length + offered.length;
  const parts = `${inStartup.length} in startup${onTheirWay > 0 ? `, ${onTheirWay} on their way` : ""}`;
  const message = `all ${slots} startup slots of node ${facts.name} are in use (${parts})`;
  return holdBack(load, "StartupSlotsFull", message);
}

/** The most slots that a pod of any cost may find. */
export const mostSlots = ({ limit, nodeClass: { slots } }: NodeLoad) =>
  Math.max(limit.slots, Math.min(slots.sandboxes, slots.max));

/**
 * Sandboxes cost the disk little while nothing is written to it; the cores must have time for them. Where starts have
 * failed, the limit knows better.
 */
function needsSandboxOnly(load: NodeLoad, { newBytes }: Cost): boolean {
  if (load.limit.cutAtMs !== -Infinity || unshown(load) >= load.limit.slots) return false;
  if (newBytes > 0 || load.fetching.size > 0 || coresOf(load.sample) !== "free") return false;
  return drainSeconds(load) < NEXT_TO_NOTHING * drainTargetSeconds(load);
}

/**
 * What a start asks of the cores shows a moment after its binding, in the next sample. So no more pods than the limit
 * go on the word of one sample: a JVM that comes up looks like a sandbox before. Assumed, ms.
 */
const SHOWS_AFTER_MS = 1_000;

/** Pods that hold slots, and of which the last sample cannot tell yet. */
function unshown({ sample, inStartup, reserved, offered }: NodeLoad): number {
  const shownMs = (sample?.atMs ?? -Infinity) - SHOWS_AFTER_MS;
  return (
    inStartup.filter(({ scheduledAtMs = Infinity }) => scheduledAtMs > shownMs).length +
    reserved.length +
    offered.length
  );
}

/** True while no pod may be released to any node. */
export const isSchedulerBusy = (onTheirWay: number) => onTheirWay >= SCHEDULER_BATCH;

export function schedulerBusy({ load, onTheirWay }: StartInput): Hold | undefined {
  if (!isSchedulerBusy(onTheirWay)) return undefined;
  const message = `${onTheirWay} released pods wait for kube-scheduler, as many as it binds within seconds`;
  return holdBack(load, "SchedulerBusy", message);
}

/**
 * A database may come up, and all pods whose init containers wait for it fetch their app's image at once. So for a pod
 * that would be one of them, what the others will fetch is owed already. It keeps back no other pod.
 */
const joinsLater = ({ laterBytes }: NodeLoad, { newLaterBytes }: Cost) => newLaterBytes > 0 && laterBytes > 0;

/** With the pod's new images, the disk would owe more than its drain target. */
export function diskBacklog({ load, cost }: StartInput): Hold | undefined {
  const { newBytes } = cost;
  if (newBytes === 0) return undefined;
  const isLater = joinsLater(load, cost);
  const owed = drainSeconds(load) + (isLater ? writeSeconds(load, load.laterBytes) : 0);
  const own = writeSeconds(load, newBytes);
  const most = isLater ? steadyDrainTargetSeconds(load) : drainTargetSeconds(load);
  if (owed + own <= most || owed < most * NEXT_TO_NOTHING) return undefined;
  const images = `this pod's images${isLater ? " and those after init containers" : ""}`;
  const figures = `${inSeconds(owed + own)} s with ${images}, ${inSeconds(most)} s is the most`;
  return holdBack(load, "DiskBacklog", `the disk of node ${load.facts.name} would need ${figures}`);
}

/**
 * One more pull now might exceed the kubelet's own limit. One token stays: the kubelet's bucket is seen only through
 * the times of pods, and exempt pods pull, too.
 */
export function pullQPSLimit({ load, cost: { pulls }, nowMs }: StartInput): Hold | undefined {
  const { qps, burst } = load.nodeClass.pullQPS;
  if (qps === 0 || pulls === 0) return undefined;
  if (pullsLeft({ qps, burst }, load.donePulls, load.pulls, nowMs) >= Math.min(burst, pulls + 1)) return undefined;
  return holdBack(load, "PullQPSLimit", `node ${load.facts.name} may pull ${qps} images a second (burst ${burst})`);
}

/** A fast disk with little memory may owe less than a second. */
const inSeconds = (seconds: number) => (seconds < 10 ? seconds.toFixed(1) : String(Math.ceil(seconds)));

const holdBack = ({ facts }: NodeLoad, reason: HoldReason, message: string): Hold => ({
  kind: "hold",
  reason,
  message,
  node: facts.name,
});
