/** Runs one scenario under one strategy, and sums up the result. */
import { imageName, type ImageName } from "../../core/ids.ts";
import { assumedDefaults, type Assumptions } from "../model/constants.ts";
import { imageSize } from "../model/image-size.ts";
import type { Scenario } from "../scenario/schema.ts";
import { Autoscaler } from "./autoscaler.ts";
import { Cluster } from "./cluster.ts";
import { engineDefaults } from "./assumptions.ts";
import { FixedLever } from "./fixed.ts";
import { type Lever, noLever } from "./lever.ts";
import { PacelineLever } from "./paceline.ts";
import { summarise } from "./summary.ts";
import { sampleOf } from "./telemetry.ts";
import { SeriesRecorder } from "./series.ts";
import type { PodTimes, RunOptions, Strategy, StrategyRun } from "./strategy.ts";

/** Deterministic: equal options give equal results. */
export function runStrategy(options: RunOptions): StrategyRun {
  const { scenario, strategy, seed, assumptions } = options;
  const cluster = new Cluster({ scenario, seed, assumptions, lever: (one) => leverFor(options, one) });
  const autoscaler = scenario.autoscaler ? new Autoscaler(cluster, scenario.autoscaler) : undefined;
  if (scenario.telemetry !== "none" && cluster.lever.sampled) takeSamples(cluster, telemetryInterval(strategy));
  const series = options.series === true ? new SeriesRecorder(cluster) : undefined;
  const giveUpMs = lastArrivalMs(scenario) + engineDefaults.horizonMs;
  while (cluster.unfinished && cluster.agenda.step(giveUpMs));
  const { startMs, ...summary } = summarise(cluster, assumptions, autoscaler?.added ?? 0);
  return { ...summary, series: series?.since(startMs), ...(options.podTimes === true && { pods: podTimes(cluster) }) };
}

function podTimes(cluster: Cluster): readonly PodTimes[] {
  const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1_000);
  const { nowMs } = cluster.agenda;
  return cluster.pods.map((pod) => ({
    workload: pod.workload.index,
    node: pod.node?.index,
    createdSeconds: pod.createdMs / 1_000,
    boundSeconds: seconds(pod.boundMs),
    readySeconds: seconds(pod.readyMs),
    heldSeconds: cluster.lever.holds ? Math.max(0, (pod.letGoMs ?? nowMs) - Math.max(0, pod.createdMs)) / 1_000 : 0,
  }));
}

function leverFor({ strategy, scenario, assumptions }: RunOptions, cluster: Cluster): Lever {
  switch (strategy.kind) {
    case "none":
      return noLever();
    case "fixed":
      return new FixedLever(cluster, strategy.slots);
    case "paceline":
      return new PacelineLever(cluster, strategy.policy, knownImages(scenario, { ...assumedDefaults, ...assumptions }));
    default:
      return strategy satisfies never;
  }
}

/** As kubelets list them. */
function knownImages({ images }: Scenario, assumptions: Assumptions): ReadonlyMap<ImageName, number> {
  const known = images.filter((image) => image.known);
  return new Map(
    known.map((image) => [imageName(image.name), Math.round(imageSize(image, assumptions).compressedBytes)]),
  );
}

/** The interval for a policy with another source, which the simulation does not model: node-exporter's default. */
const OTHER_INTERVAL_MS = 1_500;

function telemetryInterval(strategy: Strategy): number {
  if (strategy.kind !== "paceline" || !("intervalMs" in strategy.policy.telemetry)) return OTHER_INTERVAL_MS;
  return strategy.policy.telemetry.intervalMs;
}

/** A round of scrapes at each interval. */
function takeSamples(cluster: Cluster, intervalMs: number): void {
  const { agenda, lever } = cluster;
  const round = () => {
    for (const node of lever.sampled?.() ?? []) {
      const reading = { atMs: agenda.nowMs, counters: node.model.counters(agenda.nowMs) };
      lever.sampleTaken?.(node, sampleOf(reading, node.lastCounters));
      node.lastCounters = reading;
    }
    if (cluster.unfinished) agenda.after(intervalMs, round);
  };
  agenda.after(intervalMs * cluster.random(), round);
}

function lastArrivalMs({ nodes, workloads }: Scenario): number {
  const times = [
    ...nodes.map(({ joinSeconds, devices }) => joinSeconds + (devices?.afterSeconds ?? 0)),
    ...nodes.map(({ cordon }) => cordon?.untilSeconds ?? 0),
    ...nodes.map(({ reboot }) => (reboot ? reboot.atSeconds + reboot.downSeconds : 0)),
    ...workloads.map((workload) => workload.createdSeconds),
  ];
  return 1_000 * times.reduce((most, one) => Math.max(most, one), 0);
}
