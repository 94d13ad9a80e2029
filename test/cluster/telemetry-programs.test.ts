/** Telemetry against real programs on this machine: node_exporter, Prometheus and iostat, with a real disk load. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createTelemetryFeed } from "../../src/service/telemetry-feed.ts";
import { createApiClient } from "../../src/kube/client/api-client.ts";
import { issueServerCertificate, makeAuthority } from "../../src/certificates/certificates.ts";
import { systemClock } from "../../src/kube/clock.ts";
import { silentLog } from "../../src/kube/log.ts";
import type { NodeSample } from "../../src/core/facts.ts";
import { createPacer } from "../../src/core/pacer.ts";
import { defaultPolicy } from "../../src/policy/parse.ts";
import type { PacingPolicyInput } from "../../src/policy/schema.ts";
import type { Telemetry } from "../../src/policy/telemetry.ts";
import type { TelemetryFailure } from "../../src/telemetry/source.ts";
import { eventually } from "../support/control-plane.ts";
import { aDaemonPod, aNode, bound, changed, started } from "../support/core-facts.ts";
import { compareWithIostat, IOSTAT_ROUNDING_MS } from "../support/iostat.ts";
import {
  diskUnder,
  hasProgram,
  MINIMAL_COLLECTORS,
  MORE_COLLECTORS,
  startDiskLoad,
  startNodeExporter,
  startPrometheus,
  temporaryFolder,
} from "../support/telemetry-programs.ts";

const hasExporter = hasProgram("prometheus-node-exporter");
const hasPrometheus = hasProgram("prometheus");
const hasIostat = hasProgram("iostat");

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let disk: string | undefined;

beforeAll(async () => {
  folder = await temporaryFolder();
  disk = await diskUnder(folder.path);
  if (disk === undefined)
    console.warn(`SKIPPED in part: no disk is under ${folder.path}, so no load can move its counters`);
});
afterAll(() => folder.remove());

/** Longer than a policy allows, because a scrape is slow on a busy machine. Its speed is not tested here. */
const PATIENT_MS = 15_000;

/** A feed with its own pacer that knows one young node, `here`, which is this machine. */
function feedOf(telemetry: NonNullable<PacingPolicyInput["telemetry"]>) {
  const policy = defaultPolicy({ telemetry, nodeClasses: [{ name: "test", slots: { initial: 2 } }] });
  const pacer = createPacer(policy);
  const node = aNode("here", { createdAtMs: Date.now(), readySinceMs: Date.now() });
  pacer.upsertNode(node, Date.now());
  const samples: NodeSample[] = [];
  const failures: TelemetryFailure[] = [];
  const client = createApiClient({ url: "http://127.0.0.1:9" });
  const feed = createTelemetryFeed({
    client,
    clock: systemClock,
    random: Math.random,
    log: silentLog,
    targets: () => [{ name: node.name, address: "127.0.0.1", paced: true }],
    onSample(name, sample) {
      samples.push(sample);
      pacer.observeSample(name, sample, Date.now());
    },
    onFailure: (failure) => failures.push(failure),
  });
  onTestFinished(async () => {
    await feed.stop();
    await client.close();
  });
  feed.use({ ...policy.telemetry, timeoutMs: PATIENT_MS } as Telemetry);
  const { staleSeconds, absentSeconds } = policy.telemetry;
  const shown = (nowMs = Date.now()) => pacer.status(nowMs).nodes[0];
  return {
    feed,
    pacer,
    samples,
    failures,
    node,
    shown,
    /** How the node's last figures are classified, just before and at each of the two ages. */
    statesByAge: () => {
      const lastMs = samples.at(-1)?.atMs ?? NaN;
      const ages = [staleSeconds * 1_000, absentSeconds * 1_000].flatMap((age) => [age - 1, age]);
      return ages.map((age) => shown(lastMs + age)?.sample);
    },
  };
}

const exporterOf = (port: number, more: object = {}) =>
  ({ source: "node-exporter", port, intervalMs: 250, timeoutMs: 250, ...more }) as const;

/** Keeps the disk's counters moving until the test is over, and waits until a feed has seen it. */
async function loadShows(samples: readonly NodeSample[]): Promise<void> {
  if (disk === undefined) return;
  const load = await startDiskLoad(folder.path);
  onTestFinished(() => load.stop());
  await eventually("the load shows", () => samples.some(({ writeBytesPerSecond = 0 }) => writeBytesPerSecond > 65_536));
}

