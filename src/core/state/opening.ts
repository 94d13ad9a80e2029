/**
 * When a node last became able to take pods: it opened. That is its first Ready, its Ready after a reboot, the end of
 * a cordon, the loss of a taint that kept pods out, or its first report of an extended resource. Ready that comes and
 * goes within one boot changes nothing, nor does a taint that comes to a settled node and soon goes.
 */
import type { LateTaint, NodeFacts, OpenedNote, Opening, Resources, Taint } from "../facts.ts";
import { SECOND_MS } from "../measures.ts";
import { isJoiningTaint } from "./joining-taints.ts";
import { openRollCall } from "./open-roll-call.ts";

/**
 * A Ready that comes later than this after the node's creation is not its first one, as far as the API server tells,
 * ms. Karpenter gives up on a node after as long.
 */
const JOINS_WITHIN_MS = 900 * SECOND_MS;

/**
 * A taint that comes to a node which has been open for this long, and goes within as long, opens nothing, ms: a network
 * agent is upgraded, or an autoscaler changes its mind. Karpenter does so after ten minutes at most.
 */
const PASSES_WITHIN_MS = 900 * SECOND_MS;

/** A note from so far in the future comes from no clock of ours, ms. Assumed: clocks differ by seconds. */
const CLOCK_SKEW_MS = 60 * SECOND_MS;

/** Taints of Kubernetes itself: of conditions, which come and go, and of cordons, which the spec shows. */
const OF_KUBERNETES = "node.kubernetes.io/";

/** Does it keep pods out, and say nothing of a condition or a cordon? Paceline's taints are not in the facts. */
const closes = ({ key, effect }: Taint): boolean => effect !== "PreferNoSchedule" && !key.startsWith(OF_KUBERNETES);

/** Is it a taint that the node is to lose before it opens? Other taints may be there to stay. */
const isAwaitedLoss = (taint: Taint): boolean => closes(taint) && isJoiningTaint(taint);

/** Is the node cordoned, or under a taint that it is to lose before it opens? */
const isClosed = (node: NodeFacts, late: readonly LateTaint[]): boolean =>
  (node.unschedulable && openRollCall(node) === undefined) ||
  node.taints.some((taint) => isAwaitedLoss(taint) && !late.some((one) => isSame(one, taint)));

/** When the node last opened, epoch ms; undefined while it is closed. Facts of no ledger tell of its Ready only. */
export const openedMs = ({ opening, readySinceMs }: Pick<NodeFacts, "opening" | "readySinceMs">): number | undefined =>
  opening ? opening.openedMs : readySinceMs;

/** What a replica concludes that has not seen the node before: what the API server remembers, and the leader's note. */
export function openingOf(node: NodeFacts, nowMs: number): Opening {
  const late = notedLate(node, nowMs);
  const openedMs = firstSeenMs(node, late, nowMs);
  const resources = extendedOf(node.allocatable);
  const bootID = bootOf(node, believable(node, nowMs)?.bootID ?? "");
  return { openedMs, bootID, resources, lateTaints: openedMs === undefined ? [] : late };
}

/** After a boot a kubelet may say first that its node is not Ready yet: the boot counts once it is. */
const bootOf = ({ bootID, readySinceMs }: NodeFacts, before: string): string =>
  readySinceMs === undefined && before !== "" ? before : (bootID ?? before);

/** A note that dates the opening of a node under a startup taint tells that the taint came later. */
function notedLate(node: NodeFacts, nowMs: number): LateTaint[] {
  const note = believable(node, nowMs);
  if (!isLongOpen(note?.atMs, nowMs) || isOtherBoot(note?.bootID ?? "", node)) return [];
  return node.taints.filter(isAwaitedLoss).map(({ key, effect }) => ({ key, effect, sinceMs: nowMs }));
}

const isLongOpen = (openedMs: number | undefined, nowMs: number) =>
  openedMs !== undefined && nowMs - openedMs >= PASSES_WITHIN_MS;

function firstSeenMs(node: NodeFacts, late: readonly LateTaint[], nowMs: number): number | undefined {
  if (isClosed(node, late)) return undefined;
  const note = believable(node, nowMs);
  if (!note) return unnotedMs(node, nowMs);
  const { readySinceMs } = node;
  if (note.atMs === undefined) return readySinceMs === undefined ? undefined : nowMs;
  const openedMs = Math.min(Math.max(note.atMs, node.createdAtMs), nowMs);
  if (readySinceMs === undefined || !isOtherBoot(note.bootID, node)) return openedMs;
  return readySinceMs > openedMs ? readySinceMs : nowMs;
}

/** Without a note: only a node that is new may be about to open, or may have become Ready for the first time. */
function unnotedMs({ createdAtMs, readySinceMs, fence }: NodeFacts, nowMs: number): number | undefined {
  if (readySinceMs === undefined) return nowMs - createdAtMs <= JOINS_WITHIN_MS ? undefined : createdAtMs;
  const rollCallMs = fence?.rollCall?.sinceMs ?? Infinity; // that needs a Ready node
  const firstMs = Math.min(readySinceMs, rollCallMs >= createdAtMs ? rollCallMs : Infinity);
  return firstMs - createdAtMs <= JOINS_WITHIN_MS ? firstMs : createdAtMs;
}

