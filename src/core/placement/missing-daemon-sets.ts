/** Which DaemonSets a node still lacks a pod of. */
import type { DaemonSetFacts, NodeFacts, PodShape } from "../facts.ts";
import type { ClusterState } from "../state/cluster-state.ts";
import { type DaemonSets, daemonSetKey } from "../state/daemon-sets.ts";
import { placementUnfitReason } from "./fit.ts";
import type { KnownNode } from "./known-node.ts";

/**
 * DaemonSets that are to have a pod on the node, by labels and taints without the fence, and have none there yet: no
 * bound one, and none that waits for this node. Empty while DaemonSets are not known.
 */
export function missingDaemonSets(state: ClusterState, { entry, facts }: KnownNode): readonly DaemonSetFacts[] {
  const wanted = wantedOn(facts, state.daemonSets);
  if (wanted.size === 0) return [];
  const missing = new Map(wanted);
  const { gated, pending } = state.ledger;
  for (const shape of entry.shapes.keys()) strike(missing, shape);
  for (const { shape } of gated.pinnedTo(facts.name)) strike(missing, shape);
  for (const { shape } of pending.pinnedTo(facts.name)) strike(missing, shape);
  return [...missing.values()];
}

function strike(missing: Map<string, DaemonSetFacts>, { ownerKind, ownerName, namespace }: PodShape): void {
  if (ownerKind === "DaemonSet") missing.delete(daemonSetKey(namespace, ownerName));
}

/** By its key. Found once for each state of a node: hundreds of young nodes are asked in every plan. */
interface Wanted {
  readonly generation: number;
  readonly daemonSets: ReadonlyMap<string, DaemonSetFacts>;
}
const remembered = new WeakMap<DaemonSets, WeakMap<NodeFacts, Wanted>>();

function wantedOn(node: NodeFacts, all: DaemonSets): ReadonlyMap<string, DaemonSetFacts> {
  let byNode = remembered.get(all);
  if (!byNode) remembered.set(all, (byNode = new WeakMap()));
  const known = byNode.get(node);
  if (known?.generation === all.generation) return known.daemonSets;
  const daemonSets = new Map([...all.all()].filter(([, one]) => placementUnfitReason(one, node, true) === undefined));
  byNode.set(node, { generation: all.generation, daemonSets });
  return daemonSets;
}
