/**
 * The lower bound of a run: the least time that each node needs for the pods that ended there. No order makes a
 * resource finish its work earlier. The disk writes every new image once (blob and unpacked layers, less the bytes that
 * no start waits for). The cores unpack and start. The registry and the pull budget deliver. Then the last pod still
 * needs its own start.
 */
import { assumedDefaults, type Assumptions, GIB, MIB } from "../model/constants.ts";
import { imageSize, type ImageSize } from "../model/image-size.ts";
import { imagesOf } from "../scenario/images-of.ts";
import { deviceBytesPerSecond, dirtyThresholds } from "../model/node-model.ts";
import { MAX_CONCURRENT_DOWNLOADS, PLEG_RELIST_MS } from "../model/constants.ts";
import type { Scenario, ScenarioNodes, ScenarioWorkload } from "../scenario/schema.ts";

export type Resource = "disk" | "cpu" | "registry" | "pullQPS" | "serialPulls" | "longestPod";

export interface NodeBound {
  /** Seconds since the beginning (the earliest moment at which work could start). */
  readonly seconds: number;
  readonly binds: Resource;
}

/** A pod that ended on the node, and the second from which work on it was possible. */
export interface BoundPod {
  readonly releasedSeconds: number;
  readonly workload: ScenarioWorkload;
}

export interface BoundInput {
  readonly scenario: Scenario;
  readonly node: ScenarioNodes;
  readonly pods: readonly BoundPod[];
  readonly assumptions?: Partial<Assumptions> | undefined;
}

/** The bound of one node; 0 seconds if no pod ended there. */
export function nodeBound({ scenario, node, pods, assumptions }: BoundInput): NodeBound {
  const sums = new Sums(scenario, node, { ...assumedDefaults, ...assumptions });
  const releases = [...new Set(pods.map((pod) => pod.releasedSeconds))].sort((a, b) => a - b);
  let best: NodeBound = { seconds: 0, binds: "longestPod" };
  for (const since of releases) {
    const early = pods.filter((pod) => pod.releasedSeconds < since).flatMap((pod) => imagesOf(pod.workload));
    const late = pods.filter((pod) => pod.releasedSeconds >= since);
    const own = late.reduce((least, pod) => Math.min(least, sums.ownStart(pod.workload)), Infinity);
    for (const [binds, seconds] of sums.resources(late, new Set([...node.present, ...early]))) {
      if (seconds === 0) continue;
      const total = since + seconds + (binds === "cpu" || binds === "longestPod" ? 0 : own);
      if (total > best.seconds) best = { seconds: total, binds };
    }
  }
  return best;
}

class Sums {
  readonly #scenario: Scenario;
  readonly #node: ScenarioNodes;
  readonly #assumed: Assumptions;
  readonly #sizes: ReadonlyMap<string, ImageSize>;

  constructor(scenario: Scenario, node: ScenarioNodes, assumed: Assumptions) {
    this.#scenario = scenario;
    this.#node = node;
    this.#assumed = assumed;
    this.#sizes = new Map(scenario.images.map((image) => [image.name, imageSize(image, assumed)]));
  }

  /**
   * The time that a pod needs after its last image has arrived, alone on the node: create, start, be seen by the
   * kubelet, work, become ready.
   */
  ownStart(workload: ScenarioWorkload): number {
    const { createCpuSeconds, startCpuSeconds: shim, noticeMs } = this.#assumed;
    const { startCpuSeconds, startupProbeSeconds, readySeconds } = workload;
    const noticed = Math.max(noticeMs / 1_000, startCpuSeconds + startupProbeSeconds + readySeconds);
    return this.#beforeContainers(workload) + createCpuSeconds + shim + noticed;
  }

