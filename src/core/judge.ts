/**
 * Where it is decided that a pod waits. One ordered chain of conditions; the first that fails is the reason. Webhook,
 * extender, fence, release loop, status page and simulator all come here.
 */
import type { HoldReason } from "../api/reasons.ts";
import type { Cost, NodeLoad } from "./load.ts";
import { BUSY_UTILISATION } from "./limit.ts";
import { drainSeconds } from "./load.ts";
import type { PodFacts } from "./facts.ts";
import type { Hold, Verdict } from "./verdict.ts";

/**
 * Share of time with some task waiting for a core (PSI "some") above which more starts only slow each other. Assumed: at
 * 0.9 practically no moment passes without a queue.
 */
const CPU_BUSY_PRESSURE = 0.9;
/** Where there is no PSI: load average per core that means the same. Assumed; counts tasks that wait for the disk too. */
const CPU_BUSY_LOAD_PER_CORE = 4;

/** Pulls do not begin the moment a pod is let go: one token stays in reserve, so that the kubelet never misses one. */
const SPARE_PULLS = 1;
/** Share of drainSeconds that may be in flight while the disk is busy. Chosen by simulation (docs/adr/0003). */
const BUSY_DRAIN_SHARE = 0.8;

/** May a pod of this cost start on the node now? */
export function judge(load: NodeLoad, cost: Cost, nowMs: number): Verdict {
  if (load.held >= load.limit.slots) return slotsHeld(load);
  if (load.held === 0) return { kind: "allow", reason: "SlotFree" }; // one at least, or nothing would ever move
  return (
    followsAnother(load, cost) ??
    diskOwes(load, cost) ??
    pullBudgetSpent(load, cost, nowMs) ??
    cpuBusy(load) ?? { kind: "allow", reason: "SlotFree" }
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

function followsAnother(load: NodeLoad, { follows }: Cost): Hold | undefined {
  if (!follows) return undefined;
  return hold(
    load,
    "ImageLeader",
    `another pod is fetching the same image to node ${load.facts.name}; this one follows`,
  );
}

function diskOwes(load: NodeLoad, { newBytes }: Cost): Hold | undefined {
  const target = drainTarget(load);
  const drain = drainSeconds(load, newBytes);
  if (newBytes === 0 || drain <= target) return undefined;
  const figures = `${Math.ceil(drain)} s with this pod's images, ${target} s is the most`;
  return hold(load, "DiskOwes", `the disk of node ${load.facts.name} would need ${figures}`);
}

/**
 * A disk that is busy anyway gains nothing from more bytes in flight, they only come later, all together; one that has
 * time left is given the whole of what the class allows.
 */
function drainTarget({ nodeClass, sample }: NodeLoad): number {
  const busy = (sample?.utilisation ?? 0) >= BUSY_UTILISATION;
  return busy ? nodeClass.drainSeconds * BUSY_DRAIN_SHARE : nodeClass.drainSeconds;
}

/** Replays the kubelet's token bucket over the pods that are starting, then asks it for this pod's pulls. */
function pullBudgetSpent(load: NodeLoad, { pulls }: Cost, nowMs: number): Hold | undefined {
  const { qps, burst } = load.nodeClass.pullQPS;
  if (qps === 0 || pulls === 0) return undefined;
  if (pullTokens(load, nowMs) >= Math.min(pulls + SPARE_PULLS, burst)) return undefined;
  return hold(load, "PullBudgetSpent", `node ${load.facts.name} may pull ${qps} images a second (burst ${burst})`);
}

function pullTokens(load: NodeLoad, nowMs: number): number {
  const { qps, burst } = load.nodeClass.pullQPS;
  const calls = [...load.inStartup, ...load.reserved, ...load.offered].map((pod) => pullCalls(pod, load, nowMs));
  let tokens = burst;
  let lastMs = -Infinity;
  for (const { atMs, pulls } of calls.sort((a, b) => a.atMs - b.atMs)) {
    tokens = Math.min(burst, tokens + ((atMs - lastMs) / 1000) * qps) - pulls;
    lastMs = atMs;
  }
  return Math.min(burst, tokens + ((nowMs - lastMs) / 1000) * qps);
}

function pullCalls(pod: PodFacts, { facts, entry }: NodeLoad, nowMs: number) {
  const missing = pod.shape.images.filter((image) => !facts.images.has(image) && !entry.startedImages.has(image));
  return { atMs: pod.scheduledAtMs ?? pod.reservation?.atMs ?? nowMs, pulls: missing.length };
}

function cpuBusy(load: NodeLoad): Hold | undefined {
  const { sample, facts } = load;
  if (sample?.cpuPressure !== undefined) {
    if (sample.cpuPressure < CPU_BUSY_PRESSURE) return undefined;
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
