/** A plan in the making. */
import type { Books } from "../state/cluster-state.ts";
import { exempt } from "../rules/exempt.ts";
import type { NodeFacts, PodFacts, PodShape } from "../facts.ts";
import type { NodeLoad } from "../state/load.ts";
import type { Place } from "../placement/nodes-with-room.ts";
import { pacedPlaces } from "../placement/nodes-with-room.ts";
import type { ReleaseReason } from "../../api/reasons.ts";
import type { NodeName, PodUID } from "../ids.ts";
import type { Release } from "../verdict.ts";

export class Draft {
  readonly books: Books;
  readonly nowMs: number;
  readonly releases: Release[] = [];
  /** Gated pods that are neither released nor of no concern. */
  readonly waiting = new Map<PodUID, PodFacts>();
  /** Young, hot and fenced nodes. */
  readonly paced: readonly Place[];
  readonly schedulerIsBehind: boolean;
  readonly #gone = new Set<PodUID>();
  readonly #planned = new Map<NodeName, PodFacts[]>();
  /** Of nodes that pods are offered to, or let go to by this plan. */
  readonly #loads = new Map<NodeName, NodeLoad>();
  readonly #exempt = new Map<PodShape, boolean>();
  #promisedBefore: number | undefined;
  #promised = 0;
  #wakeAtMs = Infinity;

  constructor(books: Books, nowMs: number) {
    this.books = books;
    this.nowMs = nowMs;
    this.paced = pacedPlaces(books, nowMs);
    this.schedulerIsBehind = books.schedulerIsBehind(nowMs);
  }

  /** Whether pods of this shape are never held; asked for every waiting pod. */
  isExempt(shape: PodShape): boolean {
    const known = this.#exempt.get(shape);
    if (known !== undefined) return known;
    const answer = exempt(shape, this.books.policy);
    this.#exempt.set(shape, answer);
    return answer;
  }

  get maxHoldMs(): number {
    return this.books.policy.maxHoldSeconds * 1000;
  }

  get wakeAtMs(): number | undefined {
    return this.#wakeAtMs === Infinity ? undefined : this.#wakeAtMs;
  }

  /** The plan may change at that time; times that have passed say nothing. */
  wake(atMs: number): void {
    if (atMs > this.nowMs) this.#wakeAtMs = Math.min(this.#wakeAtMs, atMs);
  }

  /** Lets a pod go without a slot. */
  release(pod: PodFacts, reason: ReleaseReason, message: string): void {
    this.#leave(pod);
    this.releases.push({ pod, node: undefined, fence: undefined, reason, message });
  }

  /** Lets a pod go to a node: its slot is reserved there. */
  releaseTo(pod: PodFacts, { name, fence }: NodeFacts, reason: ReleaseReason, message: string): void {
    this.#leave(pod);
    const needed = fence && !toleratesFence(pod, fence.value) ? fence.value : undefined;
    this.releases.push({ pod, node: name, fence: needed, reason, message });
    this.#planned.set(name, [...this.plannedFor(name), pod]);
    this.#loads.delete(name);
    this.#promised += 1;
  }

  /** Pods that were let go to paced nodes and are not bound yet, this plan's included. */
  get onTheirWay(): number {
    this.#promisedBefore ??= this.#countPromised();
    return this.#promisedBefore + this.#promised;
  }

  #countPromised(): number {
    let count = 0;
    for (const { entry, facts } of this.paced) if (entry.reserved.size > 0) count += this.load(facts).reserved.length;
    return count;
  }

  /** The plan lets this pod go. */
  hasLeft(pod: PodFacts): boolean {
    return this.#gone.has(pod.uid);
  }

  #leave(pod: PodFacts): void {
    this.waiting.delete(pod.uid);
    this.#gone.add(pod.uid);
  }

  plannedFor(node: NodeName): readonly PodFacts[] {
    return this.#planned.get(node) ?? [];
  }

  /** What the node carries, with what this plan lets go to it. */
  load(facts: NodeFacts): NodeLoad {
    const known = this.#loads.get(facts.name);
    if (known) return known;
    const load = this.books.loadOf(facts, this.nowMs, this.plannedFor(facts.name));
    if (load.offered.length > 0) this.#loads.set(facts.name, load); // the others the books remember
    return load;
  }
}

/** A pod with a toleration for a node's fence may go there whenever the scheduler likes. */
export const toleratesFence = (pod: PodFacts, value: string) =>
  pod.fencesTolerated.includes("*") || pod.fencesTolerated.includes(value);
