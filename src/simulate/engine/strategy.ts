/** The strategies that are compared, and the result of one. */
import type { PacingPolicy } from "../../policy/schema.ts";
import type { Assumptions } from "../model/constants.ts";
import type { Fingerprint } from "../model/types.ts";
import type { Scenario } from "../scenario/schema.ts";
import type { Series } from "./series.ts";

export type Strategy =
  | { readonly kind: "none" }
  | { readonly kind: "fixed"; readonly slots: number }
  | { readonly kind: "paceline"; readonly policy: PacingPolicy };

/**
 * The result of a strategy. Times to Ready count from when the pod existed and some node was Ready, and those of a
 * DaemonSet's pod from its own node's Ready.
 */
export interface StrategyResult {
  /** From the first moment at which a pod existed and a node was Ready, until the last pod is Ready. */
  readonly makespanSeconds: number;
  readonly boundSeconds: number;
  /** The resource that sets the bound. */
  readonly boundBy: string;
  readonly ratioToBound: number;
  /** All failed starts. Containers that crash by themselves do not count. */
  readonly startErrors: number;
  readonly failures: Readonly<Partial<Record<Fingerprint, number>>>;
  readonly restarts: number;
  readonly meanReadySeconds: number;
  readonly p50ReadySeconds: number;
  readonly p95ReadySeconds: number;
  readonly p99ReadySeconds: number;
  /** From a node's Ready until its slowest DaemonSet pod is Ready; 0 without DaemonSets. */
  readonly slowestDaemonSetSeconds: number;
  /** The most pods that were in startup on one node. */
  readonly peakInStartup: number;
  readonly peakAwaitMs: number;
  readonly longestHoldSeconds: number;
  /** Pods that were not Ready at the end; 0 in a complete run. */
  readonly unreadyPods: number;
  /** Those of them that no strategy can make Ready (a missing Secret); left out if 0. No time counts them. */
  readonly neverReadyPods?: number;
  readonly pods: number;
  readonly nodesAdded: number;
}

/** How a workload's pods fared. Seconds count as in {@link StrategyResult}. */
export interface WorkloadReady {
  readonly name: string;
  readonly pods: number;
  /** Pods that became Ready. */
  readonly ready: number;
  /** Until its first pod was bound; undefined if none was. */
  readonly firstBoundSeconds: number | undefined;
  /** Undefined if none became Ready. */
  readonly firstReadySeconds: number | undefined;
  readonly meanReadySeconds: number | undefined;
}

/** The course of one pod, in seconds of the scenario's clock; undefined is what did not happen. */
export interface PodTimes {
  /** Index of its workload, and of its node. */
  readonly workload: number;
  readonly node: number | undefined;
  readonly createdSeconds: number;
  readonly boundSeconds: number | undefined;
  readonly readySeconds: number | undefined;
  /** For how long it was held while a node was there. */
  readonly heldSeconds: number;
}

export interface StrategyRun {
  readonly result: StrategyResult;
  /** Every pod, in the order of creation, if it was asked for. */
  readonly pods?: readonly PodTimes[];
  /** Seconds to Ready of every pod, ascending. */
  readonly readySeconds: readonly number[];
  readonly workloads: readonly WorkloadReady[];
  readonly series: Series | undefined;
}

export interface RunOptions {
  readonly scenario: Scenario;
  readonly strategy: Strategy;
  readonly seed: number;
  /** If true, figures over time are recorded, too. */
  readonly series?: boolean | undefined;
  readonly assumptions?: Partial<Assumptions> | undefined;
  /** If true, the times of every pod are kept, too. */
  readonly podTimes?: boolean | undefined;
}
