/** A note about pending pods for which no node that is here will do, whatever Paceline does. */
import { lackingResource, placementUnfitReason } from "../../core/placement/fit.ts";
import type { ClusterFacts, NodeSeen, PendingPod } from "../facts.ts";
import { type Finding, many, someOf } from "../finding-codes.ts";

/** A pod that has waited for less may get a node of an autoscaler yet, ms. Assumed. */
const PENDING_MS = 300_000;

export function findStrandedPods({ pods, nodes, nowMs }: ClusterFacts): Finding[] {
  if (nodes === undefined || nodes.length === 0) return [];
  const known = new Map<string, string | undefined>();
  const whyNot = (pod: PendingPod) => {
    if (pod.missingClaim !== undefined) return "their volume claims do not exist";
    const { nodeSelector, affinityTerms, requests } = pod.shape;
    const key = JSON.stringify([nodeSelector, affinityTerms, requests, pod.pinnedTo]);
    if (!known.has(key)) known.set(key, unfitEverywhere(pod, nodes));
    return known.get(key);
  };
  const old = (pods?.pending ?? []).filter(({ createdMs }) => nowMs - createdMs > PENDING_MS);
  const reasons = Map.groupBy(old, whyNot);
  return [...reasons].flatMap(([why, same]) =>
    why === undefined
      ? []
      : {
          code: "PodsFitNoNode",
          severity: "note",
          about: someOf(
            "Pod",
            same.map(({ name }) => name),
          ),
          seen: `${many(same.length, "pod")} pending for more than 5 min, and ${why}.`,
          change: "Nothing, if nodes for them are still to come. Otherwise correct or delete them.",
        },
  );
}

/** Taints, cordons and what other pods take do not count: they pass. */
function unfitEverywhere(pod: PendingPod, nodes: readonly NodeSeen[]): string | undefined {
  const empty = nodes.map((node) => ({ ...node, images: new Map(), taints: [], unschedulable: false }));
  const allowed = empty.filter((node) => placementUnfitReason(pod, node, false) === undefined);
  if (allowed.length === 0) return "no node has the labels that they select";
  const lacking = allowed.map(({ allocatable }) => lackingResource(pod.shape.requests, allocatable));
  return lacking.includes(undefined)
    ? undefined
    : `they ask for more ${lacking[0] ?? ""} than any node has that they select`;
}
