/**
 * The interface of a source of disk and CPU figures. Each source has its own file and its own way to ask (scrape every
 * node, one query for all, through the API server). All pass their figures to the same sink.
 */
import type { NodeSample } from "../core/facts.ts";
import type { NodeName } from "../core/ids.ts";
import type { TelemetrySource as SourceName } from "../policy/telemetry.ts";

/** A node whose figures are wanted. */
export interface TelemetryTarget {
  readonly name: NodeName;
  /** Address of its exporter without the port, by default its InternalIP; undefined while it has none. */
  readonly address: string | undefined;
  /** Young or hot: asked every interval. Other nodes are asked only once in a rotation. */
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

/** A failed reading. The message names the place, and the cure if there is one. */
export class TelemetryFailure extends Error {
  override readonly name = "TelemetryFailure";
  readonly kind: TelemetryFailureKind;
  constructor(kind: TelemetryFailureKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** Turns any error into a failure. */
export const asFailure = (error: unknown): TelemetryFailure =>
  error instanceof TelemetryFailure
    ? error
    : new TelemetryFailure("Internal", error instanceof Error ? error.message : String(error), { cause: error });

/** One pass over the nodes that were due. */
export interface TelemetryRound {
  /** Nodes that were asked. */
  readonly asked: number;
  /** From the first request to the last answer, in ms. */
  readonly durationMs: number;
}

/** Receives the figures. Called from the source's own rounds; must not throw. */
export interface TelemetrySink {
  /** The present nodes of the cluster; called in each round. */
  targets(): readonly TelemetryTarget[];
  sample(node: NodeName, sample: NodeSample): void;
  /** `node` is undefined when the source as a whole failed, so that no node has figures of this round. */
  failure(node: NodeName | undefined, failure: TelemetryFailure): void;
  round?(round: TelemetryRound): void;
}

/** A running source. A figure that it cannot read is a failure: unknown, never idle. */
export interface TelemetrySource {
  readonly name: SourceName;
  /** Begins the rounds; calling it again does nothing. */
  start(): void;
  /** Ends the rounds, cancels what is in flight and closes connections. Nothing reaches the sink afterwards. */
  stop(): Promise<void>;
}
