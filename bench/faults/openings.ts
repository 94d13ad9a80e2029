/**
 * When each node last opened, by what the world did to it: the harness's own count, from docs/adr/0011 and not from
 * Paceline's code or notes.
 */
import { recordOf, recordsOf, textOf, timeOf, type KubeObject } from "../../src/kube/parse/kube-json.ts";
import { specOf, STARTUP_TAINT_KEY, statusOf } from "./modelled-cluster.ts";

/** A taint that comes to a node which has been open for so long, and goes within as long, opens nothing, ms. */
const PASSES_WITHIN_MS = 900_000;

/** A node as the world shows it. Paceline's own taints are no part of it. */
interface Seen {
  /** Epoch ms; undefined while it is not Ready. */
  readonly readyMs: number | undefined;
  readonly bootID: string;
  readonly cordoned: boolean;
  readonly taints: ReadonlySet<string>;
  /** Extended ones. */
  readonly resources: ReadonlySet<string>;
}

interface NodeBook extends Seen {
  /** Epoch ms; undefined while the node is closed. */
  readonly openedMs: number | undefined;
  readonly openedLate: boolean;
  /** It has been Ready. */
  readonly wasOpened: boolean;
  /** Since when it is under a taint that came when it had long been open, epoch ms. */
  readonly lateTaintMs: number | undefined;
  /** When such a taint came last, epoch ms. */
  readonly passingMs: number | undefined;
}

export class Openings {
  readonly #books = new Map<string, NodeBook>();

  /** When the node of this uid opened, epoch ms; undefined while it is closed. */
  openedMs = (uid: string): number | undefined => this.#books.get(uid)?.openedMs;

  /** It opened by something other than its first Ready. */
  openedLate = (uid: string): boolean => this.#books.get(uid)?.openedLate === true;

  /** When a taint came last that may pass without an opening, epoch ms; undefined: never. */
  passingMs = (uid: string): number | undefined => this.#books.get(uid)?.passingMs;

  isCordoned = (uid: string): boolean => this.#books.get(uid)?.cordoned === true;

  /** The world has changed a node, which was `was`. */
  note(was: KubeObject | undefined, node: KubeObject, nowMs: number): void {
    const uid = textOf(node.metadata?.uid);
    const before = this.#books.get(uid);
    const isUnchanged = was !== undefined && isCordoned(was) === isCordoned(node);
    const seen = seenOf(node, isUnchanged && before ? before.cordoned : isCordoned(node));
    this.#books.set(uid, before ? next(before, seen, nowMs) : first(seen));
  }
}

function first(seen: Seen): NodeBook {
  const openedMs = isClosed(seen, undefined) ? undefined : seen.readyMs;
  const none = { lateTaintMs: undefined, passingMs: undefined };
  return { ...seen, ...none, openedMs, openedLate: false, wasOpened: seen.readyMs !== undefined };
}

function next(before: NodeBook, seen: Seen, nowMs: number): NodeBook {
  const lateTaintMs = nextLateTaintMs(before, seen, nowMs);
  const openedMs = nextOpenedMs(before, seen, lateTaintMs, nowMs);
  return {
    ...seen,
    openedMs,
    lateTaintMs,
    passingMs: lateTaintMs ?? before.passingMs,
    openedLate: openedMs === before.openedMs ? before.openedLate : before.wasOpened,
    resources: new Set([...before.resources, ...seen.resources]),
    wasOpened: before.wasOpened || seen.readyMs !== undefined,
    bootID: seen.readyMs === undefined ? before.bootID : seen.bootID,
  };
}

/** Not of a taint that is there at a boot, or while the node is cordoned. */
function nextLateTaintMs(before: NodeBook, seen: Seen, nowMs: number): number | undefined {
  const isReboot = seen.readyMs !== undefined && seen.bootID !== before.bootID;
  if (seen.taints.size === 0 || seen.cordoned || before.openedMs === undefined || isReboot) return undefined;
  const isNew = before.taints.size === 0 && nowMs - before.openedMs >= PASSES_WITHIN_MS;
  return before.lateTaintMs ?? (isNew ? nowMs : undefined);
}

function nextOpenedMs(before: NodeBook, seen: Seen, lateTaintMs: number | undefined, nowMs: number) {
  if (isClosed(seen, lateTaintMs)) return undefined;
  if (seen.readyMs === undefined) return before.openedMs;
  const passes = before.lateTaintMs !== undefined && nowMs - before.lateTaintMs < PASSES_WITHIN_MS;
  const hasLost =
    (before.cordoned && !seen.cordoned) || (!passes && [...before.taints].some((key) => !seen.taints.has(key)));
  const hasMore = [...seen.resources].some((name) => !before.resources.has(name));
  const isReboot = seen.bootID !== before.bootID;
  const isOpening = before.openedMs === undefined || hasLost || hasMore || isReboot;
  return isOpening ? Math.floor(nowMs / 1_000) * 1_000 : before.openedMs; // as the API server writes times
}

const isClosed = ({ cordoned, taints }: Seen, lateTaintMs: number | undefined) =>
  cordoned || (taints.size > 0 && lateTaintMs === undefined);

const isCordoned = (node: KubeObject) => specOf(node)["unschedulable"] === true;

/** @param cordoned by the world, not for a roll call */
function seenOf(node: KubeObject, cordoned: boolean): Seen {
  return {
    readyMs: readySinceMs(node),
    bootID: textOf(recordOf(statusOf(node)["nodeInfo"])["bootID"]),
    cordoned,
    taints: closingTaints(node),
    resources: new Set(Object.keys(recordOf(statusOf(node)["allocatable"])).filter((name) => name.includes("/"))),
  };
}

function readySinceMs(node: KubeObject): number | undefined {
  const ready = recordsOf(statusOf(node)["conditions"]).find(({ type }) => type === "Ready");
  return ready?.["status"] === "True" ? timeOf(ready["lastTransitionTime"]) : undefined;
}

/** Startup taints of the modelled cluster. */
const closingTaints = (node: KubeObject): ReadonlySet<string> =>
  new Set(
    recordsOf(specOf(node)["taints"])
      .map(({ key }) => textOf(key))
      .filter((key) => key === STARTUP_TAINT_KEY),
  );
