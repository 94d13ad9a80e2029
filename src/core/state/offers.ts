/**
 * What the extender has offered and not yet seen resolved. kube-scheduler binds in the background: the next question may
 * come before the last binding is visible, so an offer holds a slot until the pod is seen bound, deleted or asked again.
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

  add(pod: PodFacts, node: NodeName, atMs: number): void {
    this.resolve(pod.uid);
    const offer = { pod, node, atMs };
    this.#byPod.set(pod.uid, offer);
    const there = this.#byNode.get(node) ?? new Map<PodUID, Offer>();
    this.#byNode.set(node, there.set(pod.uid, offer));
  }

  /** The pod was bound, deleted, or is being asked for again. */
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

  /** Pods offered this node less than `forMs` ago; older offers are forgotten. */
  to(node: NodeName, forMs: number, nowMs: number): readonly PodFacts[] {
    const there = this.#byNode.get(node);
    if (there === undefined) return NONE; // most nodes, most of the time
    const offers = [...there.values()];
    for (const { pod, atMs } of offers) if (nowMs >= atMs + forMs) this.resolve(pod.uid);
    return offers.filter(({ atMs }) => nowMs < atMs + forMs).map(({ pod }) => pod);
  }

  /** Epoch ms at which the oldest offer of the node expires, or undefined. */
  nextExpiryMs(node: NodeName, forMs: number): number | undefined {
    const times = [...(this.#byNode.get(node)?.values() ?? [])].map(({ atMs }) => atMs + forMs);
    return times.length > 0 ? Math.min(...times) : undefined;
  }
}
