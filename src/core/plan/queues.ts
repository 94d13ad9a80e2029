/**
 * Who waits, as a plan looks at them: pods that look the same in one queue, oldest first. A queue is read only as far as
 * somebody asks: of a hundred thousand pending pods a plan looks at hundreds.
 */
import { isPromised } from "../state/cluster-state.ts";
import type { Draft } from "./plan-builder.ts";
import { toleratesFence } from "./plan-builder.ts";
import type { NodeFacts, PodFacts, PodShape } from "../facts.ts";
import { fencesWork } from "../rules/node-fence.ts";
import { opensTo } from "../placement/fit.ts";
import { byAge } from "./order.ts";
import type { Place, SettledRoom } from "../placement/nodes-with-room.ts";
import type { ImageName, NodeName } from "../ids.ts";

/** The scheduler is given this long to place a new pod by itself before a fence looks at it, ms. Assumed. */
const SCHEDULER_FIRST_MS = 2_000;

/** Pods of one shape that wait for the same thing: their gate, or a fence. */
export class Queue {
  readonly shape: PodShape;
  readonly #draft: Draft;
  readonly #source: Iterator<PodFacts>;
  readonly #read: PodFacts[] = [];
  #unread: number;
  /** All before this one have been let go. */
  #first = 0;

  /**
   * @param source oldest first.
   * @param count of them, at most.
   */
  constructor(draft: Draft, shape: PodShape, source: Iterable<PodFacts>, count: number) {
    this.#draft = draft;
    this.shape = shape;
    this.#source = source[Symbol.iterator]();
    this.#unread = count;
  }

  /** The oldest that this plan has not let go, and that does not pass the node's fence by itself. */
  headFor({ fence }: NodeFacts): PodFacts | undefined {
    for (let at = this.#skipGone(); ; at += 1) {
      const pod = this.#at(at);
      const passes = pod && fence && !pod.gated && toleratesFence(pod, fence.value);
      if (!pod || !(passes || this.#draft.hasLeft(pod))) return pod;
    }
  }

  /** How many are left, at most. */
  get length(): number {
    const first = this.#skipGone();
    return this.#read.length - first + this.#unread;
  }

  #skipGone(): number {
    for (let pod = this.#at(this.#first); pod && this.#draft.hasLeft(pod); pod = this.#at(this.#first))
      this.#first += 1;
    return this.#first;
  }

  #at(place: number): PodFacts | undefined {
    while (place >= this.#read.length) {
      const next = this.#source.next();
      if (next.done === true) {
        this.#unread = 0;
        return undefined;
      }
      this.#unread -= 1;
      this.#read.push(next.value);
    }
    return this.#read[place];
  }
}

/** Every queue that could matter: gated pods, and for fenced nodes the scheduler's pending ones. */
export class Queues {
  readonly #draft: Draft;
  readonly #settled: SettledRoom;
  readonly #pinned = new Map<NodeName, Queue[]>();
  readonly #gated: readonly Queue[];
  readonly #pending: readonly Queue[];
  readonly #someAreFenced: boolean;
  /** For the nodes that were looked at. */
  readonly #open = new Map<Place, readonly Queue[]>();

  constructor(draft: Draft, settled: SettledRoom) {
    this.#draft = draft;
    this.#settled = settled;
    const gated = new Map<PodShape, PodFacts[]>();
    for (const pod of draft.waiting.values()) {
      if (pod.gatedByOthers) continue;
      if (pod.pinnedTo === undefined) append(gated, pod.shape, pod);
      else append(this.#pinned, pod.pinnedTo, this.#queueOfOne(pod));
    }
    this.#gated = [...gated].map(([shape, pods]) => new Queue(draft, shape, pods.sort(byAge), pods.length));
    this.#someAreFenced = fencesWork(draft.books.policy) && draft.paced.some(({ facts }) => facts.fence);
    const shapes = this.#someAreFenced ? draft.books.ledger.pending.shapes() : [];
    this.#pending = [...shapes].flatMap(([shape, alike]) =>
      draft.isExempt(shape) ? [] : new Queue(draft, shape, this.#keptOut(alike.pods()), alike.size),
    );
  }

  /** The ones whose pods could go to the node this moment, as far as labels and taints go. */
  openTo(place: Place): readonly Queue[] {
    const known = this.#open.get(place);
    if (known) return known;
    const { facts } = place;
    const queues = [...(this.#pinned.get(facts.name) ?? []), ...this.#gated];
    if (facts.fence && this.#someAreFenced) queues.push(...this.#pinnedPending(facts.name), ...this.#pending);
    const open = queues.filter((queue) => {
      const head = queue.headFor(facts);
      return head !== undefined && opensTo(head, facts);
    });
    this.#open.set(place, open);
    return open;
  }

  #pinnedPending(node: NodeName): Queue[] {
    const pods = [...this.#keptOut(this.#draft.books.ledger.pending.pinnedTo(node))];
    return pods.filter((pod) => !this.#draft.isExempt(pod.shape)).map((pod) => this.#queueOfOne(pod));
  }

  #queueOfOne(pod: PodFacts): Queue {
    return new Queue(this.#draft, pod.shape, [pod], 1);
  }

  /** Of pending pods, which are not exempt, the ones that a fence may keep waiting: not promised elsewhere, nowhere to go. */
  *#keptOut(pods: Iterable<PodFacts>): Generator<PodFacts> {
    const { books, nowMs } = this.#draft;
    for (const pod of pods) {
      if (isPromised(books, pod, nowMs)) continue;
      if (pod.unschedulable) yield pod;
      else {
        const patientUntilMs = pod.createdAtMs + SCHEDULER_FIRST_MS;
        this.#draft.wake(patientUntilMs);
        if (nowMs >= patientUntilMs && !this.#settled.find(books, pod, nowMs)) yield pod;
      }
    }
  }
}

/** For each image, how many waiting pods use it. */
export function wantedImages(queues: Iterable<Queue>): ReadonlyMap<ImageName, number> {
  const wanted = new Map<ImageName, number>();
  for (const { shape, length } of queues) {
    for (const image of shape.images) wanted.set(image, (wanted.get(image) ?? 0) + length);
  }
  return wanted;
}

function append<Key, Item>(lists: Map<Key, Item[]>, key: Key, item: Item): void {
  const list = lists.get(key);
  if (list) list.push(item);
  else lists.set(key, [item]);
}
