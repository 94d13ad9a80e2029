/**
 * Young nodes that stand open: kube-scheduler could take one of them for any pod, though only the leader gives their
 * room away.
 */
import type { PodFacts } from "../facts.ts";
import type { ClusterState } from "../state/cluster-state.ts";
import { paceOf } from "../state/pace.ts";
import { isSchedulableNow } from "./fit.ts";
import { fitsNode, type KnownNode } from "./known-node.ts";
import { bringsImages } from "./settled-nodes.ts";

/** Which nodes are young is looked up again after this long, because they settle by the mere passing of time. In ms. */
const LOOK_AGAIN_MS = 250;

/** Remembers which nodes are young and open, because every pod under admission asks. */
export class OpenNodes {
  #young: readonly KnownNode[] = [];
  #generation = -1;
  #untilMs = -Infinity;

  /** An open young node that the pod fits, and to which it would bring images. */
  find(state: ClusterState, pod: PodFacts, nowMs: number): KnownNode | undefined {
    return this.#youngNodes(state, nowMs).find(
      (node) =>
        isSchedulableNow(pod, node.facts) && fitsNode(state, pod, node, [], nowMs) && bringsImages(state, pod, node),
    );
  }

  #youngNodes(state: ClusterState, nowMs: number): readonly KnownNode[] {
    const { ledger } = state;
    if (ledger.roomGeneration === this.#generation && nowMs < this.#untilMs) return this.#young;
    const young: KnownNode[] = [];
    for (const entry of ledger.nodes.values()) {
      const { facts } = entry;
      if (facts && !facts.fence && paceOf(state, facts, nowMs) === "young") young.push({ entry, facts });
    }
    this.#young = young;
    this.#generation = ledger.roomGeneration;
    this.#untilMs = nowMs + LOOK_AGAIN_MS;
    return young;
  }
}
