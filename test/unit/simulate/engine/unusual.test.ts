/**
 * Herds that no built-in scenario has. Each is unusual in one way. The targets of pacing hold for them, too, and every
 * simulation ends by itself. The other nodes of the cluster list the sizes of the images, as in a busy cluster.
 */
import { describe, expect, test } from "vitest";
import { runStrategy } from "../../../../src/simulate/engine/run.ts";
import { type Strategy } from "../../../../src/simulate/engine/strategy.ts";
import { parseScenario } from "../../../../src/simulate/scenario/parse.ts";

function scenarioOf(yaml: string) {
  const parsed = parseScenario(yaml);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const { scenario, policy } = parsed;
  return { policy, run: (strategy: Strategy) => runStrategy({ scenario, strategy, seed: 1 }).result };
}

interface Herd {
  /** Keys of a node that joins after ten seconds, or several entries of nodes. */
  readonly nodes?: readonly string[];
  readonly mib: (at: number) => number;
  readonly layers?: number;
  readonly images?: number;
  /** Further keys of workload `at`, which uses image `at`. */
  readonly workload?: (at: number) => string;
  /** Further keys of the scenario. */
  readonly rest?: string;
  /**
   * True if nodes differ. The bound depends on the nodes on which pods ended, so work that moves to faster nodes lowers
   * it.
   */
  readonly differ?: boolean;
  /** The most that all Ready may take ÷ all at once, where that is not 1.05. */
  readonly allReady?: number;
}

const various = (at: number) => 60 + 43 * ((at * 7) % 19);
const replicas = (at: number) => `replicas: ${1 + (at % 3)}, startCpuSeconds: 0.3`;

function yamlOf({ nodes = [""], mib, layers = 5, images = 20, workload = replicas, rest = "" }: Herd): string {
  const all = Array.from({ length: images }, (_, at) => at);
  const shown = [0, 50, 100].filter((from) => from < images);
  const lines = [
    "nodes:",
    ...shown.map((from) => {
      const names = all.slice(from, from + 50).map((at) => `i${at}`); // a kubelet lists at most 50 images
      return `  - { joinSeconds: -86400, pods: 0, present: [${names.join(", ")}] }`;
    }),
    ...nodes.map((keys) => `  - { joinSeconds: 10, ${keys} }`),
    "images:",
    ...all.map((at) => `  - { name: i${at}, mib: ${mib(at)}, layers: ${layers} }`),
    "workloads:",
    ...all.map((at) => `  - { name: w${at}, images: [i${at}], ${workload(at)} }`),
    rest,
  ];
  return lines.join("\n").replaceAll(", }", " }");
}

const herds: readonly (readonly [name: string, herd: Herd])[] = [
  ["forty images of one size, none of them shared", { mib: () => 150, images: 40, workload: () => "" }],
  ["images of a hundred layers", { mib: various, layers: 100, images: 16 }],
  ["one pull at a time", { mib: various, rest: "kubelet: { serializeImagePulls: true }" }],
  ["three pulls at a time", { mib: various, rest: "kubelet: { maxParallelImagePulls: 3 }" }],
  ["next to no memory for dirty pages", { nodes: ["memoryGib: 1"], mib: various }],
  ["pods that take a minute to be ready", { mib: various, workload: (at) => `${replicas(at)}, readySeconds: 60` }],
  ["three priorities", { mib: various, images: 30, workload: (at) => `priority: ${(at % 3) * 100}` }],
  [
    "half of the images on the node",
    { nodes: [`present: [${[0, 1, 2, 3, 4, 5, 6, 7].map((at) => `i${at}`).join(", ")}]`], mib: various },
  ],
  [
    "half of the pods two minutes later",
    { mib: various, workload: (at) => `${replicas(at)}, createdSeconds: ${at % 2 ? 0 : 120}` },
  ],
  [
    "a registry of 15 MiB/s, no telemetry",
    {
      allReady: 1.1, // no sample shows that the disk has written what came, so less is on its way than could be
      mib: various,
      rest: "registry: { mibPerSecond: 15 }\ntelemetry: none",
    },
  ],
  [
    "NVMe and gp3 nodes side by side, without a class for either",
    {
      differ: true,
      nodes: ["count: 2, disk: { mibPerSecond: 1000, iops: 100000 }, cpu: 8", "count: 2"],
      mib: (at) => 60 + 37 * ((at * 7) % 19),
      images: 24,
      workload: (at) => `replicas: ${1 + ((at * 5) % 7)}, startCpuSeconds: 0.5`,
    },
  ],
];

