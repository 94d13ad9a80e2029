/**
 * Writes and reads Paceline's annotations on pods and nodes. Other clients may have edited them, so reading is lenient.
 */
import { holdReasons } from "../../api/reasons.ts";
import type { HoldReason } from "../../api/reasons.ts";
import type { HoldNote, OpenedNote, PodFacts } from "../../core/facts.ts";
import { nodeName } from "../../core/ids.ts";
import type { NodeName } from "../../core/ids.ts";
import { MOST_NODES } from "../../core/state/ledger.ts";
import { recordOf, textOf, textsOf, timeOf } from "./kube-json.ts";

export type ReservationNote = NonNullable<PodFacts["reservation"]>;
export type ReleaseNote = NonNullable<PodFacts["release"]>;

/**
 * `{"node","reason","since","freed"}`, the value of the hold annotation. `node` is left out if any of several nodes
 * would do; `freed` is true where others gated the pod until `since`, and left out otherwise.
 */
export function formatHold({ node, reason, sinceMs, freed }: HoldNote): string {
  return JSON.stringify({ node, reason, since: new Date(sinceMs).toISOString(), freed });
}

/** Reads a hold annotation; undefined if it is malformed. A reason of another version counts as `AwaitingRelease`. */
export function parseHold(text: string | undefined): HoldNote | undefined {
  const note = parseJson(text);
  const sinceMs = timeOf(note["since"]);
  if (sinceMs === undefined) return undefined;
  const reason = textOf(note["reason"]);
  const node = textOf(note["node"]);
  return {
    node: node === "" ? undefined : nodeName(node),
    reason: Object.hasOwn(holdReasons, reason) ? (reason as HoldReason) : "AwaitingRelease",
    sinceMs,
    ...(note["freed"] === true && { freed: true }),
  };
}

/** `{"node","others","at"}`, the value of the reservation annotation. `others` is left out where there are none. */
export function formatReservation(node: NodeName, atMs: number, others: readonly NodeName[] = []): string {
  return JSON.stringify({ node, ...(others.length > 0 && { others }), at: new Date(atMs).toISOString() });
}

/** Reads a reservation annotation; undefined if it is malformed. */
export function parseReservation(text: string | undefined): ReservationNote | undefined {
  const note = parseJson(text);
  const atMs = timeOf(note["at"]);
  const node = textOf(note["node"]);
  if (atMs === undefined || node === "") return undefined;
  const others = [...new Set(textsOf(note["others"]))].filter((other) => other !== node && other !== "");
  // Anyone may write annotations: none takes more slots than a release does.
  const counted = others.slice(0, MOST_NODES - 1).map(nodeName);
  return { node: nodeName(node), ...(counted.length > 0 && { others: counted }), atMs };
}

/** `{"at","heldSeconds","ungated"}`, the value of the release annotation. `ungated` is there only where it is true. */
export function formatRelease({ atMs, heldMs, ungated }: ReleaseNote): string {
  return JSON.stringify({ at: new Date(atMs).toISOString(), heldSeconds: Math.round(heldMs) / 1_000, ungated });
}

/** Reads a release annotation; undefined if it is malformed. */
export function parseRelease(text: string | undefined): ReleaseNote | undefined {
  const note = parseJson(text);
  const atMs = timeOf(note["at"]);
  const held = note["heldSeconds"];
  if (atMs === undefined || typeof held !== "number" || !(held >= 0)) return undefined;
  return { atMs, heldMs: held * 1_000, ...(note["ungated"] === true && { ungated: true }) };
}

/** `{"at","boot"}`, the value of the annotation on a node's openings; `at` is left out while the node is closed. */
export function formatOpened({ atMs, bootID }: OpenedNote): string {
  return JSON.stringify({ at: atMs === undefined ? undefined : new Date(atMs).toISOString(), boot: bootID });
}

/** Reads a note on a node's openings; undefined if it is malformed. */
export function parseOpened(text: string | undefined): OpenedNote | undefined {
  const { at, boot } = parseJson(text);
  const atMs = timeOf(at);
  if (typeof boot !== "string" || (at !== undefined && atMs === undefined)) return undefined;
  return { atMs, bootID: boot };
}

function parseJson(text: string | undefined): Readonly<Record<string, unknown>> {
  if (text === undefined) return {};
  try {
    return recordOf(JSON.parse(text));
  } catch {
    return {};
  }
}
