/** What Prometheus recorded of nodes in a past window: the service's own query, over a range. */
import type { NodeSample } from "../core/facts.ts";
import type { NodeName } from "../core/ids.ts";
import { deviceFilter } from "../core/signals/sample.ts";
import { createAccess } from "./access.ts";
import { nodeFinder } from "./node-label.ts";
import type { PrometheusSettings } from "./prometheus.ts";
import { askPrometheus } from "./prometheus-ask.ts";
import { addSeries, figuresQuery, type NodeFigures } from "./prometheus-query.ts";
import { sampleFrom } from "./prometheus-sample.ts";
import { asFailure, TelemetryFailure, type TelemetryTarget } from "./source.ts";

/** Nodes in one request: proxies refuse long forms, and Prometheus queries that load many samples. */
const NODES_IN_QUERY = 20;
/** Moments in one request. A series of so many is read whole, and is no longer than the reader's bound. */
const MOST_MOMENTS = 240;
/** A rate is of the last two scrapes within this time: scrapes a minute apart give one, too. */
const RATE_SECONDS = 150;
/** No gate waits for this answer. */
const TIMEOUT_MS = 30_000;
/** Two readings of the same scrape differ only by rounding, in ms. */
const SAME_SCRAPE_MS = 10;
/** Many set-ups put the node's name here, and the exporter's pod address into `instance`. */
const NODE_LABEL = "node";
const CURE =
  "check --prometheus, and telemetry.tls, bearerTokenFile or basicAuth in the file of --policy, which are used for it";

export interface RangeOptions {
  /** `intervalMs`, `timeoutMs` and the ages are those of a running service, and are not used. */
  readonly settings: PrometheusSettings;
  readonly targets: readonly TelemetryTarget[];
  /** Epoch ms. */
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * The samples of each node, one for each scrape in the window, the first one first. A node without any is left out. A
 * figure that the answer does not have is undefined.
 * @throws TelemetryFailure that names the address, and the cure
 */
export async function prometheusRange(options: RangeOptions): Promise<ReadonlyMap<NodeName, readonly NodeSample[]>> {
  const { settings, targets } = options;
  const found = new Map<NodeName, readonly NodeSample[]>();
  const keeper = createAccess({ ...settings, timeoutMs: TIMEOUT_MS, intervalMs: TIMEOUT_MS }, () => performance.now());
  try {
    for (const nodeLabel of new Set([settings.nodeLabel, NODE_LABEL])) {
      const left = targets.filter(({ name }) => !found.has(name));
      for (let at = 0; at < left.length; at += NODES_IN_QUERY) {
        const some = { ...options, settings: { ...settings, nodeLabel }, targets: left.slice(at, at + NODES_IN_QUERY) };
        const samples = await ask(some, await keeper.open());
        for (const [name, of] of samples) found.set(name, of);
      }
    }
    return found;
  } catch (error) {
    const { kind, message } = asFailure(error);
    throw new TelemetryFailure(kind, `${message}; ${CURE}`, { cause: error });
  } finally {
    await keeper.close();
  }
}

async function ask(
  { settings, targets, fromMs, toMs }: RangeOptions,
  access: Parameters<typeof askPrometheus>[0]["access"],
) {
  const stepSeconds = Math.max(1, Math.ceil((toMs - fromMs) / 1_000 / MOST_MOMENTS));
  const matcher = `${settings.nodeLabel}=~${JSON.stringify(patternOf(targets))}`;
  const selector = settings.selector === undefined ? matcher : `${settings.selector},${matcher}`;
  const reader = rangeReader({ settings, targets, fromMs, toMs });
  await askPrometheus({
    ...{ settings, access, timeoutMs: TIMEOUT_MS, path: "/api/v1/query_range", resultType: "matrix" },
    form: {
      query: figuresQuery({ ...settings, selector, staleSeconds: RATE_SECONDS }),
      ...{ start: String(fromMs / 1_000), end: String(toMs / 1_000), step: String(stepSeconds) },
      timeout: `${TIMEOUT_MS / 1_000}s`,
    },
    onElement: (element) => reader.add(element),
  });
  return reader.samples();
}

/** Label values of these nodes: name or address, with or without a port. */
function patternOf(targets: readonly TelemetryTarget[]): string {
  const words = targets.flatMap(({ name, address }) => (address === undefined ? [name] : [name, address]));
  const quoted = words.map((word) => word.replace(/[^\w:-]/g, (char) => `\\${char}`));
  return `\\[?(${quoted.join("|")})\\]?(:[0-9]+)?`;
}

/** Puts the answer's series together, moment by moment, as if each were an answer of its own. Pure. */
export function rangeReader({ settings, targets, fromMs, toMs }: RangeOptions) {
  const nodeOf = nodeFinder(targets);
  const counts = deviceFilter(settings.device);
  const moments = new Map<number, Map<NodeName, NodeFigures>>();
  return {
    add(element: unknown): void {
      const { metric, values } = (element ?? {}) as { metric?: unknown; values?: unknown };
      if (!Array.isArray(values)) return;
      for (const value of values as readonly unknown[]) {
        const at: unknown = Array.isArray(value) ? value[0] : undefined;
        if (typeof at !== "number" || !(at * 1_000 >= fromMs && at * 1_000 <= toMs)) continue;
        const figures = moments.get(at) ?? new Map<NodeName, NodeFigures>();
        // Ours has no more; a server that gives others is not Prometheus, and must not fill the memory.
        if (!moments.has(at) && moments.size > MOST_MOMENTS) continue;
        moments.set(at, figures);
        addSeries(figures, settings.nodeLabel, nodeOf, { metric, value });
      }
    },
    samples(): ReadonlyMap<NodeName, readonly NodeSample[]> {
      const found = new Map<NodeName, NodeSample[]>();
      for (const [at, figures] of [...moments].sort(([a], [b]) => a - b)) {
        for (const [name, of] of figures) {
          if (of.node.age === undefined) continue;
          const sample = sampleFrom(of, counts, at * 1_000);
          const before = found.get(name) ?? [];
          const lastMs = before.at(-1)?.atMs ?? -Infinity;
          if (sample.atMs >= fromMs && sample.atMs - lastMs > SAME_SCRAPE_MS) before.push(sample);
          if (before.length > 0) found.set(name, before);
        }
      }
      return found;
    },
  };
}
