/** A real Prometheus that scrapes one replica. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { request } from "undici";
import { untilReady } from "../control-plane/child.ts";
import type { ControlPlane } from "../control-plane/control-plane.ts";
import { onFreePort } from "../control-plane/ports.ts";
import type { RunningService } from "../service.ts";

/** Seconds between two scrapes. A herd is over in a minute or two. */
export const SCRAPE_SECONDS = 1;
const STARTS_WITHIN_MS = 60_000;

/** One line of an answer; `points` are [epoch s, value], without what is no number. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly points: readonly (readonly [seconds: number, value: number])[];
}

export interface Prometheus {
  /** A range query; times in epoch s. @throws with Prometheus' own words */
  range(query: string, from: number, to: number, step: number): Promise<readonly Series[]>;
}

/** Starts Debian's `prometheus`. It ends with the control plane. */
export async function startPrometheus(cp: ControlPlane, service: RunningService): Promise<Prometheus> {
  const ca = join(cp.folder, "prometheus-ca.crt");
  await writeFile(ca, cp.caCert);
  const config = join(cp.folder, "prometheus.json"); // JSON is YAML
  const job = {
    ...{ job_name: "paceline", scheme: "https", tls_config: { ca_file: ca } },
    static_configs: [{ targets: [new URL(service.url).host], labels: { pod: service.process.name } }],
  };
  const global = { scrape_interval: `${SCRAPE_SECONDS}s`, scrape_timeout: `${SCRAPE_SECONDS}s` };
  await writeFile(config, JSON.stringify({ global, scrape_configs: [job] }));
  const url = await onFreePort(async (port) => {
    const flags = [`--config.file=${config}`, `--storage.tsdb.path=${join(cp.folder, `prometheus-${port}`)}`];
    const child = await cp.startProgram("prometheus", "prometheus", [
      ...flags,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    const answers = () =>
      request(`http://127.0.0.1:${port}/-/ready`).then(
        async ({ statusCode, body }) => (await body.dump(), statusCode === 200),
        () => false,
      );
    await untilReady(child, answers, STARTS_WITHIN_MS);
    return `http://127.0.0.1:${port}`;
  });
  return {
    range: async (query, from, to, step) => {
      const parameters = new URLSearchParams({ query, start: String(from), end: String(to), step: String(step) });
      const { body } = await request(`${url}/api/v1/query_range?${parameters.toString()}`);
      return seriesOf(query, (await body.json()) as Answer);
    },
  };
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data?: { readonly result: readonly { metric: Record<string, string>; values: [number, string][] }[] };
}

function seriesOf(query: string, { status, error = "", data }: Answer): Series[] {
  if (status !== "success" || !data) throw new Error(`${query}: ${error}`);
  return data.result
    .map(({ metric, values }) => ({
      labels: metric,
      points: values.map(([at, value]) => [at, Number(value)] as const).filter(([, value]) => Number.isFinite(value)),
    }))
    .filter(({ points }) => points.length > 0);
}