/** Anyone may write annotations. */
function believable({ openedNote }: NodeFacts, nowMs: number): OpenedNote | undefined {
  return (openedNote?.atMs ?? -Infinity) <= nowMs + CLOCK_SKEW_MS ? openedNote : undefined;
}

const isOtherBoot = (before: string, { bootID = "" }: NodeFacts) => before !== "" && bootID !== "" && before !== bootID;

/** @param before the same node as it was seen last. */
export function nextOpening(before: NodeFacts, node: NodeFacts, nowMs: number): Opening {
  const known = before.opening ?? openingOf(before, nowMs);
  const bootID = bootOf(node, known.bootID);
  const resources = [...new Set([...known.resources, ...extendedOf(node.allocatable)])];
  const late = nextLate(known, before, node, nowMs);
  if (hasNewNote(before, node) && believable(node, nowMs)) {
    const noted = openingOf(node, nowMs); // the leader has seen more than this replica, or has decided before it
    return { ...noted, resources, ...(noted.openedMs === known.openedMs && { lateTaints: late }) };
  }
  const openedMs = nextOpenedMs(known, before, { node, late }, nowMs);
  return { openedMs, bootID, resources, lateTaints: openedMs === undefined ? [] : late };
}

/** Taints that are there at a boot are no late ones: the node joins again. */
function nextLate({ openedMs, bootID, lateTaints }: Opening, before: NodeFacts, node: NodeFacts, nowMs: number) {
  if (openedMs === undefined || isOtherBoot(bootID, node)) return [];
  return node.taints.filter(closes).flatMap((taint): LateTaint | [] => {
    const known = lateTaints?.find((one) => isSame(one, taint));
    const isNew = isLongOpen(openedMs, nowMs) && !before.taints.some((one) => isSame(one, taint));
    return known ?? (isNew ? { key: taint.key, effect: taint.effect, sinceMs: nowMs } : []);
  });
}

interface NextNode {
  readonly node: NodeFacts;
  readonly late: readonly LateTaint[];
}

function nextOpenedMs(known: Opening, before: NodeFacts, { node, late }: NextNode, nowMs: number): number | undefined {
  const { readySinceMs } = node;
  if (isClosed(node, late)) return undefined;
  // By a clock that has been set back since it may be in the future; then only what the API server has counts.
  const isAhead = known.openedMs !== undefined && known.openedMs > nowMs + CLOCK_SKEW_MS;
  const openedMs = isAhead ? firstSeenMs(node, late, nowMs) : known.openedMs;
  if (readySinceMs === undefined) return openedMs;
  const becameReady = readySinceMs !== before.readySinceMs;
  if (openedMs === undefined || isOtherBoot(known.bootID, node)) return becameReady ? readySinceMs : nowMs;
  const hasPassed = (taint: Taint) =>
    known.lateTaints?.some((one) => isSame(one, taint) && nowMs - one.sinceMs < PASSES_WITHIN_MS);
  const hasLost = before.taints.some(
    (taint) => closes(taint) && !node.taints.some((one) => isSame(one, taint)) && !hasPassed(taint),
  );
  const hasMore = extendedOf(node.allocatable).some((name) => !known.resources.includes(name));
  return hasLost || hasMore ? nowMs : openedMs;
}

const isSame = (a: Pick<Taint, "key" | "effect">, b: Pick<Taint, "key" | "effect">) =>
  a.key === b.key && a.effect === b.effect;

function hasNewNote({ openedNote: before }: NodeFacts, { openedNote: now }: NodeFacts): boolean {
  return now !== undefined && (now.atMs !== before?.atMs || now.bootID !== before?.bootID);
}

/** Extended resources have a domain in their name. Their amount is 0 while their driver has reported none. */
const extendedOf = (allocatable: Resources): string[] =>
  Object.keys(allocatable).filter((name) => isExtended(name) && (allocatable[name] ?? 0) > 0);

export const isExtended = (resource: string): boolean => resource.includes("/");

/**
 * The note that the node is to carry; undefined where it needs none, because the API server and the note that is there
 * tell a new leader the same.
 */
export function neededNote(node: NodeFacts, nowMs: number): OpenedNote | undefined {
  const { opening, openedNote, readySinceMs } = node;
  if (!opening) return undefined;
  const { openedMs, bootID } = opening;
  const expected = openingOf(node, nowMs + SECOND_MS).openedMs; // by then, not "now", which is no answer that stays
  const note = { atMs: openedMs, bootID };
  if (expected !== openedMs) return note;
  if (openedMs === undefined) return readySinceMs === undefined || isNotedClosed(openedNote) ? undefined : note;
  // Before a new leader sees it.
  const mayReboot = readySinceMs === undefined && bootID !== "";
  return mayReboot && openedNote?.bootID !== bootID ? note : undefined;
}

const isNotedClosed = (note: OpenedNote | undefined) => note !== undefined && note.atMs === undefined;
