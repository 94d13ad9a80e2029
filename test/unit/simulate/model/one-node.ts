/** A node with figures that are easy to calculate with, and helpers to run it. */
import { assumedDefaults, GIB } from "../../../../src/simulate/model/constants.ts";
import { NodeModel } from "../../../../src/simulate/model/node-model.ts";
import type { Capacity } from "../../../../src/simulate/model/rates.ts";
import type { ModelPod, NodeEvent, NodeModelOptions, PodView } from "../../../../src/simulate/model/types.ts";

/** All small durations are zero, so that only the figures of a test count. */
export const nothingSmall = {
  ...assumedDefaults,
  resolveMs: 0,
  sandboxCpuSeconds: 0,
  sandboxSyncOps: 0,
  createCpuSeconds: 0,
  createWriteMib: 0,
  startCpuSeconds: 0,
  shimIoMib: 0,
  coldReadMib: 0,
  noticeMs: 0,
};

/**
 * 100 MiB/s, 16 GiB, 4 cores, a registry of 200 MiB/s (per layer, too), unpacking at 400 MiB/s per core, parallel
 * pulls.
 */
export function plainNode(options: Partial<NodeModelOptions> = {}): NodeModel {
  const { assumptions, kubelet, ...rest } = options;
  return new NodeModel({
    startMs: 0,
    random: () => 0.5,
    disk: { mibPerSecond: 100, iops: 100_000 },
    memoryBytes: 16 * GIB,
    registryMibPerSecond: 200,
    kubelet: { serializeImagePulls: false, ...kubelet },
    assumptions: {
      ...nothingSmall,
      downloadMibPerSecond: 200,
      unpackMibPerSecondPerCore: 400,
      memoryMibPerSecond: 1_000_000,
      flushShare: 1,
      ...assumptions,
    },
    ...rest,
  });
}

export const podOf = (name: string, image: string, more: Partial<ModelPod> = {}): ModelPod => ({
  uid: `uid-${name}`,
  namespace: "default",
  name,
  containers: [{ name: "main", image }],
  ...more,
});

export interface Run {
  readonly events: readonly NodeEvent[];
  readonly readySeconds: (name: string) => number | undefined;
  readonly messages: (name: string) => readonly string[];
  readonly view: (name: string) => PodView | undefined;
}

/** Runs the node until `seconds`, or until nothing more happens, and collects its events. */
export function run(node: NodeModel, seconds = 3_600): Run {
  const events: NodeEvent[] = [];
  for (let next = node.nextEventMs(); next !== undefined && next <= seconds * 1_000; next = node.nextEventMs()) {
    events.push(...node.advanceTo(next));
  }
  return {
    events,
    readySeconds: (name) => {
      const ready = events.find(
        (event) => event.kind === "status" && event.uid === `uid-${name}` && event.status.ready,
      );
      return ready === undefined ? undefined : Math.round(ready.atMs) / 1_000;
    },
    messages: (name) =>
      events.flatMap((event) =>
        event.kind === "event" && event.uid === `uid-${name}` ? [`${event.reason}: ${event.message}`] : [],
      ),
    view: (name) => lastStatus(events, `uid-${name}`),
  };
}

/** The kubelet's last status of a pod. */
export function lastStatus(events: readonly NodeEvent[], uid: string): PodView | undefined {
  const last = events.findLast((event) => event.kind === "status" && event.uid === uid);
  return last?.kind === "status" ? last.status : undefined;
}

/** Number of failures of one kind. */
export const failuresOf = (events: readonly NodeEvent[], fingerprint: string): number =>
  events.filter((event) => event.kind === "failure" && event.fingerprint === fingerprint).length;

/** 100 bytes per ms to the disk, 1,000 into the page cache. */
export const plainCapacity: Capacity = {
  writePerMs: 100,
  readPerMs: undefined,
  requestBytes: 1_000,
  idleAwaitMs: 1,
  writebackQueue: 20,
  queuePerWaiter: 2,
  maxQueue: 100,
  flushShare: 0.8,
  dirtyLimitBytes: 10_000,
  backgroundBytes: 0,
  memoryPerMs: 1_000,
  unpackPerMs: 60,
  registryPerMs: 300,
  downloadPerMs: 80,
  cores: 2,
};
