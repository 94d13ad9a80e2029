/**
 * Telemetry from each node's kubelet through the API server's proxy, for clusters without node_exporter. The API server
 * carries every byte, so few kubelets are asked at a time, and those of nodes that are not paced seldom.
 */
import type { NodeName } from "../core/ids.ts";
import type { TelemetryOf } from "../policy/telemetry.ts";
import { startRounds } from "./rounds.ts";
import {
  asFailure,
  TelemetryFailure,
  type TelemetrySink,
  type TelemetrySource,
  type TelemetryTarget,
} from "./source.ts";
import { type KubeletReading, readSummary, summarySample } from "./summary.ts";

export type KubeletSettings = TelemetryOf<"kubelet">;

/** Requests in flight at a time. Assumed: a small part of what an API server's priority level has for one client. */
const MAX_IN_FLIGHT = 32;
/** Nodes that are not paced are asked once in this time, ms. Assumed: 5,000 nodes are then 17 requests a second. */
const ROTATION_MS = 300_000;
/** Largest summary that is read, in bytes. 110 pods of several containers have about 0.5 MB. */
export const MAX_SUMMARY_BYTES = 4_194_304;

/** The part of the API client that this source needs. */
export interface ProxyClient {
  /**
   * Resolves for every HTTP status. Rejects with an error that has `reason` Timeout, TooLarge or other; an answer
   * larger than `maxBytes` is not read to its end.
   */
  raw(
    method: "GET",
    path: string,
    options: { readonly timeoutMs: number; readonly maxBytes: number; readonly signal: AbortSignal },
  ): Promise<{ readonly status: number; readonly text: string }>;
}

export interface KubeletOptions {
  readonly settings: KubeletSettings;
  readonly sink: TelemetrySink;
  readonly client: ProxyClient;
  /** Epoch ms. */
  readonly now: () => number;
  /** A monotonic clock, in ms; default: the process's own. */
  readonly steadyNow?: (() => number) | undefined;
}

const summaryPath = (node: NodeName) => `/api/v1/nodes/${encodeURIComponent(node)}/proxy/stats/summary`;

/** Reads the summaries of the nodes that the sink names. Sends no request before `start`. */
export function kubeletSource(options: KubeletOptions): TelemetrySource {
  const { settings, sink, client, now, steadyNow = () => performance.now() } = options;
  const last = new Map<NodeName, KubeletReading>();
  let ended: AbortController | undefined;
  let stopped = false;
  let endRounds: (() => Promise<void>) | undefined;

  const read = async (name: NodeName) => {
    const reading = await readNode(client, name, settings.timeoutMs, (ended ??= new AbortController()).signal);
    const before = last.get(name);
    // The kubelet refreshes its figures about every 10 s. The same figures read twice are no newer.
    if (stopped || (reading.takenMs !== undefined && reading.takenMs === before?.takenMs)) return;
    last.set(name, reading);
    sink.sample(name, summarySample(reading, before, now()));
    if (reading.ioPressure === undefined && reading.cpuPressure === undefined) {
      throw new TelemetryFailure("NoPressure", noPressure(name));
    }
  };
  const ask = async ({ name }: TelemetryTarget) => {
    try {
      await read(name);
      return true;
    } catch (error) {
      if (!stopped) sink.failure(name, asFailure(error));
      return error instanceof TelemetryFailure && error.kind === "NoPressure";
    }
  };
  const forget = (existing: ReadonlySet<NodeName>) => {
    for (const name of last.keys()) if (!existing.has(name)) last.delete(name);
  };

  return {
    name: "kubelet",
    start() {
      endRounds ??= startRounds({
        intervalMs: settings.intervalMs,
        rotationMs: ROTATION_MS,
        maxInFlight: MAX_IN_FLIGHT,
        targets: () => sink.targets(),
        ask,
        beforeRound: forget,
        steadyNow,
        onRound: (round) => sink.round?.(round),
      });
    },
    async stop() {
      stopped = true;
      ended?.abort();
      await endRounds?.();
    },
  };
}

/** @throws TelemetryFailure */
async function readNode(
  client: ProxyClient,
  name: NodeName,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<KubeletReading> {
  const path = summaryPath(name);
  const { status, text } = await client
    .raw("GET", path, { timeoutMs, maxBytes: MAX_SUMMARY_BYTES, signal })
    .catch((error: unknown) => Promise.reject(failureOf(error, path)));
  if (status !== 200) throw new TelemetryFailure("BadStatus", `${path} answers ${status}; ${cureOf(status)}`);
  const reading = readSummary(parsed(text, path));
  if (reading === undefined) throw new TelemetryFailure("BadAnswer", `${path} does not answer with a summary`);
  return reading;
}

function failureOf(error: unknown, path: string): TelemetryFailure {
  const reason = error instanceof Error && "reason" in error ? error.reason : undefined;
  const kind = reason === "Timeout" ? "TimedOut" : reason === "TooLarge" ? "TooLarge" : "Unreachable";
  const detail = error instanceof Error ? error.message : String(error);
  return new TelemetryFailure(kind, `${path} cannot be read: ${detail}`, { cause: error });
}

function parsed(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TelemetryFailure("BadAnswer", `${path} does not answer with JSON`, { cause });
  }
}

const cureOf = (status: number) =>
  status === 403
    ? "grant get on nodes/proxy (telemetry-config/kubelet-rbac.yaml)"
    : "the API server must reach the node's kubelet";

const noPressure = (name: NodeName) =>
  `the kubelet of node ${name} tells no pressure; it needs Kubernetes 1.34 or later, cgroup v2 and a kernel with PSI`;
