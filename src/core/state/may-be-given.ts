/**
 * Can a reservation be Paceline's? Any tenant can write one, so it is believed no further than that: a pod
 * that was given the node fits it by all that does not change.
 */
import type { NodeFacts, PodFacts } from "../facts.ts";
import { lackingResource, placementUnfitReason, type UnfitReason } from "../placement/fit.ts";

/** Taints and cordons come and go, also while a pod is on its way. */
const LASTING: ReadonlySet<UnfitReason | undefined> = new Set(["OtherNode", "NodeSelector", "NodeAffinity"] as const);

/**
 * Could the leader have let the pod go to the node, were that empty? It lets a pod that has gates of others go nowhere,
 * and nothing adds a gate later.
 */
export const mayBeGiven = (pod: PodFacts, node: NodeFacts): boolean =>
  !pod.gatedByOthers &&
  lackingResource(pod.shape.requests, node.allocatable) === undefined &&
  !LASTING.has(placementUnfitReason(pod, node, true));
