/** Settled nodes with room for a pod. */
import type { PodFacts, PodShape } from "../facts.ts";
import type { NodeName } from "../ids.ts";
import type { ClusterState } from "../state/cluster-state.ts";
import { firstNode, fitsNode, isPaced, type KnownNode, knownNode } from "./known-node.ts";

/** Pods that count on a node though they are not bound there. */
type Claims = ReadonlyMap<NodeName, readonly PodFacts[]>;
const noClaims: Claims = new Map();

/** "No room anywhere" is asked again after this long, because nodes also settle by the mere passing of time. In ms. */
const NOWHERE_MS = 250;

/** Remembers, per shape, where there was room last, or that there was none, until room may have appeared somewhere. */
export class SettledNodes {
  readonly #nowhere = new WeakMap<PodShape, { readonly generation: number; readonly untilMs: number }>();
  readonly #last = new WeakMap<PodShape, NodeName>();

  /** A settled node with room for the pod, or undefined. */
  find(state: ClusterState, pod: PodFacts, nowMs: number, claims: Claims = noClaims): KnownNode | undefined {
    const node = this.#unclaimed(state, pod, nowMs);
    if (!node || claims.size === 0 || settledFits(state, pod, node, claims, nowMs)) return node;
    return firstSettled(state, pod, claims, nowMs);
  }

  #unclaimed(state: ClusterState, pod: PodFacts, nowMs: number): KnownNode | undefined {
    const { shape } = pod;
    const last = this.#last.get(shape);
    const node = last && knownNode(state, last);
    if (node && settledFits(state, pod, node, noClaims, nowMs)) return node;
    const memo = this.#nowhere.get(shape);
    if (memo?.generation === state.ledger.roomGeneration && nowMs < memo.untilMs) return undefined;
    const found = firstSettled(state, pod, noClaims, nowMs);
    if (found) this.#last.set(shape, found.facts.name);
    else this.#nowhere.set(shape, { generation: state.ledger.roomGeneration, untilMs: nowMs + NOWHERE_MS });
    return found;
  }
}

const firstSettled = (state: ClusterState, pod: PodFacts, claims: Claims, nowMs: number): KnownNode | undefined =>
  firstNode(state, (node) => settledFits(state, pod, node, claims, nowMs));

function settledFits(state: ClusterState, pod: PodFacts, node: KnownNode, claims: Claims, nowMs: number): boolean {
  return !isPaced(state, node.facts, nowMs) && fitsNode(state, pod, node, claims.get(node.facts.name) ?? [], nowMs);
}
