/** Telemetry against the real programs: node_exporter, Prometheus and iostat of this machine, with a real disk load. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createTelemetryFeed } from "../../src/cli/telemetry-feed.ts";
import { createApiClient } from "../../src/cluster/api-client.ts";
import { issueServerCertificate, makeAuthority } from "../../src/cluster/certificates.ts";
import { systemClock } from "../../src/cluster/clock.ts";
import { silentLog } from "../../src/cluster/log.ts";
import type { NodeSample } from "../../src/core/facts.ts";
import { createPacer } from "../../src/core/pacer.ts";
import { defaultPolicy } from "../../src/policy/parse.ts";
import type { PacingPolicyInput } from "../../src/policy/schema.ts";
import type { CounterSnapshot } from "../../src/telemetry/counters.ts";
import { createAccess } from "../../src/telemetry/access.ts";
import { scrapeCounters } from "../../src/telemetry/scrape.ts";
import { deviceFilter, sampleOf } from "../../src/telemetry/signals.ts";
import type { TelemetryFailure } from "../../src/telemetry/source.ts";
import { eventually } from "../support/control-plane.ts";
import { aDaemonPod, aNode, bound, changed, started } from "../support/core-facts.ts";
import {
  diskUnder,
  hasProgram,
  type IostatInterval,
  MINIMAL_COLLECTORS,
  runIostat,
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
let load: Awaited<ReturnType<typeof startDiskLoad>>;

beforeAll(async () => {
  folder = await temporaryFolder();
  disk = await diskUnder(folder.path);
  if (disk === undefined)
    console.warn(`SKIPPED in part: no disk is under ${folder.path}, so no load can move its counters`);
  load = await startDiskLoad(folder.path);
});
afterAll(async () => {
  await load.stop();
  await folder.remove();
});

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
    ...{ client, clock: systemClock, random: Math.random, log: silentLog },
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
  feed.use(policy.telemetry);
  return { feed, pacer, samples, failures, node };
}

const exporterOf = (port: number, more: object = {}) =>
  ({ source: "node-exporter", port, intervalMs: 250, timeoutMs: 200, ...more }) as const;

describe.skipIf(!hasExporter)("node_exporter of this machine", () => {
  test.skipIf(!hasIostat)(
    "our await is iostat's of the same intervals, within 10 %",
    { retry: 2 },
    async ({ skip }) => {
      if (disk === undefined) return skip("no disk");
      const exporter = await startNodeExporter();
      onTestFinished(() => exporter.kill());
      const steadyNow = () => performance.now();
      const access = createAccess({ intervalMs: 250, timeoutMs: 1_000 }, steadyNow);
      onTestFinished(() => access.close());
      const { agent: dispatcher } = await access.open();
      const url = `http://127.0.0.1:${exporter.port}/metrics`;
      const scrape = () =>
        scrapeCounters({
          url,
          dispatcher,
          headers: {},
          timeoutMs: 1_000,
          keep: true,
          now: () => Date.now(),
          steadyNow,
        });
      // A scrape at each report: both read /proc/diskstats within milliseconds of each other.
      const taken: { iostat: IostatInterval; scraped: Promise<CounterSnapshot> }[] = [];
      await runIostat(disk, 2, 7, (iostat) => taken.push({ iostat, scraped: scrape() }));
      const snapshots = await Promise.all(taken.map(({ scraped }) => scraped));
      const intervals = taken.slice(1).map(({ iostat }, index) => {
        const [before, now] = [snapshots[index], snapshots[index + 1]];
        if (before === undefined || now === undefined) throw new Error("a scrape is missing");
        const { awaitMs = NaN } = sampleOf(now, before, deviceFilter(disk));
        return { ours: awaitMs, iostat: iostat.awaitMs, ios: iostat.iosPerSecond, off: awaitMs / iostat.awaitMs - 1 };
      });
      for (const { ours, iostat, ios, off } of intervals) {
        console.log(
          `await of ${disk}: ours ${ours.toFixed(3)} ms, iostat ${iostat.toFixed(3)} ms (${(off * 100).toFixed(1)} %) at ${ios.toFixed(0)} I/Os a second`,
        );
      }
      const busy = intervals.filter(({ ios }) => ios > 20);
      expect(busy.length).toBeGreaterThanOrEqual(4);
      const sorted = busy.map(({ off }) => Math.abs(off)).sort((a, b) => a - b);
      expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThanOrEqual(0.1);
      expect(sorted.filter((off) => off <= 0.1).length).toBeGreaterThanOrEqual(busy.length - 1);
    },
  );

  test("all figures of a real node arrive, in range", async () => {
    const exporter = await startNodeExporter([...MINIMAL_COLLECTORS, "--collector.cpu", "--collector.filesystem"]);
    onTestFinished(() => exporter.kill());
    const { samples } = feedOf(exporterOf(exporter.port));
    const whole = await eventually("a sample with rates", () => samples.find(({ awaitMs }) => awaitMs !== undefined));
    expect(whole.utilisation).toBeGreaterThanOrEqual(0);
    expect(whole.utilisation).toBeLessThanOrEqual(1);
    for (const figure of ["dirtyBytes", "writebackBytes", "memoryBytes", "load1", "cores"] as const) {
      expect(whole[figure], figure).toBeGreaterThanOrEqual(0);
    }
    if (disk !== undefined) {
      await eventually("the load shows", () =>
        samples.some(({ writeBytesPerSecond = 0 }) => writeBytesPerSecond > 65_536),
      );
    }
  });

  test("killed mid-run, the node turns stale, then absent, and pods go on being paced by their starts", async () => {
    const exporter = await startNodeExporter();
    onTestFinished(() => exporter.kill());
    const { feed, pacer, failures, node } = feedOf(exporterOf(exporter.port, { staleSeconds: 1, absentSeconds: 3 }));
    const shown = () => pacer.status(Date.now()).nodes[0];
    await eventually("fresh with await", () => shown()?.sample === "fresh" && shown()?.awaitMs !== undefined);

    const pods = ["a", "b", "c", "d"].map((name) => aDaemonPod(name, "here", { createdAtMs: Date.now() }));
    for (const pod of pods) pacer.upsertPod(pod, Date.now());
    await exporter.kill();
    await eventually("stale", () => shown()?.sample === "stale");
    expect(shown()?.awaitMs).toBeUndefined();
    await eventually("absent", () => shown()?.sample === "absent");
    expect(failures.some(({ kind }) => kind === "Unreachable")).toBe(true);
    expect(feed.agesMs(Date.now()).get(node.name)).toBeGreaterThanOrEqual(3_000);

    // Two slots: two go; as those start, the others follow. No disk figure has a say.
    const first = pacer.plan(Date.now()).releases.map(({ pod }) => pod);
    expect(first).toHaveLength(2);
    for (const pod of first) pacer.upsertPod(bound(pod, "here", Date.now()), Date.now());
    expect(pacer.plan(Date.now()).releases).toHaveLength(0);
    for (const pod of first) pacer.upsertPod(started(changed(bound(pod, "here", Date.now()), {})), Date.now());
    expect(pacer.plan(Date.now()).releases).toHaveLength(2);

    const again = await startNodeExporter(MINIMAL_COLLECTORS, exporter.port);
    onTestFinished(() => again.kill());
    await eventually("fresh again", () => shown()?.sample === "fresh");
  });

  test("over TLS, with its own authority and server name", async () => {
    const nowMs = Date.now();
    const authority = await makeAuthority({ commonName: "test", days: 1, nowMs });
    const server = await issueServerCertificate(authority, { names: ["node-exporter"], days: 1, nowMs });
    const file = (name: string, text: string) => writeFile(join(folder.path, name), text);
    await Promise.all([
      ...[file("ca.crt", authority.cert), file("tls.crt", server.cert), file("tls.key", server.key)],
      file("web.yml", "tls_server_config: {cert_file: tls.crt, key_file: tls.key}"),
    ]);
    const exporter = await startNodeExporter([
      ...MINIMAL_COLLECTORS,
      `--web.config.file=${join(folder.path, "web.yml")}`,
    ]);
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
    ({ source: "prometheus", url: `http://127.0.0.1:${port}`, intervalMs: 500, timeoutMs: 400, ...more }) as const;

  test("gives the same figures as its exporter, for a node found by address and port", async () => {
    const exporter = await startNodeExporter([...MINIMAL_COLLECTORS, "--collector.cpu", "--collector.filesystem"]);
    onTestFinished(() => exporter.kill());
    const { path, remove } = await temporaryFolder();
    onTestFinished(remove);
    const prometheus = await startPrometheus(path, exporter.port);
    onTestFinished(() => prometheus.kill());
    const { samples, pacer } = feedOf(promOf(prometheus.port, { selector: 'job="node-exporter"' }));
    const whole = await eventually("a sample with rates", () => samples.find(({ awaitMs }) => awaitMs !== undefined));
    for (const figure of [
      "utilisation",
      "writeBytesPerSecond",
      "dirtyBytes",
      "writebackBytes",
      "memoryBytes",
      "load1",
      "cores",
    ] as const) {
      expect(whole[figure], figure).toBeGreaterThanOrEqual(0);
    }
    if (disk !== undefined) {
      await eventually("the load shows", () =>
        samples.some(({ writeBytesPerSecond = 0 }) => writeBytesPerSecond > 65_536),
      );
    }
    expect(pacer.status(Date.now()).nodes[0]?.sample).toBe("fresh");

    // One sample for each scrape of Prometheus, not for each question of ours.
    const dates = samples.map(({ atMs }) => Math.round(atMs / 250));
    expect(new Set(dates).size).toBe(dates.length);

    await exporter.kill();
    const told = samples.length;
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(samples.length - told).toBeLessThanOrEqual(2);
  });

  test("with a password; without it the failure says 401", async () => {
    const exporter = await startNodeExporter();
    onTestFinished(() => exporter.kill());
    const { path, remove } = await temporaryFolder();
    onTestFinished(remove);
    // bcrypt of "secret", made for this test.
    await writeFile(
      join(path, "web.yml"),
      "basic_auth_users: {paceline: '$2b$04$gojlCiPwOLvEhb/62D8McOh1B.6r4CD6Ic3mM35iGTQJA1atg1UbC'}",
    );
    await writeFile(join(path, "password"), "secret\n");
    const prometheus = await startPrometheus(path, exporter.port, [`--web.config.file=${join(path, "web.yml")}`]);
    onTestFinished(() => prometheus.kill());
    const basicAuth = { username: "paceline", passwordFile: join(path, "password") };
    const { samples } = feedOf(promOf(prometheus.port, { basicAuth }));
    await eventually("a sample", () => samples.length > 0);
    const { failures } = feedOf(promOf(prometheus.port));
    const failure = await eventually("refused", () => failures[0]);
    expect([failure.kind, failure.message]).toEqual(["BadStatus", expect.stringContaining("401")]);
  });

  test("killed mid-run, it turns every node stale, then absent", async () => {
    const exporter = await startNodeExporter();
    onTestFinished(() => exporter.kill());
    const { path, remove } = await temporaryFolder();
    onTestFinished(remove);
    const prometheus = await startPrometheus(path, exporter.port);
    onTestFinished(() => prometheus.kill());
    const { pacer, failures } = feedOf(promOf(prometheus.port, { staleSeconds: 4, absentSeconds: 6 }));
    const sample = () => pacer.status(Date.now()).nodes[0]?.sample;
    await eventually("fresh", () => sample() === "fresh");
    await prometheus.kill();
    await eventually("stale", () => sample() === "stale");
    await eventually("absent", () => sample() === "absent");
    expect(failures.some(({ kind }) => kind === "Unreachable")).toBe(true);
  });
});
