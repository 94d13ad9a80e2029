/** Scenario files: every default applies, and all errors are reported at once, each with its place. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { scenarioRows, simulateReference } from "../../../../dev/docs/simulate-reference.ts";
import { builtinNames, builtinText } from "../../../../src/simulate/scenario/builtin.ts";
import { parseScenario } from "../../../../src/simulate/scenario/parse.ts";

const errorsOf = (text: string) => {
  const parsed = parseScenario(text);
  return parsed.ok ? [] : parsed.errors.map(({ message }) => message);
};

test("the smallest scenario gets every default", () => {
  const parsed = parseScenario("nodes: [{}]\nimages: [{ name: a, mib: 1 }]\nworkloads: [{ name: w, images: [a] }]\n");
  expect(parsed).toMatchObject({
    ok: true,
    scenario: {
      nodes: [
        {
          count: 1,
          joinSeconds: 0,
          disk: { mibPerSecond: 125, iops: 3_000 },
          cpu: 4,
          memoryGib: 16,
          pods: 110,
          present: [],
        },
      ],
      images: [{ layers: 5, compressedRatio: 0.4 }],
      workloads: [{ kind: "Deployment", createdSeconds: 0, startCpuSeconds: 0, readySeconds: 0, priority: 0 }],
      kubelet: { registryPullQPS: 5, registryBurst: 10, serializeImagePulls: false },
      registry: { mibPerSecond: 596 },
      telemetry: "node-exporter",
    },
    policy: { mode: "enforce", youngForSeconds: 600 },
  });
});

test("all errors are reported at once, each with path, line and column", () => {
  const messages = errorsOf(`nodes:
  - { cuont: 2, podz: 3, disk: { iops: fast } }
images:
  - { name: a, mib: 0 }
  - { name: a, mib: 5 }
workloads:
  - { name: w, kind: DaemonSet, replicas: 3, images: [b] }
telemetry: prometheus
policy: { maxHoldSeconds: 900 }
`);
  const expected = [
    /^nodes\[0\]\.cuont: is an unknown key; remove it, or write one of class, count, .* \(line 2, column 7\)$/,
    /^nodes\[0\]\.podz: is an unknown key; did you mean pods\? \(line 2/,
    /^nodes\[0\]\.disk\.iops: .*number/,
    /^images\[0\]\.mib: is 0/,
    /^images\[1\]\.name: is the name of an earlier one too/,
    /^workloads\[0\]\.replicas: is given for a DaemonSet/,
    /^workloads\[0\]\.images\[0\]: is "b", which is not under images/,
    /^telemetry: is "prometheus"; write one of node-exporter, none \(line 8/,
    /^policy\.maxHoldSeconds: is 900; write at most 540 \(line 9/,
  ];
  for (const pattern of expected) expect(messages).toContainEqual(expect.stringMatching(pattern));
  expect(messages).toHaveLength(expected.length);
});

test("init containers name images and workloads that exist", () => {
  const messages = errorsOf(`nodes: [{}]
images: [{ name: a, mib: 1 }]
workloads:
  - { name: w, images: [a], initContainers: [{ image: b, waitsFor: w }, { image: a, waitsFor: db }] }
`);
  expect(messages).toEqual([
    expect.stringMatching(/^workloads\[0\]\.initContainers\[0\]\.image: is "b", which is not under images; .*line 4/),
    expect.stringMatching(/^workloads\[0\]\.initContainers\[1\]\.waitsFor: is "db", which is not under workloads;/),
  ]);
});

test.each(["", "[1, 2]", "nodes: [", "a: &x [*x]", "nodes: 5", "{}"])("refuses %j without throwing", (text) => {
  expect(errorsOf(text).length).toBeGreaterThan(0);
});

describe("built-in scenarios", () => {
  test.each(builtinNames())("%s is valid and says where it comes from", (name) => {
    const parsed = parseScenario(builtinText(name) ?? "");
    expect(parsed).toMatchObject({ ok: true });
    if (parsed.ok) expect(parsed.scenario.description.length).toBeGreaterThan(80);
  });

  const variants: readonly (readonly [name: string, changed: RegExp])[] = [
    ["issue-1651-gp3-200", /disk: \{ mibPerSecond: \d+/],
    ["issue-1651-qps-10-15", /^kubelet:|^policy:|nodeClasses|pullQPS/],
    ["issue-1651-gp3-200-qps-10-15", /disk: \{ mibPerSecond: \d+|^kubelet:|^policy:|nodeClasses|pullQPS/],
    ["no-telemetry", /^telemetry:/],
    ["nvme", /disk: \{ mibPerSecond/],
    ["crash-loops", /crashAfterSeconds/],
  ];
  test.each(variants)("%s differs from issue-1651 only as its description says", (name, changed) => {
    const body = (text: string) =>
      text
        .slice(text.indexOf("\nnodes:"))
        .split("\n")
        .filter((line) => !changed.test(line));
    expect(body(builtinText(name) ?? "")).toEqual(
      body(builtinText("issue-1651") ?? "").filter((line) => !changed.test(line)),
    );
  });
});

describe("docs/simulate.md", () => {
  const page = readFileSync(new URL("../../../../docs/simulate.md", import.meta.url), "utf8");

  test("equals the output of `npm run docs`", async () => {
    expect(page).toBe(await simulateReference());
  });

  test("explains every key of the schema in a sentence, and its example is valid", () => {
    for (const row of scenarioRows) expect(row.meaning, row.path).toMatch(/\S.*\.$/);
    expect(errorsOf(/```yaml\n(.*?)```/s.exec(page)?.[1] ?? "")).toEqual([]);
  });
});

test("a cordon ends after it begins, and pods ask for devices that some node has", () => {
  const messages = errorsOf(`nodes:
  - { cordon: { fromSeconds: 9, untilSeconds: 9 } }
  - { devices: { resource: gpu, count: 1 } }
  - { devices: { resource: x.org/gpu, count: 1 } }
images: [{ name: a, mib: 5 }]
workloads:
  - { name: v, images: [a], device: x.org/gpu }
  - { name: w, images: [a], device: x.org/other }
`);
  expect(messages).toEqual([
    expect.stringMatching(/^nodes\[1\]\.devices\.resource: .*write domain\/name/),
    expect.stringMatching(/^nodes\[0\]\.cordon\.untilSeconds: is not after fromSeconds \(9\)/),
    expect.stringMatching(/^workloads\[1\]\.device: is "x.org\/other", which is not under nodes\[\]\.devices/),
  ]);
});
