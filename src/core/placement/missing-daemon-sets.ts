/** Which DaemonSets a node still lacks a pod of. */
import type { DaemonSetFacts, PodFacts } from "../facts.ts";
import type { ClusterState } from "../state/cluster-state.ts";
import { daemonSetKey } from "../state/daemon-sets.ts";
import { placementUnfitReason } from "./fit.ts";
import type { KnownNode } from "./known-node.ts";

/**
 * DaemonSets that are to have a pod on the node, by labels and taints without the fence, and have none there yet: no
 * bound one, and none that waits for this node. Empty while DaemonSets are not known.
 */
export function missingDaemonSets(state: ClusterState, { entry, facts }: KnownNode): readonly DaemonSetFacts[] {
  const missing: DaemonSetFacts[] = [];
  let present: ReadonlySet<string> | undefined;
  for (const [key, daemonSet] of state.daemonSets.all()) {
    if (placementUnfitReason(daemonSet, facts, true) !== undefined) continue;
    present ??= daemonSetsOn(state, entry);
    if (!present.has(key)) missing.push(daemonSet);
  }
  return missing;
}

function daemonSetsOn({ ledger }: ClusterState, { name, shapes }: KnownNode["entry"]): ReadonlySet<string> {
  const waiting: PodFacts[] = [...ledger.gated.pinnedTo(name), ...ledger.pending.pinnedTo(name)];
  const keys = new Set<string>();
  for (const shape of [...shapes.keys(), ...waiting.map((pod) => pod.shape)]) {
    if (shape.ownerKind === "DaemonSet") keys.add(daemonSetKey(shape.namespace, shape.ownerName));
  }
  return keys;
}
