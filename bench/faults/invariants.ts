/**
 * What must hold in every run, whatever fails: each invariant is a function and its sentence, in the words of
 * docs/design.md. They are checked after every step, on what the API server has (witness.ts).
 */
import { createPacer } from "../../src/core/pacer.ts";
import { easeMs } from "../../src/core/rules/hold-cap.ts";
import { isStuck } from "../../src/core/state/load.ts";
import { neededNote } from "../../src/core/state/opening.ts";
import type { NodeFacts, PodFacts } from "../../src/core/facts.ts";
import type { ClusterStatus } from "../../src/core/verdict.ts";
import { LEASE_TIMES } from "../../src/kube/leader/lease.ts";
import { aGangIsWhole } from "./gang-invariants.ts";
import { heldNow } from "./held.ts";
import type { Invariant } from "./invariant.ts";
import { openingInvariants } from "./opening-invariants.ts";
import { hostileInvariants } from "./hostile-invariants.ts";
import type { Replica } from "./replica.ts";
import { type Change, type PodBook, type Witness } from "./witness.ts";

const SECOND_MS = 1_000;

/** The janitor begins this often, and each run looks so far ahead, ms; both as in the chart. */
export const JANITOR_EVERY_MS = 60_000;
export const JANITOR_AHEAD_MS = 40_000;

/** What writes, retries and whole seconds of the API server's times add to a cap, ms. */
const SLACK_MS = 12_000;

/**
 * So long after the last fault a leader is there, its watches run, and refused writes are tried again, ms: 15 s for an
 * election, up to 22 s for a reflector's back-off, 10 to 15 s for that of a write.
 */
const RECOVERED_MS = 45_000;

/** `bindSeconds` and `deadlineSeconds` of the runs' policies, ms. */
const BIND_MS = 15_000;
const REFUSED_MS = 2_000;
const DEADLINES = { deadlineMs: 60_000, reservationMs: BIND_MS };

/**
 * A policy that is replaced may still be in force where the watch of it hangs (idle time of a watch, and back-off), ms.
 */
const POLICY_REACHES_ALL_MS = 120_000;

/** How far past a cap something may be held now, ms; Infinity where nothing can be demanded. */
function allowedPastCapMs(witness: Witness): number {
  const { nowMs } = witness;
  const janitorWasHindered =
    nowMs < witness.refusedUntilMs + JANITOR_EVERY_MS + SLACK_MS ||
    witness.policiesWithin(JANITOR_EVERY_MS + SLACK_MS).some(({ valid }) => !valid);
  const byJanitorMs = janitorWasHindered ? Infinity : JANITOR_EVERY_MS + SLACK_MS;
  return Math.min(byJanitorMs, allowedByLeaderMs(witness));
}

const allowedByLeaderMs = (witness: Witness) => (witness.quietForMs >= RECOVERED_MS ? SLACK_MS : Infinity);

const longest = (witness: Witness, of: "maxHoldSeconds" | "fenceMaxSeconds") =>
  SECOND_MS * Math.max(...witness.policiesWithin(JANITOR_EVERY_MS + SLACK_MS).map(({ draft }) => draft[of]));

/**
 * What a leader's plan and write, a look of the janitor and whole seconds of the API server's times add to the cap of a
 * hold, ms.
 */
const HOLD_SLACK_MS = 2_000;

export const noHoldPastItsCap: Invariant = {
  name: "noHoldPastItsCap",
  sentence:
    "No pod is held longer than maxHoldSeconds + 2 s, by gate and fence together; where no replica lives, the janitor " +
    "lets it go within a minute more (promise 2).",
  check(witness) {
    const capMs = longest(witness, "maxHoldSeconds");
    const past = (ms: number) => capMs + ms - SLACK_MS + HOLD_SLACK_MS;
    const mostMs = past(allowedPastCapMs(witness));
    const mostByFenceMs = past(allowedByLeaderMs(witness));
    for (const { pod, ms, keptOutBy } of heldNow(witness)) {
      if (ms <= (keptOutBy === undefined ? mostMs : mostByFenceMs)) continue;
      const by = keptOutBy === undefined ? "its gate" : `the fence of ${keptOutBy}`;
      return `pod ${pod.name} is held for ${seconds(ms)}, now by ${by}; ${seconds(mostMs)} is the most`;
    }
    return undefined;
  },
};

export const noFencePastItsCap: Invariant = {
  name: "noFencePastItsCap",
  sentence:
    "A fence is lifted at the latest when its node has been open for fence.maxSeconds, whatever the clocks of replicas " +
    "say and however often the node is not Ready (promise 2).",
  check(witness) {
    const mostMs = longest(witness, "fenceMaxSeconds") + allowedPastCapMs(witness);
    for (const node of witness.nodes) {
      const fencedMs = witness.nowMs - (witness.openings.openedMs(node.uid) ?? witness.nowMs);
      if (node.fence && fencedMs > mostMs) return `node ${node.name} is open, and fenced, for ${seconds(fencedMs)}`;
    }
    return undefined;
  },
};

