/** `paceline replay --prometheus` against Debian's Prometheus and node_exporter, with a real disk load. */
import { expect, onTestFinished, test } from "vitest";
import { prometheusSettings, telemetryOf } from "../../src/cli/replay-prometheus.ts";
import type { Herd } from "../../src/recording/herd.ts";
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

// Both, so that each that is missing is named.
const missing = ["prometheus", "prometheus-node-exporter"].filter((program) => !hasProgram(program));

const nodeAt = (name: string, address: string, openedMs: number) => ({
  ...{ name, address, openedMs, instanceType: "m5.xlarge", labels: {}, capacity: undefined, allocatable: undefined },
  ...{ runtime: "", createdMs: undefined, images: new Map<string, number>(), presentAtOpen: undefined },
});

test.skipIf(missing.length > 0)("a herd's past figures come from a real Prometheus", async () => {
  const { path, remove } = await temporaryFolder();
  onTestFinished(remove);
  const disk = await diskUnder(path);
  if (disk === undefined) console.warn(`SKIPPED in part: no disk is under ${path}, so no load can move its counters`);
  const exporter = await startNodeExporter({ args: [...MINIMAL_COLLECTORS, ...MORE_COLLECTORS] });
  onTestFinished(() => exporter.kill());
  const startMs = Date.now();
  const prometheus = await startPrometheus(path, exporter.port);
  onTestFinished(() => prometheus.kill());
  const load = disk === undefined ? undefined : await startDiskLoad(path);
  onTestFinished(() => load?.stop());
  const settings = prometheusSettings(`http://127.0.0.1:${prometheus.port}`, undefined);
  const ask = async () => {
    const herd: Herd = {
      ...{ startMs, endMs: Date.now(), settled: [], pods: [] },
      nodes: [nodeAt("here", "127.0.0.1", startMs), nodeAt("elsewhere", "127.0.0.2", startMs)],
      leftOut: { notReady: 0, noObject: 0, done: 0, ended: 0 },
    };
    return (await telemetryOf([herd], settings)).get(herd);
  };
  let found: Awaited<ReturnType<typeof ask>>;
  await expect
    .poll(async () => (found = await ask())?.recorded.utilisationMean, { timeout: 60_000, interval: 1_000 })
    .toBeDefined();
  expect(found?.unknownNodes).toEqual(["elsewhere"]);
  const { utilisationMean = NaN, loadPerCoreMean = NaN } = found?.recorded ?? {};
  expect(utilisationMean).toBeGreaterThanOrEqual(0);
  expect(utilisationMean).toBeLessThanOrEqual(1);
  expect(loadPerCoreMean).toBeGreaterThan(0);
  if (load) await expect.poll(async () => (await ask())?.recorded.awaitP95Ms, { timeout: 60_000 }).toBeGreaterThan(0);
  console.log(`${found?.samples} samples, ${JSON.stringify(found?.recorded)}`);
});
