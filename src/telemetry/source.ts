/**
 * What a source of disk and CPU figures is. Each source has its own file and its own way to ask (scrape every node, one
 * query for all, through the API server); all hand their figures to the same sink.
 */
import type { NodeSample } from "../core/facts.ts";
import type { NodeName } from "../core/ids.ts";
import type { TelemetrySource as SourceName } from "../policy/telemetry.ts";

/** A node that figures are wanted of. */
export interface TelemetryTarget {
  readonly name: NodeName;
  /** Where its exporter listens (without the port), by default its InternalIP; undefined while it has none. */
  readonly address: string | undefined;
  /** Young or hot: wanted every interval. Others are wanted once per rotation only. */
  readonly paced: boolean;
}

/** Why a reading gave no figures; docs/telemetry.md has the cure of each. */
export const telemetryFailureKinds = [
  "NoAddress",
  "Unreachable",
  "TimedOut",
  "BadStatus",
  "BadAnswer",
  "TooLarge",
  "NoDisk",
  "NoSeries",
  "NoPressure",
  "Internal",
] as const;
export type TelemetryFailureKind = (typeof telemetryFailureKinds)[number];

/** A reading that came to nothing; the message names the place and the cure where there is one. */
export class TelemetryFailure extends Error {
  override readonly name = "TelemetryFailure";
  readonly kind: TelemetryFailureKind;
  constructor(kind: TelemetryFailureKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** Any error as a failure. */
export const asFailure = (error: unknown): TelemetryFailure =>
  error instanceof TelemetryFailure
    ? error
    : new TelemetryFailure("Internal", error instanceof Error ? error.message : String(error), { cause: error });

/** One pass over the nodes that were due. */
export interface TelemetryRound {
  /** Nodes that were asked. */
  readonly asked: number;
  /** From the first question to the last answer, in ms. */
  readonly durationMs: number;
}

/** Where figures go. Called from the source's own rounds; must not throw. */
export interface TelemetrySink {
  /** The nodes of the cluster now, asked anew in each round. */
  targets(): readonly TelemetryTarget[];
  sample(node: NodeName, sample: NodeSample): void;
  /** `node` is undefined when the source as a whole failed, so that no node has figures of this round. */
  failure(node: NodeName | undefined, failure: TelemetryFailure): void;
  round?(round: TelemetryRound): void;
}

/** A running source. What it cannot read is a failure: unknown, never idle. */
export interface TelemetrySource {
  readonly name: SourceName;
  /** Begins the rounds; calling it again does nothing. */
  start(): void;
  /** Ends the rounds, cancels what is in flight and closes connections. Nothing reaches the sink afterwards. */
  stop(): Promise<void>;
}
