/**
 * Pods that were let go to a node, and that the scheduler has not taken there by the time that it had. They have no
 * gate any more, so when the reason ends (a volume comes, a scheduler is back) they all start at once.
 */
import type { NodeFacts, PodFacts } from "../facts.ts";
import { nodesOf } from "../state/ledger.ts";
import type { ClusterState } from "../state/cluster-state.ts";
import { hasReservation } from "../state/reservations.ts";

export class InVain {
  readonly #state: ClusterState;
  readonly #nowMs: number;
  #byNamespace: Map<string, readonly PodFacts[]> | undefined;
  /** By namespace, then by node: asked for each candidate. */
  readonly #at = new Map<string, Map<string, readonly PodFacts[]>>();

  constructor(state: ClusterState, nowMs: number) {
    this.#state = state;
    this.#nowMs = nowMs;
  }

  /** Those of the namespace. */
  of(namespace: string): readonly PodFacts[] {
    this.#byNamespace ??= Map.groupBy(this.#pods(), (pod) => pod.namespace);
    return this.#byNamespace.get(namespace) ?? [];
  }

  /** Those of the namespace that were let go to the node, and may start there yet. */
  at(namespace: string, { name }: NodeFacts): readonly PodFacts[] {
    const byNode = this.#at.get(namespace) ?? new Map<string, readonly PodFacts[]>();
    this.#at.set(namespace, byNode);
    let there = byNode.get(name);
    if (!there) {
      there = this.of(namespace).filter(({ reservation }) => reservation && nodesOf(reservation).includes(name));
      byNode.set(name, there);
    }
    return there;
  }

  /** A scheduler that is behind may not have come to a pod yet, so there only a refusal tells. */
  *#pods(): Generator<PodFacts> {
    const isBehind = this.#state.schedulerIsBehind(this.#nowMs);
    for (const pod of this.#state.ledger.pending.letGo()) {
      const isOver = pod.release !== undefined && !hasReservation(this.#state, pod, this.#nowMs);
      if (isOver && (pod.unschedulable || !isBehind)) yield pod;
    }
  }
}
