/** What a herd came to, recorded or simulated, in the same terms. */
import type { Herd } from "../recording/herd.ts";
import { readySecondsOf } from "../recording/herd.ts";
import { known, mean, quantile, type YoungFigures } from "../recording/herd-telemetry.ts";
import type { HerdScenario } from "../recording/herd-scenario.ts";
import type { Fingerprint as Told } from "../diagnose/classify/fingerprints.ts";
import { percentile } from "../simulate/engine/summary.ts";
import type { YoungSeries } from "../simulate/engine/series.ts";
import type { StrategyRun } from "../simulate/engine/strategy.ts";
import type { Fingerprint } from "../simulate/model/types.ts";
import type { Scenario } from "../simulate/scenario/schema.ts";

export interface WorkloadFigures {
  /** Index in the herd's scenario. */
  readonly workload: number;
  readonly pods: number;
  readonly p50ReadySeconds: number;
  readonly p95ReadySeconds: number;
}

/** Seconds count from when a pod existed and the herd's first node was open; for a DaemonSet's pod, its own node. */
export interface Figures {
  readonly pods: number;
  /** From the first node's opening until the last pod is Ready. */
  readonly allReadySeconds: number;
  readonly meanReadySeconds: number;
  readonly p50ReadySeconds: number;
  readonly p95ReadySeconds: number;
  readonly failedStarts: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly longestHoldSeconds: number;
  /** Pods that were not Ready in the end. */
  readonly notReady: number;
  /** The young nodes' disks; undefined where the run was not asked for them. */
  readonly young?: YoungFigures | undefined;
  readonly workloads: readonly WorkloadFigures[];
  /** When each pod was Ready, seconds from the first node's opening, ascending: for the chart. */
  readonly readyAtSeconds: readonly number[];
}

/** What was recorded. */
export function recordedFigures(herd: Herd, { workloads }: HerdScenario): Figures {
  const failures: Record<string, number> = {};
  for (const pod of herd.pods) {
    for (const [kind, count] of Object.entries(pod.failures)) failures[kind] = (failures[kind] ?? 0) + count;
  }
  return {
    ...timesOf(herd.pods.map((pod) => readySecondsOf(pod, herd))),
    allReadySeconds: (herd.endMs - herd.startMs) / 1_000,
    failedStarts: sum(Object.values(failures)),
    failures,
    readyAtSeconds: ascending(herd.pods.map(({ readyMs }) => Math.max(0, readyMs - herd.startMs) / 1_000)),
    longestHoldSeconds: 0,
    notReady: herd.leftOut.notReady,
    workloads: workloads.map(({ pods }, workload) =>
      workloadOf(
        workload,
        pods.map((pod) => readySecondsOf(pod, herd)),
      ),
    ),
  };
}

/** What a run of the herd's scenario gave. @throws Error where the run kept no pods' times */
export function simulatedFigures(run: StrategyRun, scenario: Scenario, herd: Herd, built: HerdScenario): Figures {
  const { result, pods } = run;
  if (pods === undefined) throw new Error("the run has no times of pods");
  const counted = pods.filter((pod) => wasRecorded(pod, herd, built));
  const lastSeconds = pods.reduce((last, { readySeconds = 0 }) => Math.max(last, readySeconds), 0);
  const secondsOf = ({ workload, node, createdSeconds, readySeconds = lastSeconds }: (typeof pods)[number]) => {
    const spec = scenario.workloads[workload];
    const joined = spec?.kind === "DaemonSet" ? (scenario.nodes[node ?? -1]?.joinSeconds ?? 0) : 0;
    const existed = spec?.kind === "DaemonSet" ? spec.createdSeconds : createdSeconds;
    return Math.max(0, readySeconds - Math.max(0, joined, existed));
  };
  const byWorkload = Map.groupBy(counted, ({ workload }) => workload);
  return {
    ...timesOf(counted.map(secondsOf)),
    allReadySeconds: counted.reduce((last, { readySeconds = lastSeconds }) => Math.max(last, readySeconds), 0),
    failedStarts: result.startErrors,
    failures: Object.fromEntries(
      Object.entries(result.failures).map(([kind, count]) => [names[kind as Fingerprint], count]),
    ),
    readyAtSeconds: ascending(counted.flatMap(({ readySeconds }) => readySeconds ?? [])),
    ...(run.series && { young: youngOf(run.series.young, lastSeconds) }),
    longestHoldSeconds: counted.reduce((most, { heldSeconds }) => Math.max(most, heldSeconds), 0),
    notReady: result.unreadyPods,
    workloads: built.workloads.map((_, workload) =>
      workloadOf(workload, (byWorkload.get(workload) ?? []).map(secondsOf)),
    ),
  };
}