describe.skipIf(!hasExporter)("node_exporter of this machine", () => {
  test.skipIf(!hasIostat)("our await equals iostat's, as closely as the readings around it tell", async ({ skip }) => {
    if (disk === undefined) return skip("no disk");
    for (const { ours, iostat, ios } of await compareWithIostat(disk, folder.path)) {
      const text = ({ low, high }: typeof ours) => `${low.toFixed(3)} to ${high.toFixed(3)} ms`;
      console.log(`await of ${disk} since boot: ours ${text(ours)}, iostat ${text(iostat)}, ${ios} I/Os`);
      expect(ours.low - IOSTAT_ROUNDING_MS).toBeLessThanOrEqual(iostat.high);
      expect(iostat.low).toBeLessThanOrEqual(ours.high + IOSTAT_ROUNDING_MS);
    }
  });

  test("all figures of a real node arrive, in range", async () => {
    const exporter = await startNodeExporter({ args: [...MINIMAL_COLLECTORS, ...MORE_COLLECTORS] });
    onTestFinished(() => exporter.kill());
    const { samples } = feedOf(exporterOf(exporter.port, { staleSeconds: 30 }));
    const rates = () => samples.find(({ awaitMs }) => awaitMs !== undefined);
    const whole = await eventually("a sample with rates", rates);
    expect(whole.utilisation).toBeGreaterThanOrEqual(0);
    expect(whole.utilisation).toBeLessThanOrEqual(1);
    for (const figure of ["dirtyBytes", "writebackBytes", "memoryBytes", "load1", "cores"] as const) {
      expect(whole[figure], figure).toBeGreaterThanOrEqual(0);
    }
    await loadShows(samples);
  });

  test("killed mid-run, the node's figures become stale, then absent, and its pods are still paced by their starts", async () => {
    const exporter = await startNodeExporter();
    onTestFinished(() => exporter.kill());
    const ages = { staleSeconds: 2, absentSeconds: 5 };
    const { feed, pacer, failures, node, shown, statesByAge } = feedOf(exporterOf(exporter.port, ages));
    await eventually("fresh with await", () => shown()?.sample === "fresh" && shown()?.awaitMs !== undefined);

    const pods = ["a", "b", "c", "d"].map((name) => aDaemonPod(name, "here", { createdAtMs: Date.now() }));
    for (const pod of pods) pacer.upsertPod(pod, Date.now());
    const failedBefore = failures.length;
    await exporter.kill();
    await eventually("a failure", () => failures.slice(failedBefore).some(({ kind }) => kind === "Unreachable"));
    await eventually("no longer fresh", () => shown()?.sample !== "fresh");
    expect(shown()?.awaitMs).toBeUndefined();
    await eventually("absent", () => shown()?.sample === "absent");
    expect(statesByAge()).toEqual(["fresh", "stale", "stale", "absent"]);
    expect(feed.agesMs(Date.now()).get(node.name)).toBeGreaterThanOrEqual(5_000);

    // With two slots, two pods go first. The others follow as those start. Disk figures play no part.
    const first = pacer.plan(Date.now()).releases.map(({ pod }) => pod);
    expect(first).toHaveLength(2);
    for (const pod of first) pacer.upsertPod(bound(pod, "here", Date.now()), Date.now());
    expect(pacer.plan(Date.now()).releases).toHaveLength(0);
    for (const pod of first) pacer.upsertPod(started(changed(bound(pod, "here", Date.now()), {})), Date.now());
    expect(pacer.plan(Date.now()).releases).toHaveLength(2);

    const again = await startNodeExporter({ port: exporter.port });
    onTestFinished(() => again.kill());
    await eventually("fresh again", () => shown()?.sample === "fresh");
  });

  test("works over TLS, with its own authority and server name", async () => {
    const nowMs = Date.now();
    const authority = await makeAuthority({ commonName: "test", days: 1, nowMs });
    const server = await issueServerCertificate(authority, { names: ["node-exporter"], days: 1, nowMs });
    const file = (name: string, text: string) => writeFile(join(folder.path, name), text);
    await Promise.all([
      ...[file("ca.crt", authority.cert), file("tls.crt", server.cert), file("tls.key", server.key)],
      file("web.yml", "tls_server_config: {cert_file: tls.crt, key_file: tls.key}"),
    ]);
    const web = `--web.config.file=${join(folder.path, "web.yml")}`;
    const exporter = await startNodeExporter({ args: [...MINIMAL_COLLECTORS, web] });
    onTestFinished(() => exporter.kill());
    const caFile = join(folder.path, "ca.crt");
    const settings = exporterOf(exporter.port, { scheme: "https", tls: { caFile, serverName: "node-exporter" } });
    const { samples } = feedOf(settings);
    await eventually("a sample over TLS", () => samples.length > 0);
    const { failures } = feedOf({ ...settings, tls: { caFile, serverName: "somebody-else" } });
    const failure = await eventually("the wrong name is refused", () => failures[0]);
    expect(failure.kind).toBe("Unreachable");
    expect(failure.message).toContain("node-exporter");
  });
});

