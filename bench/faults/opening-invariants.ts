/** What must hold of nodes that open, and of settled ones (docs/adr/0011 and 0012). */
import type { NodeFacts, PodFacts } from "../../src/core/facts.ts";
import type { NodeName } from "../../src/core/ids.ts";
import { placementUnfitReason } from "../../src/core/placement/fit.ts";
import { openedMs, openingOf } from "../../src/core/state/opening.ts";
import type { Invariant } from "./invariant.ts";
import type { Replica } from "./replica.ts";
import type { Witness } from "./witness.ts";

const SECOND_MS = 1_000;
/** A replica learns of an opening within this, by a watch that hangs, or by the note of a leader that is late, ms. */
const LEARNS_MS = 120_000;
/** Replicas that no fault hits know everything again after this, ms. */
const RECOVERED_MS = 45_000;
/** From a change to a healthy replica's knowing it, ms. */
const REACHES_MS = 3_000;

const youngSeconds = ({ policies }: Witness) => policies.map(({ draft }) => draft.youngForSeconds);

/** No fault excuses a replica. */
const isCalm = (witness: Witness) =>
  witness.nowMs >= Math.max(witness.blindUntilMs, witness.stoodStillUntilMs) + RECOVERED_MS;

export const aFlapChangesNothing: Invariant = {
  name: "aFlapChangesNothing",
  sentence: "A flap of Ready, or a taint that soon goes, makes no settled node young, and gates no pod bound for one.",
  check(witness) {
    const forMs = SECOND_MS * Math.max(...youngSeconds(witness)) + LEARNS_MS;
    const isSettled = ({ uid }: NodeFacts) =>
      witness.nowMs > (witness.openings.openedMs(uid) ?? Infinity) + forMs && hasSeenTaintCome(witness, uid);
    const settled = witness.nodes.filter(isSettled);
    if (settled.length === 0) return undefined;
    for (const { pod, verdict, replica } of witness.judged) {
      const node = settled.find(({ name }) => name === pod.pinnedTo);
      if (node && verdict.kind === "hold" && !node.fence) return `${replica} gated ${pod.name} for ${node.name}`;
    }
    if (witness.fresh.length === 0 && !witness.ended) return undefined;
    for (const replica of witness.replicas) {
      const young = youngTo(replica);
      const wrong = settled.find(({ name, uid }) => young.get(name) === uid);
      if (wrong) return `${replica.name} takes node ${wrong.name} for young, which opened long ago`;
    }
    return undefined;
  },
};

/** A replica that was not there cannot tell a taint that came late from one that was there from the start. */
function hasSeenTaintCome({ openings, blindUntilMs, stoodStillUntilMs }: Witness, uid: string): boolean {
  const cameMs = openings.passingMs(uid);
  return cameMs === undefined || cameMs >= Math.max(blindUntilMs, stoodStillUntilMs) + RECOVERED_MS;
}

/** Uids of nodes that a replica takes for young, by name. */
function youngTo({ clocks, clock, pacing, ledger }: Replica): ReadonlyMap<NodeName, string> {
  if (!clocks.isRunning || pacing?.cluster.isSynced !== true) return new Map();
  const youngMs = SECOND_MS * (pacing.policy.current?.youngForSeconds ?? 0);
  const young = new Map<NodeName, string>();
  for (const { facts } of ledger.nodes.values()) {
    if (facts && clock.now() < (openedMs(facts) ?? Infinity) + youngMs) young.set(facts.name, facts.uid);
  }
  return young;
}

export const aLateOpeningIsPaced: Invariant = {
  name: "aLateOpeningIsPaced",
  sentence: "While a node that opened late is young, pods that would bring images to it come through a lever.",
  check(witness) {
    if (!isCalm(witness) || witness.leaseAgeMs > 5 * SECOND_MS) return undefined;
    const drafts = witness.policiesWithin(LEARNS_MS).map(({ draft }) => draft);
    if (drafts.some(({ mode, gateEnabled }) => mode !== "enforce" || !gateEnabled)) return undefined;
    const forMs = SECOND_MS * Math.min(...drafts.map(({ youngForSeconds }) => youngForSeconds));
    const late = witness.nodes.filter(({ uid, readySinceMs, resourceVersion }) => {
      const sinceMs = witness.openings.openedMs(uid);
      if (sinceMs === undefined || !witness.openings.openedLate(uid) || readySinceMs === undefined) return false;
      const forSoLongMs = witness.nowMs - sinceMs;
      return resourceVersion !== "" && forSoLongMs > REACHES_MS && forSoLongMs < forMs - REACHES_MS;
    });
    if (late.length === 0) return undefined;
    for (const { pod, verdict, replica } of witness.judged) {
      if (verdict.kind !== "allow" || !["SettledNodeFits", "NodeSettled"].includes(verdict.reason)) continue;
      const node = late.find((one) => isOpenTo(witness, one, pod));
      if (node) return `${replica} let ${pod.name} go as to a settled node while ${node.name} is young and open to it`;
    }
    return undefined;
  },
};