/** A roll call that no leader ends is the janitor's after 21 s, by clocks that may differ by as much, ms. */
const FORGOTTEN_MS = 42_000;
/** The next leader ends one, by a clock that may differ by its length, ms. */
const ENDS_MS = 6_000;

/** Since when nodes are cordoned, by uid. */
const cordons = new WeakMap<Witness, Map<string, number>>();

export const noCordonStays: Invariant = {
  name: "noCordonStays",
  sentence: "A cordon of ours is taken off within seconds, by the next leader or the janitor.",
  check(witness) {
    const before = cordons.get(witness);
    const now = new Map<string, number>();
    cordons.set(witness, now);
    const byLeaderMs = witness.quietForMs >= RECOVERED_MS ? SLACK_MS + ENDS_MS : Infinity;
    const mostMs = Math.min(byLeaderMs, allowedPastCapMs(witness) + FORGOTTEN_MS);
    return firstOf(witness.nodes, ({ name, uid, unschedulable }) => {
      if (!unschedulable || witness.openings.isCordoned(uid)) return undefined;
      const sinceMs = before?.get(uid) ?? witness.nowMs;
      now.set(uid, sinceMs);
      const forMs = witness.nowMs - sinceMs;
      return forMs > mostMs ? `node ${name} is cordoned for ${seconds(forMs)}` : undefined;
    });
  },
};

export const aLimitIsALimit: Invariant = {
  name: "aLimitIsALimit",
  sentence:
    "inStartup + reservations never exceeds limit on a node where every pod came through a lever (promise 6); pods that " +
    "bring nothing to a settled node are free; where a leader's clock stood still, each of two leaders keeps to the limit.",
  check(witness) {
    const limit = Math.max(...witness.policiesWithin(POLICY_REACHES_ALL_MS).map(({ draft }) => draft.slots));
    const given = new Map<string, { readonly actor: string; readonly name: string }[]>();
    for (const pod of witness.pods) {
      const lever = slotInUse(witness, pod);
      const nodes = pod.node === undefined ? (lever?.nodes ?? []) : [pod.node];
      if (!lever) continue;
      for (const node of nodes) {
        if (lever.free.includes(node)) continue;
        given.set(node, [...(given.get(node) ?? []), { actor: lever.actor, name: pod.name }]);
      }
    }
    const leaders = (actors: readonly string[]) =>
      witness.nowMs < witness.stoodStillUntilMs + DEADLINES.deadlineMs + BIND_MS ? new Set(actors).size : 1;
    for (const [node, slots] of given) {
      const most = limit * leaders(slots.map(({ actor }) => actor));
      if (slots.length <= most) continue;
      const names = slots.map(({ actor, name }) => `${name} (${actor})`).join(", ");
      return `node ${node} has given ${slots.length} of ${most} slots: ${names}`;
    }
    return undefined;
  },
};

/** The slot that a leader gave the pod and that it uses now. Pods that Paceline may let go past the limit use none. */
// eslint-disable-next-line complexity -- one condition after another, each with its reason
function slotInUse(witness: Witness, pod: PodFacts) {
  const { nowMs } = witness;
  const book = witness.books.get(pod.uid);
  const lever = book?.levers.at(-1);
  if (pod.gang !== undefined || !book || !lever || book.isExempt || book.forged || book.everStuck) return undefined;
  if (pod.terminal || pod.deleting || pod.containersStarted || pod.ready) return undefined;
  if (isReleasedByCap(witness, book, lever.atMs)) return undefined;
  const reservationEndsMs = lever.atMs + bindMs(pod, book) - SECOND_MS;
  if (pod.node === undefined) return nowMs < reservationEndsMs ? lever : undefined;
  const cameInTime = lever.nodes.includes(pod.node) && (book.boundAtMs ?? nowMs) < reservationEndsMs;
  return cameInTime && !isStuck(pod, DEADLINES, nowMs + SECOND_MS) ? lever : undefined;
}

/** How long a reservation lasts at least: a refusal by the scheduler may end it early. */
const bindMs = ({ shape }: PodFacts, { everRefused }: PodBook) =>
  shape.interPodRules || everRefused ? REFUSED_MS : BIND_MS;

/** Promise 2 comes before promise 6: near its cap a pod goes, whether a slot is free or not. */
function isReleasedByCap(witness: Witness, { createdAtMs }: PodBook, atMs: number): boolean {
  const shortestMs = SECOND_MS * Math.min(...witness.policies.map(({ draft }) => draft.maxHoldSeconds));
  return atMs - createdAtMs + SECOND_MS >= shortestMs - easeMs(shortestMs);
}