describe.skipIf(!hasExporter || !hasPrometheus)("Prometheus of this machine", () => {
  const promOf = (port: number, more: object = {}) =>
    ({ source: "prometheus", url: `http://127.0.0.1:${port}`, intervalMs: 500, timeoutMs: 500, ...more }) as const;

  /** Starts Prometheus with its exporter; both end with the test. */
  async function prometheusAndExporter(collectors: readonly string[] = [], args: readonly string[] = []) {
    const exporter = await startNodeExporter({ args: [...MINIMAL_COLLECTORS, ...collectors] });
    onTestFinished(() => exporter.kill());
    const { path, remove } = await temporaryFolder();
    onTestFinished(remove);
    const prometheus = await startPrometheus(path, exporter.port, args);
    onTestFinished(() => prometheus.kill());
    return { exporter, prometheus };
  }

  test("gives the same figures as its exporter, for a node found by address and port", async () => {
    const { exporter, prometheus } = await prometheusAndExporter(MORE_COLLECTORS);
    const { samples, failures, shown } = feedOf(promOf(prometheus.port, { selector: 'job="node-exporter"' }));
    const rates = () => samples.find(({ awaitMs }) => awaitMs !== undefined);
    const whole = await eventually("a sample with rates", rates);
    for (const figure of [
      ...(["utilisation", "writeBytesPerSecond", "dirtyBytes", "writebackBytes", "memoryBytes", "load1"] as const),
      "cores" as const,
    ]) {
      expect(whole[figure], figure).toBeGreaterThanOrEqual(0);
    }
    await loadShows(samples);
    expect(shown()?.sample).toBe("fresh");

    await exporter.kill();
    await eventually("its series end", () => failures.some(({ kind }) => kind === "NoSeries"));
    // One sample for each scrape by Prometheus, not for each of our queries.
    const query = new URLSearchParams({ query: "sum(sum_over_time(up[10m]))" });
    const answer = await fetch(`http://127.0.0.1:${prometheus.port}/api/v1/query`, { method: "POST", body: query });
    const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } };
    expect(samples.length).toBeLessThanOrEqual(Number(data.result[0]?.value[1]));
  });

  test("works with a password; without it the failure says 401", async () => {
    // bcrypt of "secret", made for this test.
    await writeFile(
      join(folder.path, "prometheus-web.yml"),
      "basic_auth_users: {paceline: '$2b$04$gojlCiPwOLvEhb/62D8McOh1B.6r4CD6Ic3mM35iGTQJA1atg1UbC'}",
    );
    await writeFile(join(folder.path, "password"), "secret\n");
    const web = `--web.config.file=${join(folder.path, "prometheus-web.yml")}`;
    const { prometheus } = await prometheusAndExporter([], [web]);
    const basicAuth = { username: "paceline", passwordFile: join(folder.path, "password") };
    const { samples } = feedOf(promOf(prometheus.port, { basicAuth }));
    await eventually("a sample", () => samples.length > 0);
    const { failures } = feedOf(promOf(prometheus.port));
    const failure = await eventually("refused", () => failures[0]);
    expect([failure.kind, failure.message]).toEqual(["BadStatus", expect.stringContaining("401")]);
  });

  test("killed mid-run, every node's figures become stale, then absent", async () => {
    const { prometheus } = await prometheusAndExporter();
    const { failures, shown, statesByAge } = feedOf(promOf(prometheus.port, { staleSeconds: 5, absentSeconds: 7 }));
    await eventually("fresh", () => shown()?.sample === "fresh");
    const failedBefore = failures.length;
    await prometheus.kill();
    await eventually("a failure", () => failures.slice(failedBefore).some(({ kind }) => kind === "Unreachable"));
    await eventually("absent", () => shown()?.sample === "absent");
    expect(statesByAge()).toEqual(["fresh", "stale", "stale", "absent"]);
  });
});
