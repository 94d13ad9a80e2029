import { expect, test } from "vitest";
import { exposition } from "../../../../dev/modelled-node/exposition.ts";
import { counterCollector, wantedFamilies } from "../../../../src/telemetry/counters.ts";
import { prometheusTextReader } from "../../../../src/telemetry/prometheus-text.ts";
import { MIB } from "../../../../src/simulate/model/constants.ts";
import { plainNode, podOf, run } from "../../simulate/model/one-node.ts";

test("Paceline's own parser finds every figure of node_exporter's page that it uses", () => {
  const node = plainNode({ images: [{ name: "one", mib: 400, layers: 1, compressedRatio: 0.5 }] });
  node.addPod(podOf("a", "one"), 0);
  run(node, 4);
  const collector = counterCollector();
  prometheusTextReader(wantedFamilies, collector.add)(Buffer.from(exposition(node.counters(4_000))));
  const snapshot = collector.snapshot(4_000, 4_000);
  expect(snapshot).toMatchObject({ cores: 4, memoryBytes: 16 * 1_024 * MIB });
  expect((snapshot.dirtyBytes ?? 0) + (snapshot.writebackBytes ?? 0)).toBeCloseTo(200 * MIB, -1);
  const disk = snapshot.disks.get("nvme0n1");
  expect(disk?.writtenBytes).toBeCloseTo(400 * MIB, -1);
  expect(disk?.ioSeconds).toBeCloseTo(4, 6);
  for (const value of [snapshot.ioPressureSeconds, snapshot.cpuPressureSeconds, snapshot.load1]) {
    expect(value).toBeGreaterThanOrEqual(0);
  }
});

test("the page has HELP and TYPE of each family once, and no value twice", () => {
  const lines = exposition(plainNode().counters(0)).trimEnd().split("\n");
  const keys = lines.map((line) =>
    line
      .split(" ")
      .slice(0, line.startsWith("#") ? 3 : 1)
      .join(" "),
  );
  expect(new Set(keys).size).toBe(keys.length);
  for (const line of lines) expect(line).toMatch(/^(# (HELP|TYPE) node_\w+ .+|node_\w+(\{[^}]*\})? [\d.e+-]+)$/);
});
