/**
 * What the extender has offered and not yet seen resolved. kube-scheduler binds in the background: its next question
 * may come before the last binding is visible, so an offer uses a slot until the pod is seen bound or deleted, or is
 * asked for again.
 */
import type { PodFacts } from "../facts.ts";
import type { NodeName, PodUID } from "../ids.ts";

interface Offer {
  readonly pod: PodFacts;
  readonly node: NodeName;
  readonly atMs: number;
}

const NONE: readonly PodFacts[] = [];

export class Offers {
  readonly #byPod = new Map<PodUID, Offer>();
  readonly #byNode = new Map<NodeName, Map<PodUID, Offer>>();

  /** @param forMs how long offers last: older ones of this node are forgotten. */
  add(pod: PodFacts, node: NodeName, forMs: number, nowMs: number): void {
    this.#expire(node, forMs, nowMs);
    this.resolve(pod.uid);
    const offer = { pod, node, atMs: nowMs };
    this.#byPod.set(pod.uid, offer);
    const there = this.#byNode.get(node) ?? new Map<PodUID, Offer>();
    this.#byNode.set(node, there.set(pod.uid, offer));
  }

  /** The pod was bound or deleted, or is being asked for again. */
  resolve(uid: PodUID): void {
    const offer = this.#byPod.get(uid);
    if (!offer) return;
    this.#byPod.delete(uid);
    const there = this.#byNode.get(offer.node);
    there?.delete(uid);
    if (there?.size === 0) this.#byNode.delete(offer.node);
  }

  /** Whether any offer of the node is remembered, expired ones included. */
  anyTo(node: NodeName): boolean {
    return this.#byNode.has(node);
  }

  /** Pods that were offered this node less than `forMs` ago. */
  livePods(node: NodeName, forMs: number, nowMs: number): readonly PodFacts[] {
    const there = this.#byNode.get(node);
    if (there === undefined) return NONE; // most nodes, most of the time
    return [...there.values()].filter(({ atMs }) => nowMs < atMs + forMs).map(({ pod }) => pod);
  }

  #expire(node: NodeName, forMs: number, nowMs: number): void {
    const there = this.#byNode.get(node);
    for (const { pod, atMs } of there ? [...there.values()] : []) if (nowMs >= atMs + forMs) this.resolve(pod.uid);
  }
}
