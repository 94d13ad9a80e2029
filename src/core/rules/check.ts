/** What a start check looks at, and how it answers. */
import type { HoldReason } from "../../api/reasons.ts";
import type { NodeName } from "../ids.ts";
import type { Cost, NodeLoad } from "../state/load.ts";
import type { Hold } from "../verdict.ts";

/** What is known beyond the node and the pod. */
export interface StartContext {
  /** Pods of the whole cluster that were released to nodes and are not bound yet. */
  readonly onTheirWay: number;
  /** Waiting pods that would fetch an image to the node, this one included. */
  readonly fetchersWaiting: number;
  /** A node that would have the pod's images sooner. */
  readonly betterNode: NodeName | undefined;
}

/** One pod that may start on one node. */
export interface StartInput {
  readonly load: NodeLoad;
  /** What the pod would add to the node. */
  readonly cost: Cost;
  readonly nowMs: number;
  readonly context: StartContext;
}

/** Why the pod must wait, or undefined where it passes. */
export type StartCheck = (input: StartInput) => Hold | undefined;

/** Holds a pod back from the node of `load`. */
export const holdBack = ({ facts }: NodeLoad, reason: HoldReason, message: string): Hold => ({
  kind: "hold",
  reason,
  message,
  node: facts.name,
});