export const nothingReleasedTwice: Invariant = {
  name: "nothingReleasedTwice",
  sentence:
    "A new leader releases nothing twice (promise 7): no second slot while the first one counts, none once bound.",
  check: (witness) => firstOf(witness.fresh, (change) => secondRelease(witness, change)),
};

// eslint-disable-next-line complexity -- one condition after another, each with its reason
function secondRelease(witness: Witness, { after, before, actor, atMs }: Change): string | undefined {
  if (!after || !before || actor === "tenant") return undefined;
  const book = witness.books.get(after.metadata?.uid ?? "");
  const [last, earlier] = [book?.levers.at(-1), book?.levers.at(-2)];
  if (!book || !last || book.forged || last.atMs !== atMs || last.actor !== actor) return undefined;
  const pod = witness.podFactsOf(after);
  if (pod.node !== undefined)
    return `${actor} gave pod ${pod.name} a slot of node ${last.nodes.join()} after it was bound`;
  if (!earlier || atMs >= earlier.datedMs + bindMs(pod, book) - SECOND_MS) return undefined;
  const node = witness.nodes.find(({ name }) => earlier.nodes.includes(name));
  if (!node || node.createdAtMs + SECOND_MS > earlier.atMs) return undefined; // its node is gone, or is another one now
  const nodes = `${last.nodes.join()}; ${earlier.actor} had given it one of ${earlier.nodes.join()}`;
  return `${actor} gave pod ${pod.name} a slot of node ${nodes}`;
}

export const exemptNeverHeld: Invariant = {
  name: "exemptNeverHeld",
  sentence: "Never holds what the node needs to live: exempt namespaces and critical priority classes (promise 4).",
  check: ({ books }) => {
    for (const { uid, isExempt, cameGated } of books.values()) if (isExempt && cameGated) return `pod ${uid} is gated`;
    return undefined;
  },
};

export const noWriteWithoutTheLease: Invariant = {
  name: "noWriteWithoutTheLease",
  sentence: "Only the leader spends: a replica whose Lease another one has taken writes to no pod and no node.",
  check(witness) {
    if (witness.nowMs < witness.stoodStillUntilMs) return undefined;
    return firstOf(witness.fresh, ({ actor, holder, path }) => {
      const isReplica = witness.replicas.some(({ name }) => name === actor);
      return isReplica && holder !== actor && holder !== ""
        ? `${actor} wrote ${path} while ${holder} leads`
        : undefined;
    });
  },
};

export const twoNeverLead: Invariant = {
  name: "twoNeverLead",
  sentence: "Two replicas never believe to lead at the same time, unless the clock of one stood still.",
  check(witness) {
    if (witness.nowMs < witness.stoodStillUntilMs) return undefined;
    const leaders = witness.replicas.filter(({ leads }) => leads).map(({ name }) => name);
    return leaders.length > 1 ? `${leaders.join(" and ")} believe to lead` : undefined;
  },
};

export const noGateWithoutALeader: Invariant = {
  name: "noGateWithoutALeader",
  sentence: "When no leader is alive (the Lease is stale), the webhook gates nothing.",
  check(witness) {
    if (witness.leaseAgeMs < LEASE_TIMES.durationMs * 1.2 + 5 * SECOND_MS) return undefined;
    if (witness.nowMs < witness.stoodStillUntilMs) return undefined;
    for (const { cameGated, createdAtMs, uid } of witness.books.values()) {
      if (cameGated && createdAtMs === witness.nowMs) return `pod ${uid} is gated though nobody leads`;
    }
    return undefined;
  },
};

export const allStateIsInTheApiServer: Invariant = {
  name: "allStateIsInTheApiServer",
  sentence: "All state is in the API server: a replica that starts anew comes to the same ledger (promise 7).",
  check(witness) {
    if (witness.quietForMs < RECOVERED_MS || !isSettledMoment(witness)) return undefined;
    // observe changes nothing, so nothing is noted on nodes either.
    if (witness.policiesWithin(RECOVERED_MS).some(({ draft }) => draft.mode !== "enforce")) return undefined;
    if (!witness.isNewMoment()) return undefined;
    for (const replica of witness.replicas) {
      const difference = differenceToFresh(witness, replica);
      if (difference !== undefined) return difference;
    }
    return undefined;
  },
};

/** No change is on its way to the replicas. */
const isSettledMoment = (witness: Witness) => witness.nowMs - witness.lastChangeMs > 3 * SECOND_MS;

