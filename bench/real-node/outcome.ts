/** Computes the outcome of a round from what was observed. Pure. */
import type { FailureKind } from "../../dev/demo/failures.ts";
import type { DiskLook } from "./sampler.ts";
import type { Strategy } from "./settings.ts";

export interface Outcome {
  readonly setting: string;
  readonly strategy: Strategy;
  readonly round: number;
  /** Pods that were Ready in time. The other figures are fair only if all were. */
  readonly readyPods: number;
  /** Seconds from when the node was Ready. */
  readonly firstReady: number;
  readonly halfReady: number;
  readonly ninetyReady: number;
  readonly allReady: number;
  readonly meanReady: number;
  /** Failed starts without `pull QPS exceeded`, which has nothing to do with the disk. */
  readonly failedStarts: number;
  readonly pullQpsExceeded: number;
  readonly byFingerprint: Readonly<Partial<Record<FailureKind, number>>>;
  /** Lines of containerd's log about starts that were given up. */
  readonly containerdErrors: Readonly<Record<string, number>>;
  readonly restarts: number;
  readonly awaitP50Ms: number;
  readonly awaitP95Ms: number;
  readonly utilisation: number;
  readonly peakDirtyMb: number;
  readonly writtenMb: number;
  readonly peakInStartup: number;
  readonly looks: readonly DiskLook[];
}

/** The value below which `share` of the values lie (nearest rank); NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle) - 1] ?? NaN)) / 2;
};

/** Fingerprints in containerd's log, each a phrase of a line at level error. */
const PHRASES = {
  "CreateContainer deadline": /level=error.*CreateContainer.*(deadline exceeded|context canceled)/,
  "reserved name": /level=error.*failed to reserve container name/,
  "RunPodSandbox failed": /level=error.*RunPodSandbox.*failed/,
  "StartContainer failed": /level=error.*StartContainer.*failed/,
  "PullImage failed": /level=error.*PullImage.*failed/,
} as const;

/** How often each phrase occurs; others are left out. */
export function containerdErrors(log: string): Record<string, number> {
  const lines = log.split("\n");
  const counts = Object.entries(PHRASES).map(([name, phrase]) => [name, lines.filter((l) => phrase.test(l)).length]);
  return Object.fromEntries(counts.filter(([, count]) => Number(count) > 0)) as Record<string, number>;
}

export interface Observed {
  readonly setting: string;
  readonly strategy: Strategy;
  readonly round: number;
  /** Seconds from when the node was Ready, of each pod that became Ready. */
  readonly readySeconds: readonly number[];
  readonly pods: number;
  readonly byFingerprint: Readonly<Partial<Record<FailureKind, number>>>;
  readonly containerdLog: string;
  readonly restarts: number;
  readonly peakInStartup: number;
  readonly looks: readonly DiskLook[];
}

export function outcomeOf(observed: Observed): Outcome {
  const { setting, strategy, round, readySeconds, pods, byFingerprint, restarts, peakInStartup, looks } = observed;
  const never = Array.from({ length: pods - readySeconds.length }, () => Number.POSITIVE_INFINITY);
  const all = [...readySeconds, ...never];
  const pullQpsExceeded = byFingerprint.PullQPSExceeded ?? 0;
  const awaits = looks.flatMap(({ awaitMs }) => (awaitMs === undefined ? [] : [awaitMs]));
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    setting,
    strategy,
    round,
    byFingerprint,
    pullQpsExceeded,
    restarts,
    peakInStartup,
    looks,
    readyPods: readySeconds.length,
    firstReady: Math.min(...all),
    halfReady: percentile(all, 0.5),
    ninetyReady: percentile(all, 0.9),
    allReady: Math.max(...all),
    meanReady: mean(all),
    failedStarts: Object.values(byFingerprint).reduce((sum, count) => sum + count, 0) - pullQpsExceeded,
    containerdErrors: containerdErrors(observed.containerdLog),
    awaitP50Ms: percentile(awaits, 0.5),
    awaitP95Ms: percentile(awaits, 0.95),
    utilisation: mean(looks.map((look) => look.utilisation)),
    peakDirtyMb: Math.max(0, ...looks.map(({ dirtyBytes }) => dirtyBytes)) / 1e6,
    writtenMb: looks.reduce((sum, { writtenBytes }) => sum + writtenBytes, 0) / 1e6,
  };
}
