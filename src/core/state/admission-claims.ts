/**
 * Room that admission has given away on settled nodes: to pods that it allowed, and that are not seen bound yet. A pod
 * under admission has no uid and mostly no name, so a claim goes by owner, and by name where there is one. A pod
 * without a name counts again when the API server asks again (reinvocation), because each call has a uid of its own.
 * kube-scheduler may bind the pod to another node, so a claim says how much is on its way rather than where to.
 */
import type { PodFacts } from "../facts.ts";
import { type NodeName, type PodUID, podUID } from "../ids.ts";

/** A claim ends after this long, ms: by then kube-scheduler has bound the pod, or finds no room for it. Assumed. */
const CLAIM_MS = 2_000;

interface Claim {
  readonly pod: PodFacts;
  /** The pod that was created: creation may also be refused after admission. */
  seen: PodUID | undefined;
  readonly node: NodeName;
  readonly atMs: number;
}

const NONE: readonly PodFacts[] = [];

export class AdmissionClaims {
  /** Oldest first. */
  readonly #byOwner = new Map<string, Claim[]>();
  readonly #byNode = new Map<NodeName, Set<Claim>>();
  readonly #all = new Set<Claim>();
  #made = 0;

  add(pod: PodFacts, node: NodeName, nowMs: number): void {
    this.#expire(nowMs);
    const before = pod.name === "" ? undefined : this.#ofOwner(pod).find(isUnseen(pod.name));
    if (before) this.#forget(before); // asked again
    const claim = { pod: { ...pod, uid: this.#nextUID() }, seen: undefined, node, atMs: nowMs };
    this.#all.add(claim);
    const owner = ownerOf(pod);
    const alike = this.#byOwner.get(owner);
    if (alike) alike.push(claim);
    else this.#byOwner.set(owner, [claim]);
    const there = this.#byNode.get(node) ?? new Set<Claim>();
    this.#byNode.set(node, there.add(claim));
  }

  /** A pod was seen for the first time, and is not bound yet: the oldest claim that may be its own is. */
  see(pod: PodFacts): void {
    const first = this.#firstUnseen(pod);
    if (first) first.seen = pod.uid;
  }

  /** A pod was seen bound, and has not been before. */
  resolve(pod: PodFacts): void {
    const own = this.#ofOwner(pod).find(({ seen }) => seen === pod.uid) ?? this.#firstUnseen(pod);
    if (own) this.#forget(own);
  }

  /** Pods with a claim on the node. */
  livePods(node: NodeName, nowMs: number): readonly PodFacts[] {
    return this.#live(node, nowMs, () => true);
  }

  /** Of these, pods that were really created. */
  seenPods(node: NodeName, nowMs: number): readonly PodFacts[] {
    return this.#live(node, nowMs, ({ seen }) => seen !== undefined);
  }

  /** Pods that nothing shows yet. */
  unseenPods(node: NodeName, nowMs: number): readonly PodFacts[] {
    return this.#live(node, nowMs, ({ seen }) => seen === undefined);
  }

  #firstUnseen(pod: PodFacts): Claim | undefined {
    const claims = this.#ofOwner(pod);
    return claims.find(isUnseen(pod.name)) ?? claims.find(isUnseen(""));
  }

  #ofOwner(pod: PodFacts): readonly Claim[] {
    return this.#byOwner.get(ownerOf(pod)) ?? [];
  }

  #live(node: NodeName, nowMs: number, isWanted: (claim: Claim) => boolean): readonly PodFacts[] {
    const there = this.#byNode.get(node);
    if (there === undefined) return NONE; // most nodes, most of the time
    return [...there].filter((claim) => nowMs < claim.atMs + CLAIM_MS && isWanted(claim)).map(({ pod }) => pod);
  }

  #nextUID(): PodUID {
    this.#made += 1;
    return podUID(`admitted-${this.#made}`);
  }

  #expire(nowMs: number): void {
    for (const claim of this.#all) {
      if (nowMs < claim.atMs + CLAIM_MS) return;
      this.#forget(claim);
    }
  }

  #forget(claim: Claim): void {
    this.#all.delete(claim);
    const owner = ownerOf(claim.pod);
    const others = (this.#byOwner.get(owner) ?? []).filter((one) => one !== claim);
    if (others.length > 0) this.#byOwner.set(owner, others);
    else this.#byOwner.delete(owner);
    const there = this.#byNode.get(claim.node);
    there?.delete(claim);
    if (there?.size === 0) this.#byNode.delete(claim.node);
  }
}

/** @param name of the pod at admission; "" where the API server was still to make one. */
const isUnseen =
  (name: string) =>
  ({ pod, seen }: Claim): boolean =>
    seen === undefined && pod.name === name;

const ownerOf = ({ namespace, shape: { ownerKind, ownerName } }: PodFacts) => `${namespace}/${ownerKind}/${ownerName}`;
