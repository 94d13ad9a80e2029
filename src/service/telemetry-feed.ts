/** Runs the source of telemetry that the policy names, and changes it when the policy does. */
import type { ApiClient } from "../kube/client/api-client.ts";
import { steadyClock, type Clock } from "../kube/clock.ts";
import type { Log } from "../kube/log.ts";
import type { NodeSample } from "../core/facts.ts";
import type { NodeName } from "../core/ids.ts";
import type { Telemetry } from "../policy/telemetry.ts";
import { createSource } from "../telemetry/create-source.ts";
import { plausible } from "../telemetry/plausible.ts";
import type {
  TelemetryFailure,
  TelemetryFailureKind,
  TelemetryRound,
  TelemetrySink,
  TelemetrySource,
  TelemetryTarget,
} from "../telemetry/source.ts";
import { followExporterEndpoints, type ExporterEndpoints } from "./exporter-endpoints.ts";

export interface TelemetryFeedOptions {
  /** For the kubelet's source, and for the addresses of a Service's endpoints. */
  readonly client: ApiClient;
  readonly clock: Clock;
  /** 0 to 1, for jitter. */
  readonly random: () => number;
  /** The nodes now, with their InternalIP. */
  readonly targets: () => readonly TelemetryTarget[];
  readonly onSample: (node: NodeName, sample: NodeSample) => void;
  readonly onFailure: (failure: TelemetryFailure) => void;
  readonly onRound?: ((round: TelemetryRound) => void) | undefined;
  readonly log: Log;
}

export interface TelemetryFeed {
  /** Starts the source of these settings; ends the one before, unless the settings are the same. */
  use(settings: Telemetry): void;
  /** Age of the latest figures of each node that exists and has given some, in ms. */
  agesMs(nowMs: number): ReadonlyMap<NodeName, number>;
  /** Ends the source. */
  stop(): Promise<void>;
}

/** The running source of one policy. */
interface InUse {
  readonly key: string;
  readonly source: TelemetrySource;
  readonly endpoints: ExporterEndpoints | undefined;
  /** False once another source is in use: figures still on their way belong to the old policy. */
  counts: boolean;
}

/** Makes the feed. It is idle until `use`. */
export function createTelemetryFeed(options: TelemetryFeedOptions): TelemetryFeed {
  const { log } = options;
  const records = new FeedRecords(options);
  let inUse: InUse | undefined;
  let ending: Promise<unknown> = Promise.resolve();

  const end = () => {
    if (inUse !== undefined) {
      inUse.counts = false;
      ending = Promise.all([ending, inUse.source.stop(), inUse.endpoints?.stop()]);
    }
    inUse = undefined;
  };
  return {
    use(settings) {
      const key = JSON.stringify(settings);
      if (inUse?.key === key) return;
      end();
      records.newSource();
      inUse = beginUse(settings, key, options, records);
      log.info({ source: settings.source }, "source of telemetry in use");
      inUse.source.start();
    },
    agesMs: (nowMs) => records.agesMs(nowMs),
    async stop() {
      end();
      await ending;
    },
  };
}

function beginUse(settings: Telemetry, key: string, options: TelemetryFeedOptions, records: FeedRecords): InUse {
  const { client, clock } = options;
  const endpoints =
    settings.source === "node-exporter" && settings.address.type === "Endpoints"
      ? followExporterEndpoints(settings.address, options)
      : undefined;
  const sink: TelemetrySink = {
    targets() {
      const all = records.targets();
      return endpoints ? all.map((target) => ({ ...target, address: endpoints.addressOf(target.name) })) : all;
    },
    sample(node, sample) {
      if (use.counts) records.sample(node, sample);
    },
    failure(node, failure) {
      if (use.counts) records.failure(node, failure);
    },
    round(round) {
      if (use.counts) options.onRound?.(round);
    },
  };
  const [now, steadyNow] = [() => clock.now(), () => steadyClock.now()];
  const source = createSource({ settings, sink, client, now, steadyNow });
  const use: InUse = { key, source, endpoints, counts: true };
  return use;
}

/** True if a sample ends that failure. A node without a disk or pressure gives samples, too, but not of these. */
function cures({ utilisation, ioPressure, cpuPressure }: NodeSample, failure: TelemetryFailureKind): boolean {
  if (failure === "NoDisk") return utilisation !== undefined;
  return failure !== "NoPressure" || (ioPressure ?? cpuPressure) !== undefined;
}

/** What each node last answered, and which failures the log has already. */
class FeedRecords {
  readonly #options: TelemetryFeedOptions;
  readonly #lastSampleMs = new Map<NodeName, number>();
  /**
   * The last failure of each node (undefined: the source itself), so that the log has it once and not in every round.
   */
  readonly #failing = new Map<NodeName | undefined, TelemetryFailureKind>();

  constructor(options: TelemetryFeedOptions) {
    this.#options = options;
  }

  /** True if the log does not have this failure yet. */
  newSource(): void {
    this.#failing.clear();
  }

  targets(): readonly TelemetryTarget[] {
    const all = this.#options.targets();
    const existing = new Set(all.map(({ name }) => name));
    for (const name of this.#lastSampleMs.keys()) if (!existing.has(name)) this.#lastSampleMs.delete(name);
    for (const name of this.#failing.keys()) {
      if (name !== undefined && !existing.has(name)) this.#failing.delete(name);
    }
    return all;
  }

  sample(node: NodeName, sample: NodeSample): void {
    const { log, clock, onSample } = this.#options;
    const believed = plausible(sample, clock.now());
    this.#lastSampleMs.set(node, believed.atMs);
    if (this.#failing.delete(undefined)) log.info({}, "the source of telemetry is back");
    const failedOf = this.#failing.get(node);
    if (failedOf !== undefined && cures(believed, failedOf)) {
      this.#failing.delete(node);
      log.info({ node }, "telemetry is back");
    }
    onSample(node, believed);
  }

  failure(node: NodeName | undefined, failure: TelemetryFailure): void {
    const { log, onFailure } = this.#options;
    onFailure(failure);
    if (this.#failing.get(node) === failure.kind) return;
    this.#failing.set(node, failure.kind);
    log.warn({ node, kind: failure.kind }, `no telemetry: ${failure.message}`);
  }

  agesMs(nowMs: number): ReadonlyMap<NodeName, number> {
    // Also forgets deleted nodes while no source asks for its targets.
    this.targets();
    return new Map([...this.#lastSampleMs].map(([node, lastMs]) => [node, Math.max(0, nowMs - lastMs)]));
  }
}