/** Until the last pod is Ready, as recorded figures are. The model has no pressure figures over time. */
function youngOf({ seconds, awaitMs, busy }: YoungSeries, untilSeconds: number): YoungFigures {
  const meanwhile = <T>(values: readonly T[]) => values.filter((_, at) => (seconds[at] ?? Infinity) <= untilSeconds);
  return {
    awaitP95Ms: quantile(known(meanwhile(awaitMs)), 0.95),
    utilisationMean: mean(known(meanwhile(busy))),
  };
}

/**
 * A scenario gives a DaemonSet's pod to every node; on nodes that were there before it may have run for long, and then
 * no time of it was recorded.
 */
function wasRecorded(
  { workload, node }: { workload: number; node: number | undefined },
  herd: Herd,
  built: HerdScenario,
) {
  const own = built.workloads[workload];
  if (own?.isDaemonSet !== true || node === undefined) return true;
  const there = built.nodes[node];
  return !herd.settled.some(({ name }) => name === there?.name) || own.pods.some((pod) => pod.node === there?.name);
}

/** The mean of several runs that differ by chance alone; failures are those of the run in the middle. */
export function meanFigures(all: readonly Figures[]): Figures {
  const [first, ...more] = all;
  if (first === undefined) throw new Error("no run");
  if (more.length === 0) return first;
  const middle = [...all].sort((a, b) => a.failedStarts - b.failedStarts)[Math.floor(all.length / 2)] ?? first;
  const meanOf = (of: (figures: Figures) => number) => sum(all.map(of)) / all.length;
  const young = (of: (figures: YoungFigures) => number | undefined) =>
    mean(known(all.map((one) => one.young && of(one.young))));
  return {
    ...middle,
    allReadySeconds: meanOf((one) => one.allReadySeconds),
    meanReadySeconds: meanOf((one) => one.meanReadySeconds),
    p50ReadySeconds: meanOf((one) => one.p50ReadySeconds),
    p95ReadySeconds: meanOf((one) => one.p95ReadySeconds),
    longestHoldSeconds: Math.max(...all.map((one) => one.longestHoldSeconds)),
    ...(first.young && {
      young: {
        awaitP95Ms: young((one) => one.awaitP95Ms),
        utilisationMean: young((one) => one.utilisationMean),
      },
    }),
    notReady: Math.max(...all.map((one) => one.notReady)),
    workloads: first.workloads.map((workload, at) => ({
      ...workload,
      p50ReadySeconds: meanOf((one) => one.workloads[at]?.p50ReadySeconds ?? 0),
      p95ReadySeconds: meanOf((one) => one.workloads[at]?.p95ReadySeconds ?? 0),
    })),
  };
}

function timesOf(seconds: readonly number[]) {
  const sorted = ascending(seconds);
  return {
    pods: sorted.length,
    meanReadySeconds: sum(sorted) / Math.max(1, sorted.length),
    p50ReadySeconds: percentile(sorted, 0.5),
    p95ReadySeconds: percentile(sorted, 0.95),
  };
}

function workloadOf(workload: number, seconds: readonly number[]): WorkloadFigures {
  const { pods, p50ReadySeconds, p95ReadySeconds } = timesOf(seconds);
  return { workload, pods, p50ReadySeconds, p95ReadySeconds };
}

const ascending = (values: readonly number[]) => [...values].sort((a, b) => a - b);
const sum = (values: readonly number[]) => values.reduce((total, one) => total + one, 0);

/** The model's failures by the names of `paceline diagnose`. */
const names: Readonly<Record<Fingerprint, Told | "ProbeFailure" | "Crash">> = {
  StartError: "NamespacePathProc0",
  CreateTimeout: "OtherStartError",
  NameReserved: "ReservedContainerName",
  SandboxTimeout: "SandboxDeadline",
  PullQpsExceeded: "PullQPSExceeded",
  ProbeFailure: "ProbeFailure",
  Crash: "Crash",
};
