/**
 * Where pods could go to several nodes: which node would have a pod's images sooner, and which pull takes so long that
 * it must not be left for the end. Both keep nodes that join together from ending at very different times (list
 * scheduling by least work left, and by longest processing time first).
 */
import type { PodFacts } from "../facts.ts";
import type { ImageName, NodeName } from "../ids.ts";
import { MIB } from "../measures.ts";
import { isSchedulableNow } from "../placement/fit.ts";
import type { KnownNode } from "../placement/known-node.ts";
import { REFILL_SECONDS } from "../rules/disk-checks.ts";
import { checkStart } from "../rules/start-checks.ts";
import { type Cost, coresOf, costOf, isPresent, leftSeconds, type NodeLoad, sum, writeSeconds } from "../state/load.ts";
import { fitsNow } from "./claims.ts";
import { TOLERATED_SKEW } from "./order.ts";
import type { PlanBuilder } from "./plan-builder.ts";
import type { ReplicaSpread } from "./replica-spread.ts";

/**
 * What one pull alone makes a disk write, bytes/s: its layers are unpacked one after another, on one core. Assumed;
 * gunzip and tar on one core.
 */
const PULL_ALONE_BYTES_PER_SECOND = 130 * MIB;
/**
 * More nodes than this are not compared: it would take too long, and no single pull matters to all of them. Assumed.
 */
export const MOST_COMPARED = 64;

/** For each image, how many waiting pods use it. */
type Wanted = Iterable<readonly [image: ImageName, pods: number]>;

export class NodeComparison {
  readonly #plan: PlanBuilder;
  readonly #nodes: readonly KnownNode[];
  readonly #replicas: ReplicaSpread;
  readonly #restSeconds: number;

  /** @param nodes those that some waiting pods could go to. */
  constructor(plan: PlanBuilder, nodes: readonly KnownNode[], replicas: ReplicaSpread, wanted: Wanted) {
    this.#plan = plan;
    this.#nodes = nodes.length <= MOST_COMPARED ? nodes : [];
    this.#replicas = replicas;
    this.#restSeconds = restSeconds(plan, this.#nodes, wanted);
  }

  /** True for a pull that alone takes as long as the nodes need for all that is left if they share it evenly. */
  isCriticalPull(load: NodeLoad, { newBytes }: Cost): boolean {
    const rate = Math.min(load.limit.bytesPerSecond, PULL_ALONE_BYTES_PER_SECOND);
    return newBytes > 0 && (newBytes * load.limit.unpackRatio) / rate >= this.#restSeconds;
  }

  /** A node that would have the pod's images sooner than this one, and can take the pod. */
  betterNode(node: KnownNode, pod: PodFacts, cost: Cost): NodeName | undefined {
    if (cost.newBytes === 0 || pod.pinnedTo !== undefined) return undefined;
    const load = this.#plan.load(node.facts);
    const left = leftSeconds(load);
    const here = left + writeSeconds(load, cost.newBytes);
    return this.#nodes.find((other) => {
      if (other === node) return false;
      const theirs = this.#plan.load(other.facts);
      const theirCost = costOf(pod, theirs, this.#plan.state.catalogue);
      // A disk that is about to run dry takes the next pull, even if another node would have it sooner.
      if (left <= REFILL_SECONDS && theirCost.newBytes >= cost.newBytes) return false;
      const there = leftSeconds(theirs) + writeSeconds(theirs, theirCost.newBytes);
      return there < here && this.#fits(other, pod) && this.#takesSoon(theirs, theirCost);
    })?.facts.name;
  }

  /** True if the pod can be scheduled there, fits, and does not join a crowd of its replicas. */
  #fits(node: KnownNode, pod: PodFacts): boolean {
    const crowded = this.#replicas.moreThanFewest(node, pod) >= TOLERATED_SKEW;
    return !crowded && isSchedulableNow(pod, node.facts) && fitsNow(this.#plan, pod, node);
  }

  /** True if the node takes the pod now, or once pulls are done. No pod waits for slow starts, whose end is unknown. */
  #takesSoon(load: NodeLoad, cost: Cost): boolean {
    const verdict = checkStart(load, cost, this.#plan.nowMs);
    if (verdict.kind === "allow") return true;
    return verdict.reason === "StartupSlotsFull" ? load.fetchers > 0 : verdict.reason !== "CPUPressure";
  }
}

/**
 * Seconds that the nodes need for what they fetch and what waits. Replicas come to a node in pairs, by the order of
 * release.
 */
function restSeconds(plan: PlanBuilder, nodes: readonly KnownNode[], wanted: Wanted): number {
  const loads = nodes.map(({ facts }) => plan.load(facts));
  if (loads.length === 0) return Infinity;
  const ratio = mean(loads.map(({ limit }) => limit.unpackRatio));
  let bytes = sum(loads.map((load) => leftSeconds(load) * load.limit.bytesPerSecond));
  for (const [image, pods] of wanted) {
    const fetching = Math.min(loads.filter((load) => lacks(load, image)).length, Math.ceil(pods / TOLERATED_SKEW));
    bytes += plan.state.catalogue.bytes(image) * ratio * fetching;
  }
  return bytes / sum(loads.map(mostBytesPerSecond));
}

const mostBytesPerSecond = (load: NodeLoad) =>
  Math.min(load.limit.bytesPerSecond, Math.max(1, coresOf(load)) * PULL_ALONE_BYTES_PER_SECOND);

const lacks = ({ fetching, facts, entry }: NodeLoad, image: ImageName) =>
  !fetching.has(image) && !isPresent(image, entry, facts);

const mean = (amounts: readonly number[]) => sum(amounts) / amounts.length;
