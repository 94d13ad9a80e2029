/** The demo's herd, with a real Prometheus that scrapes the service which paces it: what the dashboards show of it. */
import { setTimeout as delay } from "node:timers/promises";
import { startControlPlane } from "../control-plane/control-plane.ts";
import { observe } from "../demo/observer.ts";
import { herdOf, KUBELET, NAMESPACE, NODE, NODES } from "../demo/workload.ts";
import { installAccess, installWebhooks, type PolicyBody } from "../install.ts";
import { startModelledNodes } from "../modelled-node/modelled-node.ts";
import { startServiceProcess } from "../service.ts";
import type { Board, Panel } from "./boards.ts";
import { type Series, startPrometheus } from "./prometheus.ts";

/** The default policy, and what a gp3 volume is given. */
const POLICY: PolicyBody = { nodeClasses: [{ name: "default", diskIOPS: 3_000, diskMiBPerSecond: 125 }] };
const SCALE_UP_AFTER_MS = 15_000;
const GIVE_UP_MS = 300_000;
/** Grafana takes four scrapes or more. */
const RATE_SECONDS = 15;

export interface WatchedRun extends AsyncDisposable {
  /** Epoch s. */
  readonly beganAt: number;
  /** Resolves when every pod of the herd is Ready; rejects when that takes too long. */
  readonly done: Promise<void>;
  /** The lines of each of the panel's queries, by legend, from the beginning until now. */
  linesOf(panel: Panel, stepSeconds?: number): Promise<readonly (readonly [legend: string, series: Series])[]>;
}

/** Starts everything. Resolves when the nodes have joined, and the herd starts. */
export async function startWatchedRun(): Promise<WatchedRun> {
  const herd = herdOf("ordinary");
  const stack = new AsyncDisposableStack();
  try {
    const cp = stack.use(await startControlPlane());
    const fleet = async (prefix: string, count: number, more: object) => {
      const shape = { client: cp.client, images: herd.images, kubelet: KUBELET, ...NODE, ...more };
      const names = Array.from({ length: count }, (_, index) => ({
        name: `${prefix}-${index + 1}`,
        seed: index,
        ...shape,
      }));
      const nodes = stack.use(await startModelledNodes(names));
      await nodes.ready;
    };
    const { count, ...settled } = herd.settled;
    await fleet("settled", count, settled);
    await installAccess(cp.client, POLICY);
    const service = await startServiceProcess(cp);
    await installWebhooks(cp.client, {
      url: service.url,
      caBundle: cp.caCert,
      levers: ["policyValidation", "gate", "fence"],
    });
    const prometheus = await startPrometheus(cp, service);
    const beganAt = Date.now() / 1_000;
    const observer = observe(cp.client, NAMESPACE);
    stack.defer(() => observer.stop());
    await herd.createDaemonSets(cp.client);
    await herd.createWaiting(cp.client);
    await fleet("young", NODES, { joinSeconds: 1 });
    const ending = new AbortController();
    stack.defer(() => ending.abort());
    const done = Promise.all([
      delay(SCALE_UP_AFTER_MS, undefined, { signal: ending.signal }).then(() => herd.scaleUp(cp.client)),
      observer.allReady(() => herd.allPods, AbortSignal.any([ending.signal, AbortSignal.timeout(GIVE_UP_MS)])),
    ]).then(() => undefined);
    done.catch(() => undefined); // a test may end before
    const run = stack.move();
    return {
      beganAt,
      done,
      linesOf: async ({ queries }, step = 1) => {
        const now = Date.now() / 1_000;
        const all = Object.entries(queries).map(async ([legend, expr]) => {
          const series = await prometheus.range(plain(expr), beganAt, now, step);
          return series.map((one) => [named(legend, one.labels), one] as const);
        });
        return (await Promise.all(all)).flat();
      },
      [Symbol.asyncDispose]: () => run.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** The query as Grafana would send it. */
const plain = (expr: string) => expr.replaceAll("$__rate_interval", `${RATE_SECONDS}s`).replaceAll("$node", ".*");

const named = (legend: string, labels: Series["labels"]) =>
  legend.replace(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? "").trim();

/** Panels of which some query has no data, but for those that say why. */
export async function emptyPanels(run: WatchedRun, boards: readonly Board[]): Promise<string[]> {
  const empty: string[] = [];
  for (const { name, panels } of boards) {
    for (const panel of panels.filter(({ emptyBecause }) => emptyBecause === undefined)) {
      for (const [legend, expr] of Object.entries(panel.queries)) {
        const lines = await run.linesOf({ ...panel, queries: { [legend]: expr } });
        if (lines.length === 0) empty.push(`${name}: ${panel.title}: ${legend}`);
      }
    }
  }
  return empty;
}
