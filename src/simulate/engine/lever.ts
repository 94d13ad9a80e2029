/** A strategy, as the simulated cluster sees it: the calls that it gets, and the decisions that it makes. */
import type { NodeFacts, NodeSample } from "../../core/facts.ts";
import type { SimNode } from "./node.ts";
import type { SimPod, WorkloadPlan } from "./pod.ts";

export interface Lever {
  /**
   * True if the strategy binds pods itself, in the time that kube-scheduler takes. Otherwise kube-scheduler chooses the
   * nodes.
   */
  readonly binds: boolean;
  /** True if it holds pods. */
  readonly holds: boolean;
  /** A pod is being created. The strategy may hold it (gate, hold). */
  podAdmission(pod: SimPod): void;
  /** A Node is being created. Returns the fence it shall get, if any. */
  nodeAdmission(node: SimNode): NodeFacts["fence"];
  /** The API server's object has changed. The strategy's own writes are reported, too. */
  podChanged(pod: SimPod): void;
  nodeChanged(node: SimNode): void;
  /** A DaemonSet is created: before its pods. */
  daemonSetCreated?(workload: WorkloadPlan): void;
  /** Nodes whose telemetry it needs now; undefined: none. */
  readonly sampled?: (() => readonly SimNode[]) | undefined;
  sampleTaken?(node: SimNode, sample: NodeSample): void;
  /** The node's current startup slots; undefined if there is no limit. */
  limitOf(node: SimNode): number | undefined;
}

/** `none`: every pod that fits is bound at once. */
export function noLever(): Lever {
  return {
    binds: false,
    holds: false,
    podAdmission: () => undefined,
    nodeAdmission: () => undefined,
    podChanged: () => undefined,
    nodeChanged: () => undefined,
    limitOf: () => undefined,
  };
}
