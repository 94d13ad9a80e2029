/**
 * Events (events.k8s.io/v1), for people that run `kubectl describe pod`. They are best effort by design: emitting never
 * blocks and never throws. Events beyond the queue or the rate are dropped and counted.
 */
import { LRUCache } from "lru-cache";
import { COMPONENT } from "../../api/names.ts";
import type { ApiClient } from "../client/api-client.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";

/** The object that an Event is about. */
export interface Regarding {
  readonly apiVersion: string;
  readonly kind: string;
  /** Undefined for nodes; their Events live in `default`, as the kubelet's do. */
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly uid: string;
}

export interface EventToEmit {
  readonly regarding: Regarding;
  readonly type: "Normal" | "Warning";
  /** CamelCase, e.g. `Held`. */
  readonly reason: string;
  /** The action, CamelCase, e.g. `Hold`. */
  readonly action: string;
  /** For people; cut at 1,024 bytes, the API server's limit. */
  readonly note: string;
}

export interface EventCounts {
  written: number;
  /** The same Event about the same object within the last minute. */
  repeated: number;
  /** Queue full, or stopped. */
  dropped: number;
  /** The API server refused or did not answer. */
  failed: number;
}

export interface EventRecorder {
  emit(event: EventToEmit): void;
  readonly counts: Readonly<EventCounts>;
  /** Drops waiting Events; resolves when nothing is being written any more. */
  stop(): Promise<void>;
}

export interface EventLimits {
  /** Waiting Events. */
  readonly queue: number;
  readonly perSecond: number;
  readonly burst: number;
  /** The same Event is not repeated within this time. */
  readonly repeatAfterMs: number;
}

/** Assumed: reasons of 1,000 held pods are written within a minute, at a tenth of what a release loop writes. */
export const EVENT_LIMITS: EventLimits = { queue: 1_000, perSecond: 20, burst: 50, repeatAfterMs: 60_000 };

/** Events written at the same time: enough for the rate when the API server takes 100 ms for each. */
const IN_FLIGHT = 4;

/** Events remembered to recognise repetitions. */
const REMEMBERED = 10_000;

const LONGEST_NOTE_BYTES = 1_024;

export interface EventRecorderOptions {
  readonly client: ApiClient;
  /** The reporting instance, e.g. the pod's name. */
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: EventLimits | undefined;
}

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  return new Recorder(options);
}

class Recorder implements EventRecorder {
  readonly counts: EventCounts = { written: 0, repeated: 0, dropped: 0, failed: 0 };
  readonly #options: EventRecorderOptions;
  readonly #limits: EventLimits;
  readonly #recent = new LRUCache<string, number>({ max: REMEMBERED });
  readonly #running = new Set<Promise<void>>();
  #waiting: EventToEmit[] = [];
  #tokens: number;
  #refilledMs: number;
  #cancelTimer: (() => void) | undefined;
  #stopped = false;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#limits = options.limits ?? EVENT_LIMITS;
    this.#tokens = this.#limits.burst;
    this.#refilledMs = options.clock.now();
  }

  emit(event: EventToEmit): void {
    if (this.#isRepeated(event)) this.counts.repeated++;
    else if (this.#stopped || this.#waiting.length >= this.#limits.queue) this.counts.dropped++;
    else this.#waiting.push(event);
    this.#pump();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.counts.dropped += this.#waiting.length;
    this.#waiting = [];
    this.#cancelTimer?.();
    await Promise.all(this.#running);
  }

  #isRepeated({ regarding, reason, note }: EventToEmit): boolean {
    const key = `${regarding.uid} ${reason} ${note}`;
    const nowMs = this.#options.clock.now();
    const lastMs = this.#recent.get(key);
    if (lastMs !== undefined && nowMs < lastMs + this.#limits.repeatAfterMs) return true;
    this.#recent.set(key, nowMs);
    return false;
  }

  /** Writes as many as tokens and connections allow, and continues when there is a token again. */
  #pump(): void {
    this.#refill();
    while (this.#waiting.length > 0 && this.#running.size < IN_FLIGHT && this.#tokens >= 1) {
      const event = this.#waiting.shift();
      if (event === undefined) return;
      this.#tokens--;
      const writing: Promise<void> = this.#write(event).finally(() => {
        this.#running.delete(writing);
        this.#pump();
      });
      this.#running.add(writing);
    }
    if (this.#waiting.length === 0 || this.#tokens >= 1 || this.#cancelTimer !== undefined) return;
    this.#cancelTimer = this.#options.clock.setTimer(() => {
      this.#cancelTimer = undefined;
      this.#pump();
    }, 1_000 / this.#limits.perSecond);
  }

  #refill(): void {
    const nowMs = this.#options.clock.now();
    const earned = ((nowMs - this.#refilledMs) / 1_000) * this.#limits.perSecond;
    this.#tokens = Math.min(this.#limits.burst, this.#tokens + Math.max(earned, 0));
    this.#refilledMs = nowMs;
  }

  async #write(event: EventToEmit): Promise<void> {
    const namespace = event.regarding.namespace ?? "default";
    try {
      const body = eventObject(event, namespace, this.#options.instance, this.#options.clock.now());
      await this.#options.client.create(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`, body);
      this.counts.written++;
    } catch (error) {
      this.counts.failed++;
      this.#options.log.debug({ err: error, reason: event.reason }, "an Event could not be written");
    }
  }
}

function eventObject(event: EventToEmit, namespace: string, instance: string, nowMs: number): object {
  return {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { generateName: `${event.regarding.name.slice(0, 200)}-`, namespace },
    eventTime: new Date(nowMs).toISOString().replace("Z", "000Z"),
    reportingController: `paceline.dev/${COMPONENT}`,
    reportingInstance: instance.slice(0, 128),
    action: event.action,
    reason: event.reason,
    type: event.type,
    regarding: event.regarding,
    note: cutToBytes(event.note, LONGEST_NOTE_BYTES),
  };
}

/** The longest start of the text that has at most `bytes` bytes in UTF-8. */
function cutToBytes(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  const { written, read } = new TextEncoder().encodeInto(text, new Uint8Array(bytes - 3));
  return written === 0 ? "" : `${text.slice(0, read)}…`;
}