/** The scheduler could bind the pod there, and it would bring images. */
function isOpenTo(witness: Witness, node: NodeFacts, pod: PodFacts): boolean {
  if (node.fence || placementUnfitReason(pod, node, false)) return false;
  if (pod.pinnedTo === undefined && pod.shape.images.every((image) => witness.hasImage(node, image))) return false;
  const isClaim = (one: PodFacts) => !one.terminal && (one.node ?? one.pinnedTo ?? node.name) === node.name;
  const claims = [...witness.pods.filter(isClaim).map(({ shape }) => shape), pod.shape];
  return Object.keys(pod.shape.requests).every(
    (resource) =>
      claims.reduce((sum, { requests }) => sum + (requests[resource] ?? 0), 0) <= (node.allocatable[resource] ?? 0),
  );
}

export const admissionGivesWhatIsThere: Invariant = {
  name: "admissionGivesWhatIsThere",
  sentence:
    "To pods that come at once and bring images to every settled node, admission of one replica gives no more than the " +
    "startup slots of the settled nodes that it knows; beyond them pods are gated (docs/adr/0012).",
  check(witness) {
    for (const replica of witness.judged.length === 0 ? [] : witness.replicas) {
      const settled = settledTo(replica);
      const given = witness.judged.filter(
        ({ replica: by, pod, verdict }) =>
          by === replica.name &&
          verdict.kind === "allow" &&
          verdict.reason === "SettledNodeFits" &&
          settled.every((node) => pod.shape.images.some((image) => !isKnownThere(replica, node, image))),
      );
      const slots = Math.max(...witness.policiesWithin(LEARNS_MS).map(({ draft }) => draft.slots));
      if (given.length > slots * settled.length) {
        const names = given.map(({ pod }) => pod.name).join(", ");
        return `${replica.name} let ${names} go, and its ${settled.length} settled nodes have ${slots} slots each`;
      }
    }
    return undefined;
  },
};

function settledTo(replica: Replica): NodeFacts[] {
  const young = youngTo(replica);
  return [...replica.ledger.nodes.values()].flatMap(({ facts }) => (facts && !young.has(facts.name) ? [facts] : []));
}

function isKnownThere({ ledger }: Replica, { name, images }: NodeFacts, image: PodFacts["shape"]["images"][number]) {
  return images.has(image) || (ledger.nodes.get(name)?.startedImages.get(image) ?? 0) > 0;
}

export const aNewLeaderAgrees: Invariant = {
  name: "aNewLeaderAgrees",
  sentence: "A new leader agrees with the old one on which nodes are young: what it cannot see is noted on them.",
  check(witness) {
    // Before that the note may be on its way.
    if (!isCalm(witness) || witness.nowMs - witness.lastChangeMs < 2 * REACHES_MS) return undefined;
    if (witness.policiesWithin(RECOVERED_MS).some(({ draft }) => draft.mode !== "enforce")) return undefined;
    const leader = witness.replicas.find(({ leads }) => leads);
    if (leader?.pacing?.cluster.isSynced !== true) return undefined;
    const nowMs = leader.clock.now();
    for (const node of witness.nodes) {
      const known = leader.ledger.nodes.get(node.name)?.facts;
      if (known?.uid !== node.uid) continue;
      const [old, young] = [openedMs(known), openingOf(node, nowMs).openedMs];
      if (old === young || Math.abs((old ?? Infinity) - (young ?? Infinity)) <= 2 * SECOND_MS) continue;
      return `node ${node.name} opened at ${told(old)} to ${leader.name}, and at ${told(young)} to a new leader`;
    }
    return undefined;
  },
};

const told = (ms: number | undefined) => (ms === undefined ? "no time yet" : new Date(ms).toISOString());

export const openingInvariants: readonly Invariant[] = [
  aFlapChangesNothing,
  aLateOpeningIsPaced,
  admissionGivesWhatIsThere,
  aNewLeaderAgrees,
];
