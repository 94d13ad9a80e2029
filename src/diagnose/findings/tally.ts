/** Gathers what the readers hand over, in bounded memory, and holds it for the report. */
import { createHash } from "node:crypto";
import { isStartError, type Fingerprint } from "../classify/fingerprints.ts";
import { Account } from "./account.ts";
import type { ObjectSink } from "./object-sink.ts";
import type { FailureReport, Sink, SkipCause, UnreadCause, Worth } from "./sink.ts";

/** Audit events remembered to find duplicates: two generations of this many, about 60 bytes each. */
const REMEMBERED_EVENTS = 250_000;
/** Pods whose start is remembered: the latest ones, about 300 bytes each. */
const REMEMBERED_PODS = 100_000;
/** Distinct failures kept with their particulars; beyond this they are only counted. About 700 bytes each. */
const KEPT_FAILURES = 60_000;

export interface PodStart {
  readonly node: string;
  readonly atMs: number;
  readonly from: "binding" | "status" | "event";
}

export interface NodeTimes {
  createdMs: number | undefined;
  firstSeenMs: number;
}

export interface Window {
  /** Epoch ms, inclusive. */
  readonly sinceMs: number | undefined;
  /** Epoch ms, exclusive. */
  readonly untilMs: number | undefined;
}

export class Tally implements Sink {
  readonly queryBins = new Map<number, number>();
  readonly skipped = new Map<SkipCause, number>();
  readonly failures = new Map<string, FailureReport>();
  readonly starts = new Map<string, PodStart>();
  readonly nodes = new Map<string, NodeTimes>();
  /** Failures beyond those that are kept, by fingerprint. */
  readonly overflow = new Map<Fingerprint, number>();
  readonly account = new Account();
  readonly window: Window;
  readonly objects: ObjectSink | undefined;
  failureReports = 0;
  /** How far local time is ahead of UTC, ms; undefined while no line has shown it. */
  zoneMs: number | undefined;
  #recent = new Set<string>();
  #older = new Set<string>();
  readonly #binMs: number;
  readonly #failuresOutside = new Set<string>();

  constructor(binMs: number, window: Window, objects?: ObjectSink) {
    this.objects = objects;
    this.#binMs = binMs;
    this.window = { sinceMs: window.sinceMs, untilMs: window.untilMs };
  }

  /** Records of a known shape. */
  get usableRecords(): number {
    return this.account.usable;
  }

  get hasWindow(): boolean {
    return this.window.sinceMs !== undefined || this.window.untilMs !== undefined;
  }

  usable(worth: Worth, atMs?: number): void {
    if (atMs !== undefined) this.account.spans(atMs);
    this.account.read(this.hasWindow && !this.#liesInside(worth, atMs) ? "context" : worth);
  }

  /** What lies outside the window, or tells no time, says nothing of what happened inside. */
  #liesInside(worth: Worth, atMs: number | undefined): boolean {
    const { window } = this.account;
    if (atMs === undefined) {
      if (worth === "evidence") window.undated++;
      return false;
    }
    const isInside = this.#inWindow(atMs);
    if (isInside) window.inside++;
    else window.outside++;
    return isInside;
  }

  lines(count: number): void {
    this.account.lines += count;
  }

  unread(cause: UnreadCause, text: string, unit: "line" | "record"): void {
    this.skip(cause);
    this.account.unread(cause, text, unit);
  }

  zone(offsetMs: number): void {
    this.zoneMs = offsetMs;
  }

  skip(cause: SkipCause): void {
    this.skipped.set(cause, (this.skipped.get(cause) ?? 0) + 1);
  }