function differenceToFresh(witness: Witness, replica: Replica): string | undefined {
  const policy = replica.pacing?.policy.current;
  if (!replica.clocks.isRunning || !policy || !replica.pacing.cluster.isSynced) return undefined;
  const known = [...replica.ledger.pods.keys()].sort().join();
  const there = witness.pods.filter(({ terminal }) => !terminal).map(({ uid }) => uid);
  if (known !== there.sort().join()) return `${replica.name} knows ${replica.ledger.pods.size} pods of ${there.length}`;
  const nodes = [...replica.ledger.nodes.values()].flatMap(({ facts }) => (facts ? [identityOf(facts)] : []));
  const nodesThere = witness.nodes.map(identityOf);
  if (nodes.sort().join() !== nodesThere.sort().join()) {
    return `${replica.name} knows the nodes [${nodes.join(", ")}], and there are [${nodesThere.join(", ")}]`;
  }
  const nowMs = replica.clock.now();
  const fresh = createPacer(policy);
  for (const node of witness.nodes) fresh.upsertNode(replica.leads ? node : withNote(replica, node), nowMs);
  for (const pod of witness.pods) if (!pod.terminal) fresh.upsertPod(pod, nowMs);
  fresh.plan(nowMs);
  const [expected, actual] = [ledgerOf(fresh.status(nowMs)), ledgerOf(replica.pacer.status(nowMs))];
  return expected === actual ? undefined : `${replica.name} has ${actual}; the API server has ${expected}`;
}

/** A reboot that no leader saw is noted by a standby that saw it only once it leads. */
function withNote({ ledger, clock }: Replica, node: NodeFacts): NodeFacts {
  const known = ledger.nodes.get(node.name)?.facts;
  return { ...node, openedNote: (known && neededNote(known, clock.now())) ?? node.openedNote };
}

const identityOf = ({ name, uid }: NodeFacts) => `${name} (${uid})`;

function ledgerOf({ nodes, settledNodes }: ClusterStatus): string {
  const lines = nodes.map(
    ({ name, state, inStartup, reserved, stuck, fenced }) =>
      `${name} ${state} ${inStartup}+${reserved}-${stuck}${fenced ? " fenced" : ""}`,
  );
  return [...lines.sort(), `${settledNodes} settled`].join("; ");
}

export const noInternalError: Invariant = {
  name: "noInternalError",
  sentence: "No handler, plan or listener throws.",
  check: ({ internalErrors }) => internalErrors[0],
};

export const everythingHeldGoes: Invariant = {
  name: "everythingHeldGoes",
  sentence: "After the last fault, everything held goes.",
  check: atTheEnd((witness) => {
    const held = witness.pods.find(({ gated }) => gated);
    return held && `pod ${held.name} is still gated`;
  }),
};

export const everyFenceFalls: Invariant = {
  name: "everyFenceFalls",
  sentence: "After the last fault, every fence falls.",
  check: atTheEnd((witness) => {
    const fenced = witness.nodes.find(({ fence }) => fence);
    return fenced && `node ${fenced.name} is still fenced`;
  }),
};

export const noReservationStays: Invariant = {
  name: "noReservationStays",
  sentence: "After the last fault, no reservation stays: every slot comes back.",
  check: atTheEnd((witness) => {
    for (const { name, pacer, clock, pacing } of witness.replicas) {
      if (pacing === undefined) continue;
      const taken = pacer.status(clock.now()).nodes.find(({ reserved, offered }) => reserved + offered > 0);
      if (taken) return `${name} keeps ${taken.reserved + taken.offered} slots of node ${taken.name} for nobody`;
    }
    return undefined;
  }),
};

export const aReplicaLeads: Invariant = {
  name: "aReplicaLeads",
  sentence: "After the last fault, one replica leads.",
  check: atTheEnd(({ replicas }) => {
    const leaders = replicas.filter(({ leads }) => leads);
    return leaders.length === 1 ? undefined : `${leaders.length} replicas lead`;
  }),
};

/** In the order in which they are checked: the first that breaks is reported. */
export const invariants: readonly Invariant[] = [
  ...[noInternalError, nothingReleasedTwice, noWriteWithoutTheLease, twoNeverLead],
  ...[noGateWithoutALeader, exemptNeverHeld],
  ...[aLimitIsALimit, noHoldPastItsCap, noFencePastItsCap, noCordonStays],
  ...openingInvariants,
  ...hostileInvariants,
  aGangIsWhole,
  ...[allStateIsInTheApiServer],
  ...[aReplicaLeads, everythingHeldGoes, everyFenceFalls, noReservationStays],
];

function atTheEnd(check: Invariant["check"]): Invariant["check"] {
  return (witness) => (witness.ended ? check(witness) : undefined);
}

function firstOf<Item>(items: readonly Item[], judge: (item: Item) => string | undefined): string | undefined {
  for (const item of items) {
    const found = judge(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

const seconds = (ms: number) => `${(ms / SECOND_MS).toFixed(1)} s`;
