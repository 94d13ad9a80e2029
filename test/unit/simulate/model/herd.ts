/** Drives one modelled node: keeps at most a given number of pods in startup, oldest first, and measures the times. */
import { NodeModel } from "../../../../src/simulate/model/node-model.ts";
import { lastStatus } from "./one-node.ts";
import type { Fingerprint, ModelPod, NodeEvent, NodeModelOptions } from "../../../../src/simulate/model/types.ts";

export interface HerdResult {
  /** Seconds from the first pod until the last one is Ready. */
  readonly makespanSeconds: number;
  /** Seconds to Ready from the arrival of the herd. */
  readonly meanReadySeconds: number;
  readonly firstReadySeconds: number;
  readonly medianReadySeconds: number;
  /** Seconds from the binding to Ready, sorted. */
  readonly ownStartSeconds: readonly number[];
  readonly failures: Readonly<Partial<Record<Fingerprint, number>>>;
  readonly restarts: number;
  readonly peakDirtyBytes: number;
  readonly peakAwaitMs: number;
  readonly meanAwaitMs: number;
  readonly events: readonly NodeEvent[];
  readonly node: NodeModel;
}

/** Runs the pods on a node with at most `inStartup` of them starting at a time. */
export function runHerd(options: NodeModelOptions, pods: readonly ModelPod[], inStartup: number): HerdResult {
  const node = new NodeModel(options);
  const boundMs = new Map<string, number>();
  const readyMs = new Map<string, number>();
  const events: NodeEvent[] = [];
  let nowMs = options.startMs;
  let peakDirtyBytes = 0;
  let peakAwaitMs = 0;
  let awaitArea = 0;
  let waiting = 0;
  const admit = () => {
    while (waiting < pods.length && boundMs.size - readyMs.size < inStartup) {
      const pod = pods[waiting++];
      if (pod === undefined) return;
      boundMs.set(pod.uid, nowMs);
      node.addPod(pod, nowMs);
    }
  };
  admit();
  while (readyMs.size < pods.length) {
    const next = node.nextEventMs();
    if (next === undefined || next > options.startMs + 4 * 3_600_000) throw new Error("the herd never becomes ready");
    const counters = node.counters(nowMs);
    awaitArea += counters.awaitMs * (next - nowMs);
    nowMs = next;
    for (const event of node.advanceTo(nowMs)) {
      events.push(event);
      if (event.kind === "status" && event.status.ready && !readyMs.has(event.uid)) readyMs.set(event.uid, event.atMs);
    }
    const after = node.counters(nowMs);
    peakDirtyBytes = Math.max(peakDirtyBytes, after.memory.dirtyBytes + after.memory.writebackBytes);
    peakAwaitMs = Math.max(peakAwaitMs, after.awaitMs);
    admit();
  }
  return {
    ...summarise(options.startMs, pods, boundMs, readyMs, events),
    peakDirtyBytes,
    peakAwaitMs,
    meanAwaitMs: awaitArea / (nowMs - options.startMs),
    events,
    node,
  };
}

function summarise(
  startMs: number,
  pods: readonly ModelPod[],
  boundMs: ReadonlyMap<string, number>,
  readyMs: ReadonlyMap<string, number>,
  events: readonly NodeEvent[],
) {
  const seconds = [...readyMs.values()].map((ms) => (ms - startMs) / 1_000).sort((a, b) => a - b);
  const own = [...readyMs].map(([uid, ms]) => (ms - (boundMs.get(uid) ?? 0)) / 1_000).sort((a, b) => a - b);
  const failures: Partial<Record<Fingerprint, number>> = {};
  for (const event of events) {
    if (event.kind === "failure") failures[event.fingerprint] = (failures[event.fingerprint] ?? 0) + 1;
  }
  const views = pods.flatMap((pod) => lastStatus(events, pod.uid)?.containers ?? []);
  return {
    makespanSeconds: seconds.at(-1) ?? 0,
    meanReadySeconds: seconds.reduce((sum, value) => sum + value, 0) / seconds.length,
    firstReadySeconds: seconds[0] ?? 0,
    medianReadySeconds: seconds[Math.floor(seconds.length / 2)] ?? 0,
    ownStartSeconds: own,
    failures,
    restarts: views.reduce((sum, view) => sum + view.restartCount, 0),
  };
}