  firstTime(auditKey: string): boolean {
    const key = createHash("sha1").update(auditKey).digest("binary").slice(0, 12);
    if (this.#recent.has(key) || this.#older.has(key)) return false;
    this.#recent.add(key);
    if (this.#recent.size >= REMEMBERED_EVENTS) {
      this.#older = this.#recent;
      this.#recent = new Set();
    }
    return true;
  }

  queried(atMs: number): void {
    if (!this.#inWindow(atMs)) return;
    const bin = Math.floor(atMs / this.#binMs) * this.#binMs;
    this.queryBins.set(bin, (this.queryBins.get(bin) ?? 0) + 1);
  }

  failure(report: FailureReport): void {
    const key = reportKey(report);
    if (!this.#inWindow(report.atMs)) {
      this.account.spans(report.atMs);
      if (this.#failuresOutside.size < KEPT_FAILURES) this.#failuresOutside.add(key);
      this.account.window.failuresOutside = this.#failuresOutside.size;
      return;
    }
    this.failureReports++;
    const before = this.failures.get(key);
    if (before) {
      this.failures.set(key, completed(before, report));
    } else if (this.failures.size < KEPT_FAILURES) {
      this.failures.set(key, compact(report));
    } else {
      this.overflow.set(report.fingerprint, (this.overflow.get(report.fingerprint) ?? 0) + 1);
    }
  }

  started(podKey: string, node: string, atMs: number, from: PodStart["from"]): void {
    const before = this.starts.get(podKey);
    const isNewPod = before !== undefined && from === "binding" && before.from === "binding" && before.node !== node;
    if (before && !isNewPod && rank(before.from) <= rank(from)) return;
    this.starts.set(podKey, { node, atMs, from });
    this.nodeSeen(node, atMs);
    if (this.starts.size > REMEMBERED_PODS) {
      const [oldest] = this.starts.keys();
      if (oldest !== undefined) this.starts.delete(oldest);
    }
  }

  knowsStart(podKey: string): boolean {
    return this.starts.has(podKey);
  }

  nodeCreated(node: string, atMs: number): void {
    if (node === "") return;
    const times = this.nodes.get(node) ?? { createdMs: undefined, firstSeenMs: atMs };
    // A node that was replaced under its old name is as young as its successor.
    times.createdMs = Math.max(times.createdMs ?? atMs, atMs);
    this.nodes.set(node, times);
  }

  nodeSeen(node: string, atMs: number): void {
    if (node === "") return;
    const times = this.nodes.get(node);
    if (!times) this.nodes.set(node, { createdMs: undefined, firstSeenMs: atMs });
    else if (atMs < times.firstSeenMs) times.firstSeenMs = atMs;
  }

  knowsNode(node: string): boolean {
    return this.nodes.has(node);
  }

  #inWindow(atMs: number): boolean {
    const { sinceMs, untilMs } = this.window;
    return (sinceMs === undefined || atMs >= sinceMs) && (untilMs === undefined || atMs < untilMs);
  }
}

const rank = (from: PodStart["from"]) => ({ binding: 0, status: 1, event: 2 })[from];

/**
 * Log lines of one failure come within moments of each other; the kubelet waits 10 s at least before it tries again.
 */
const LOG_BURST_MS = 5_000;

/** Equal for reports that are certainly the same failure, told by the same kind of source. */
function reportKey(report: FailureReport): string {
  const { source, fingerprint, namespace, pod, uid, container, containerId, attempt, node } = report;
  const who = uid === "" ? `${namespace}/${pod}` : uid;
  if (source === "event" && who === "/")
    return `event|${fingerprint}|${container}|${Math.floor(report.atMs / LOG_BURST_MS)}`;
  if (source === "event") return `event|${who}|${container}|${fingerprint}|${attempt ?? ""}`;
  if (source === "status") {
    const which = containerId === "" ? `#${attempt ?? 0}${report.place ?? ""}` : `${containerId} ${report.finishedAt}`;
    return `status|${who}|${container}|${kind(fingerprint)}|${which}`;
  }
  if (pod === "" && uid === "") {
    return `log|${fingerprint}|${containerId || `${node} ${Math.floor(report.atMs / LOG_BURST_MS)}`}`;
  }
  const isStart = kind(fingerprint) === "start";
  const which = attempt ?? (isStart ? containerId || Math.floor(report.atMs / LOG_BURST_MS) : "");
  return `log|${who}|${container}|${fingerprint}|${which}`;
}

/** StartErrors are told apart by attempt; their fingerprint is the attempt's own. */
const kind = (fingerprint: Fingerprint) => (isStartError(fingerprint) ? "start" : fingerprint);

/** Long messages are needed for judging once only, and that has been done. */
const compact = (report: FailureReport): FailureReport => ({ ...report, message: report.message.slice(0, 300) });

/** The earlier report with what the later one knows besides; the earliest time counts. */
export function completed(before: FailureReport, later: FailureReport): FailureReport {
  return {
    ...before,
    atMs: Math.min(before.atMs, later.atMs),
    namespace: before.namespace || later.namespace,
    pod: before.pod || later.pod,
    uid: before.uid || later.uid,
    node: before.node || later.node,
    image: before.image || later.image,
    owner: before.owner || later.owner,
    container: before.container || later.container,
    finishedAt: before.finishedAt || later.finishedAt,
    attempt: before.attempt ?? later.attempt,
  };
}