  /** Volumes, then init containers. A wait for another pod is left out, which makes the bound no higher. */
  #beforeContainers({ attachSeconds, initContainers }: ScenarioWorkload): number {
    const { createCpuSeconds, startCpuSeconds: shim } = this.#assumed;
    const ownSeconds = (runSeconds: number) => createCpuSeconds + shim + runSeconds + PLEG_RELIST_MS / 1_000;
    return initContainers.reduce((sum, one) => sum + ownSeconds(one.runSeconds), attachSeconds);
  }

  /** The least seconds that each resource is busy for these pods. Images in `there` cost nothing. */
  *resources(pods: readonly BoundPod[], there: ReadonlySet<string>): Generator<readonly [Resource, number]> {
    const { kubelet, registry } = this.#scenario;
    const images = [...new Set(pods.flatMap((pod) => imagesOf(pod.workload)))].filter((name) => !there.has(name));
    const sizes = images.map((name) => this.#size(name));
    const sum = (of: (size: ImageSize) => number) => sizes.reduce((total, size) => total + of(size), 0);
    const toWrite = sum((size) => size.diskBytes) - this.#neverAwaitedBytes();
    yield ["disk", Math.max(0, toWrite) / deviceBytesPerSecond(this.#node.disk, this.#assumed)];
    yield [
      "cpu",
      this.#coreSeconds(
        pods,
        sum((size) => size.unpackedBytes),
      ) / this.#node.cpu,
    ];
    yield ["registry", sum((size) => size.compressedBytes) / (registry.mibPerSecond * MIB)];
    const { registryPullQPS: qps, registryBurst: burst } = kubelet;
    if (qps > 0) yield ["pullQPS", Math.max(0, images.length - burst) / qps];
    if (kubelet.serializeImagePulls) yield ["serialPulls", sum((size) => this.#pullAlone(size))];
    const alone = pods.map(({ workload }) => this.#alone(workload, there));
    yield ["longestPod", alone.reduce((most, one) => Math.max(most, one), 0)];
  }

  /** Bytes that may still be dirty when the last pod is Ready: none if each container's start flushes everything. */
  #neverAwaitedBytes(): number {
    const { flushes } = this.#scenario.runtime;
    if (flushes === "file-system") return 0;
    return dirtyThresholds(flushes, this.#node.memoryGib * GIB, this.#assumed).dirtyLimitBytes;
  }

  #size(name: string): ImageSize {
    return this.#sizes.get(name) ?? imageSize(undefined, this.#assumed);
  }

  #coreSeconds(pods: readonly BoundPod[], unpackedBytes: number): number {
    const { unpackMibPerSecondPerCore, createCpuSeconds, startCpuSeconds, sandboxCpuSeconds } = this.#assumed;
    const perContainer = createCpuSeconds + startCpuSeconds;
    const perPod = pods.map(
      ({ workload }) =>
        sandboxCpuSeconds +
        workload.initContainers.length * perContainer +
        workload.images.length * (perContainer + workload.startCpuSeconds),
    );
    return perPod.reduce((total, one) => total + one, 0) + unpackedBytes / (unpackMibPerSecondPerCore * MIB);
  }

  /** The time for one image on an idle node with an infinitely fast disk. */
  #pullAlone({ layers, compressedBytes, unpackedBytes }: ImageSize): number {
    const { resolveMs, downloadMibPerSecond, unpackMibPerSecondPerCore } = this.#assumed;
    const parallel = Math.min(layers, MAX_CONCURRENT_DOWNLOADS) * downloadMibPerSecond;
    const download = compressedBytes / (Math.min(parallel, this.#scenario.registry.mibPerSecond) * MIB);
    return resolveMs / 1_000 + Math.max(download, unpackedBytes / (unpackMibPerSecondPerCore * MIB));
  }

  /** The time for one pod alone on the node: its images one after another, then its own start. */
  #alone(workload: ScenarioWorkload, there: ReadonlySet<string>): number {
    const missing = [...new Set(imagesOf(workload))].filter((name) => !there.has(name));
    const pulls = missing.reduce((total, name) => total + this.#pullAlone(this.#size(name)), 0);
    return pulls + this.ownStart(workload);
  }
}