describe.each(herds)("%s", (_name, herd) => {
  const { run, policy } = scenarioOf(yamlOf(herd));
  const paceline = run({ kind: "paceline", policy });
  const none = run({ kind: "none" });

  test("no start fails, and every pod becomes Ready in nearly the least time that the node needs", () => {
    expect(paceline).toMatchObject({ startErrors: 0, unreadyPods: 0 });
    if (!herd.differ) expect(paceline.ratioToBound).toBeLessThanOrEqual(1.15);
  });

  test("all pods are Ready as soon as all at once, or nearly so, and on the mean far sooner", () => {
    expect(paceline.makespanSeconds).toBeLessThanOrEqual((herd.allReady ?? 1.05) * none.makespanSeconds);
    expect(paceline.meanReadySeconds).toBeLessThanOrEqual(0.7 * none.meanReadySeconds);
  });
});

describe("Paceline pulls no more than the kubelet allows", () => {
  test.each([
    [
      "a hundred tiny images on a kubelet with its defaults",
      { mib: (at: number) => 3 + (at % 9), images: 100, layers: 1, workload: () => "" },
    ],
    [
      "a kubelet that allows one pull a second",
      { mib: various, rest: "kubelet: { registryPullQPS: 1, registryBurst: 2 }" },
    ],
    [
      "an image that 60 pods wait for",
      { mib: () => 800, images: 1, workload: () => "replicas: 60, startCpuSeconds: 0.5" },
    ],
  ] satisfies [string, Herd][])("%s", (_name, herd) => {
    const { run, policy } = scenarioOf(yamlOf(herd));
    expect(run({ kind: "none" }).failures.PullQpsExceeded).toBeGreaterThan(0);
    expect(run({ kind: "paceline", policy })).toMatchObject({ startErrors: 0, unreadyPods: 0 });
  });
});

describe("every simulation ends by itself", () => {
  const image = "images: [{ name: a, mib: 100 }]\n";
  const ends = (yaml: string) => {
    const { run, policy } = scenarioOf(yaml);
    return run({ kind: "paceline", policy });
  };

  test("when some pods can never fit: the others still become Ready", () => {
    const result = ends(`nodes: [{ pods: 4 }]\n${image}workloads: [{ name: a, replicas: 6, images: [a] }]`);
    expect(result).toMatchObject({ pods: 6, unreadyPods: 2, startErrors: 0 });
    expect(result.p50ReadySeconds).toBeLessThan(60);
  });

  test("when every container crashes, again and again", () => {
    const yaml = `nodes: [{}]\n${image}workloads: [{ name: a, replicas: 5, images: [a], crashAfterSeconds: 0 }]`;
    expect(ends(yaml)).toMatchObject({ makespanSeconds: 0, startErrors: 0 });
  });

  test("when probes kill every container before its work is done", () => {
    const work = "startCpuSeconds: 100, startupDeadlineSeconds: 10";
    const result = ends(`nodes: [{ cpu: 1 }]\n${image}workloads: [{ name: a, replicas: 2, images: [a], ${work} }]`);
    expect(result.unreadyPods).toBe(2);
  });

  test("when there is nothing to start", () => {
    const result = ends(`nodes: [{}]\n${image}workloads: [{ name: a, replicas: 0, images: [a] }]`);
    expect(result).toMatchObject({ pods: 0, makespanSeconds: 0, ratioToBound: 1 });
  });

  test("when an image is listed twice, and a pod is alone", () => {
    expect(ends(`nodes: [{}]\n${image}workloads: [{ name: a, images: [a, a] }]`)).toMatchObject({ unreadyPods: 0 });
  });
});
