/** A strategy, as the simulated cluster sees it: where it may take part, and what it is told. */
import type { NodeFacts, NodeSample } from "../../core/facts.ts";
import type { SimNode } from "./node.ts";
import type { SimPod } from "./pod.ts";

export interface Lever {
  /** It says which pod goes to which node, with the time that kube-scheduler takes; otherwise kube-scheduler chooses. */
  readonly binds: boolean;
  /** It keeps pods back. */
  readonly holds: boolean;
  /** A pod is being created: may hold it back (gate, hold). */
  podAdmission(pod: SimPod): void;
  /** A Node is being created: the fence it is to carry, if any. */
  nodeAdmission(node: SimNode): NodeFacts["fence"];
  /** The API server's object has changed (the strategy's own writes included). */
  podChanged(pod: SimPod): void;
  nodeChanged(node: SimNode): void;
  /** Nodes whose telemetry it wants now; undefined: none at all. */
  readonly sampled?: (() => readonly SimNode[]) | undefined;
  sampleTaken?(node: SimNode, sample: NodeSample): void;
  /** Startup slots of a node now; undefined where there is no limit. */
  limitOf(node: SimNode): number | undefined;
}

/** `none`: whatever fits is bound at once. */
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
