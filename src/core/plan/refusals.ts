/**
 * What kube-scheduler's refusals tell. A rule about other pods, which only it can judge, is the same for all pods of a
 * template. So one that was let go to a node and refused there stands for those that are like it: they need not take
 * slots there to be refused as well.
 */
import type { NodeFacts, PodFacts, PodShape } from "../facts.ts";
import { fitsNode, type KnownNode } from "../placement/known-node.ts";
import { toleratesFence } from "../rules/node-fence.ts";
import type { ClusterState } from "../state/cluster-state.ts";
import { hasReservation } from "../state/reservations.ts";

/**
 * For so long a refusal counts for other pods, ms. Then one more tries: volumes make pods of one template differ, too.
 * Assumed: its slots are then kept for 2 s of every 30 s at most.
 */
export const STANDS_MS = 30_000;

export class Refusals {
  readonly #state: ClusterState;
  readonly #nowMs: number;
  readonly #refused = new Map<PodShape, readonly PodFacts[]>();
  /** Of these, the ones that count for others still: asked for each node and pod. */
  readonly #standing = new Map<PodShape, readonly PodFacts[]>();
  readonly #onTheWay = new Map<PodShape, boolean>();
  readonly #everywhere = new Map<PodShape, PodFacts | undefined>();

  constructor(state: ClusterState, nowMs: number) {
    this.#state = state;
    this.#nowMs = nowMs;
  }

  /** Until when pods of this shape are not let go to the node, epoch ms; undefined where they may go. */
  untilMs(shape: PodShape, node: NodeFacts): number | undefined {
    if (!shape.interPodRules) return undefined;
    let standing = this.#standing.get(shape);
    if (!standing) {
      standing = this.#of(shape).filter((pod) => stands(pod, this.#nowMs));
      this.#standing.set(shape, standing);
    }
    const untilMs = Math.max(...standing.filter((pod) => isOpenTo(pod, node)).map(standsUntilMs));
    return untilMs === -Infinity ? undefined : untilMs;
  }

  /** A pod of this shape that was let go to every paced node with room for it, and that none of them may take. */
  everywhere(shape: PodShape, paced: readonly KnownNode[]): PodFacts | undefined {
    if (!this.#everywhere.has(shape)) {
      const cannotGo = (pod: PodFacts) =>
        !hasReservation(this.#state, pod, this.#nowMs) &&
        paced.every((node) => isOpenTo(pod, node.facts) || !fitsNode(this.#state, pod, node, [], this.#nowMs));
      this.#everywhere.set(shape, this.#of(shape).find(cannotGo));
    }
    return this.#everywhere.get(shape);
  }

  /** Is a slot reserved for a pod of this shape that is not pinned to a node? */
  anyOnTheWay(shape: PodShape): boolean {
    let answer = this.#onTheWay.get(shape);
    if (answer === undefined) {
      const alike = [...this.#state.ledger.pending.alike(shape)];
      this.#onTheWay.set(shape, (answer = alike.some((pod) => hasReservation(this.#state, pod, this.#nowMs))));
    }
    return answer;
  }

  /** Pods that were let go to nodes, and that the scheduler has refused there. */
  #of(shape: PodShape): readonly PodFacts[] {
    if (!shape.interPodRules) return [];
    let refused = this.#refused.get(shape);
    if (!refused) {
      refused = [...this.#state.ledger.pending.alike(shape)].filter((pod) => this.#isRefused(pod));
      this.#refused.set(shape, refused);
    }
    return refused;
  }

  /** Before Kubernetes 1.34 only the time tells whether the scheduler has seen the pod as it is now. */
  #isRefused(pod: PodFacts): boolean {
    if (!pod.unschedulable || !pod.reservation) return false;
    return pod.refused || !hasReservation(this.#state, pod, this.#nowMs);
  }
}

const standsUntilMs = ({ reservation }: PodFacts) => (reservation?.atMs ?? -Infinity) + STANDS_MS;

/** A reservation that is dated further ahead than clocks explain is a tenant's. */
const stands = (pod: PodFacts, nowMs: number) =>
  standsUntilMs(pod) > nowMs && standsUntilMs(pod) <= nowMs + 2 * STANDS_MS;

/** May the scheduler bind the pod there, as far as fences go? */
const isOpenTo = (pod: PodFacts, { fence }: NodeFacts) => fence === undefined || toleratesFence(pod, fence.value);
