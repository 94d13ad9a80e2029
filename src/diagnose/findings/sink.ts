/** What readers of records hand over, and what becomes of it is the tally's affair. */
import type { Fingerprint } from "../classify/fingerprints.ts";
import type { ObjectSink } from "./object-sink.ts";

/** Which of a container status' places told of an end; the same end is told in more than one. */
export type Place = "state" | "lastStateWaiting" | "lastStateRunning" | "waiting";

/** One report of a failure; a failure is usually reported often. */
export interface FailureReport {
  readonly source: "status" | "event" | "log";
  readonly fingerprint: Fingerprint;
  /** Epoch ms. */
  readonly atMs: number;
  readonly namespace: string;
  readonly pod: string;
  /** "" when the record does not tell it; so for all texts here. */
  readonly uid: string;
  readonly container: string;
  /** Number of the attempt, from 0, when it is told. */
  readonly attempt: number | undefined;
  readonly containerId: string;
  readonly finishedAt: string;
  readonly place: Place | undefined;
  readonly node: string;
  readonly image: string;
  /** `Kind/name` of the controller. */
  readonly owner: string;
  readonly message: string;
  /** A StartError that the image or the manifest explains: judged on the whole message, which is kept only in part. */
  readonly misconfigured: boolean;
  /** True when `atMs` was read from a clock of unknown zone, which was taken for UTC. */
  readonly isZoneless?: boolean;
}

/** Why something was not used, or not in full; one key each in `skipped.byCause`. */
export const skipCauses = {
  brokenJson: "JSON or YAML that cannot be parsed, such as a line that was cut",
  torn: "a line that was cut off, by a pager or at the end of the input",
  notRecognised: "a line or record of no shape that is known here",
  lineTooLong: "a single record over 16 MiB",
  truncatedGzip: "a gzip stream that ends too early, or is damaged; what came before was used",
  nulBytes: "a line of NUL bytes only",
  duplicate: "an audit event that was read already",
  aggregatedRow: "a row of counts (stats … by bin), not of events",
  otherKind: "an object of the API of a kind that tells nothing of starts",
  noDetails: "a failure of which only the reason is told, without the message that would tell why",
  roundedAge: "a node in a table, whose age is rounded: kubectl get nodes -o json tells its creation",
  withoutTime: "a record that has no usable time; a failure in it is dated as the line before",
} as const;

export type SkipCause = keyof typeof skipCauses;

/** A cause with its words, for people. */
export const causeWords = (cause: string): string => `${cause}: ${skipCauses[cause as SkipCause]}`;

/** Causes for which something was there that could not be read. */
export const unreadCauses = ["brokenJson", "torn", "notRecognised", "lineTooLong", "noDetails"] as const;
export type UnreadCause = (typeof unreadCauses)[number];

/**
 * `evidence`: a failed start would show in it. `context`: it would not, as in a header, a node or a line of another
 * program.
 */
export type Worth = "evidence" | "context";

export interface Sink {
  /** Gets the objects, too, where a herd is rebuilt of them. */
  readonly objects?: ObjectSink | undefined;
  /** True when only a window of time counts: records then tell when they were written. */
  readonly hasWindow: boolean;
  /** A record of a known shape was read. `atMs`: when it was written, as far as it tells. */
  usable(worth: Worth, atMs?: number): void;
  /** Lines that are not blank, read or not. */
  lines(count: number): void;
  skip(cause: SkipCause): void;
  /** A line, or a record inside a document, that could not be read; `text` is searched for marks of the problem. */
  unread(cause: UnreadCause, text: string, unit: "line" | "record"): void;
  /** By how much local time was ahead of UTC where a log was written, ms, as a line of it shows. */
  zone(offsetMs: number): void;
  /** False when this audit event was read before. The key tells it from all others. */
  firstTime(auditKey: string): boolean;
  /** An audit event that the CloudWatch query counts. */
  queried(atMs: number): void;
  failure(report: FailureReport): void;
  /**
   * A pod came to a node. A binding tells it better than a status (which has whole seconds), this better than an Event.
   */
  started(podKey: string, node: string, atMs: number, from: "binding" | "status" | "event"): void;
  /** Whether a start of this pod is known already, so that the fast path can leave out its further lines. */
  knowsStart(podKey: string): boolean;
  nodeCreated(node: string, atMs: number): void;
  nodeSeen(node: string, atMs: number): void;
  knowsNode(node: string): boolean;
}
