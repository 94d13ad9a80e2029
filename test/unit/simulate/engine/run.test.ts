/** Strategies on small herds with results calculated by hand, and promises of the engine. */
import { describe, expect, test } from "vitest";
import { runStrategy } from "../../../../src/simulate/engine/run.ts";
import { type Strategy } from "../../../../src/simulate/engine/strategy.ts";
import { parseScenario } from "../../../../src/simulate/scenario/parse.ts";

function run(yaml: string, kind: "none" | "paceline" | "fixed", slots = 1, seed = 1) {
  const parsed = parseScenario(yaml);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const { scenario, policy } = parsed;
  const strategy: Strategy = kind === "none" ? { kind } : kind === "paceline" ? { kind, policy } : { kind, slots };
  return runStrategy({ scenario, strategy, seed });
}

/** Nine pods of a service with present images, so only their own starts take time. */
const present = `
nodes: [{ cpu: 1000, present: [a] }]
images: [{ name: a, mib: 100 }]
workloads: [{ name: a, replicas: 9, images: [a], readySeconds: 10 }]
`;

describe("by hand", () => {
  test("none: pods whose image is present all start together, and are Ready 10 s later", () => {
    const { result } = run(present, "none");
    expect(result.makespanSeconds).toBeGreaterThan(10);
    expect(result.makespanSeconds).toBeLessThan(12);
    expect(result).toMatchObject({ peakInStartup: 9, startErrors: 0, unreadyPods: 0, longestHoldSeconds: 0 });
  });

  test("fixed:3 holds no more than three in startup", () => {
    expect(run(present, "fixed", 3).result).toMatchObject({ peakInStartup: 3, startErrors: 0, unreadyPods: 0 });
  });

  test("kube-scheduler binds one pod in 1.5 ms under every strategy: 4,000 pods whose image is present take 6 s more", () => {
    const many = present.replace("[{ cpu", "[{ count: 40, cpu").replace("replicas: 9", "replicas: 4000");
    for (const kind of ["none", "fixed"] as const) {
      const { makespanSeconds } = run(many, kind, 100).result;
      expect(makespanSeconds).toBeGreaterThan(10 + 6);
      expect(makespanSeconds).toBeLessThan(12 + 6);
    }
  });

  test("none: a shared image is written once: 1,000 × 1.4 MiB at 125 MiB/s, plus the pods' own start", () => {
    const shared = `
nodes: [{}]
images: [{ name: a, mib: 1000, layers: 20 }]
workloads: [{ name: a, replicas: 10, images: [a] }]
`;
    const { result } = run(shared, "none");
    expect(result.boundSeconds).toBeCloseTo((1_000 * 1.4) / 125 + 0.65, 5);
    expect(result.ratioToBound).toBeGreaterThanOrEqual(1);
    expect(result.ratioToBound).toBeLessThan(1.3);
  });

  test("a pod that existed before the node counts from when the node is Ready", () => {
    const { result } = run(present.replace("cpu: 1000", "cpu: 1000, joinSeconds: 100"), "none");
    expect(result.makespanSeconds).toBeLessThan(12);
  });

  test("a pod that fits nowhere is never Ready, and is counted", () => {
    const { result } = run(present.replace("cpu: 1000", "cpu: 1000, pods: 4"), "none");
    expect(result.unreadyPods).toBe(5);
  });

  test("an autoscaler adds a node for them", () => {
    const { result } = run(
      `${present.replace("cpu: 1000", "cpu: 1000, pods: 5")}autoscaler: { joinSeconds: 30 }`,
      "none",
    );
    expect(result).toMatchObject({ unreadyPods: 0, nodesAdded: 1 });
  });

  const fencedForLong = (autoscaler: string) => `
nodes: [{ pods: 40, memoryGib: 8 }]
images: [{ name: a, mib: 1600, layers: 8 }, { name: b, mib: 1400, layers: 8 }]
workloads: [{ name: a, replicas: 20, images: [a] }, { name: b, replicas: 60, images: [b] }]
autoscaler: ${autoscaler}
`;

  test("80 pods need two nodes of 40; although fences keep them pending, no third one is launched (promise 3)", () => {
    const yaml = fencedForLong("{ joinSeconds: 50 }");
    const { result } = run(yaml, "paceline");
    expect(result).toMatchObject({ nodesAdded: 1, unreadyPods: 0, startErrors: 0 });
    expect(result.longestHoldSeconds).toBeGreaterThan(20); // so the autoscaler saw them pending in many scans
    expect(run(yaml, "none").result.nodesAdded).toBe(1);
  });

  test("an autoscaler that does not know the fence launches more (docs/autoscalers.md says how to declare it)", () => {
    const { result } = run(fencedForLong("{ joinSeconds: 50, knowsFence: false }"), "paceline");
    expect(result.nodesAdded).toBeGreaterThan(1);
  });
});

const herd = `
nodes: [{ joinSeconds: 5, memoryGib: 8 }]
images: [${Array.from({ length: 12 }, (_, at) => `{ name: i${at}, mib: ${60 + 40 * at}, layers: 4 }`).join(", ")}]
workloads: [${Array.from({ length: 12 }, (_, at) => `{ name: w${at}, replicas: 2, images: [i${at}], startCpuSeconds: 0.3 }`).join(", ")}]
`;

describe("promises of the engine", () => {
  test.each(["none", "fixed", "paceline"] as const)("%s: equal seeds give equal results", (kind) => {
    expect(run(herd, kind, 4, 7)).toEqual(run(herd, kind, 4, 7));
  });

  test.each(["none", "fixed", "paceline"] as const)("%s: never below the bound", (kind) => {
    for (const seed of [1, 2, 3, 4, 5]) expect(run(herd, kind, 6, seed).result.ratioToBound).toBeGreaterThanOrEqual(1);
  });

  test("Paceline keeps the limit of its policy: two slots, never three in startup", () => {
    const two = `${herd}policy: { nodeClasses: [{ name: default, slots: { initial: 2, min: 2, max: 2 } }] }\n`;
    expect(run(two, "paceline").result).toMatchObject({ peakInStartup: 2, unreadyPods: 0 });
  });

  test("a DaemonSet that tolerates everything gets a pod on every node, any other only on nodes without a fence", () => {
    const yaml = `
nodes: [{ count: 3, joinSeconds: 5 }]
images: [{ name: a, mib: 100 }]
workloads:
  - { name: agent, kind: DaemonSet, images: [a], toleratesEverything: true }
  - { name: probe, kind: DaemonSet, images: [a] }
`;
    for (const kind of ["none", "paceline"] as const) {
      expect(run(yaml, kind).result).toMatchObject({ pods: 6, unreadyPods: 0 });
    }
  });

  test("a DaemonSet that does not tolerate the fence starts first all the same: the roll call creates its pods", () => {
    const yaml = (rollCall: boolean) => `
nodes: [{ count: 1, joinSeconds: 5, pods: 40 }]
images: [{ name: a, mib: 300 }, { name: b, mib: 100 }]
workloads:
  - { name: herd, replicas: 39, images: [a], createdSeconds: -60, readySeconds: 10 }
  - { name: probe, kind: DaemonSet, images: [b] }
policy: { fence: { rollCall: ${rollCall} } }
`;
    const placeOf = (rollCall: boolean) => {
      const { result } = run(yaml(rollCall), "paceline");
      expect(result).toMatchObject({ pods: 40, unreadyPods: 0 });
      return result.slowestDaemonSetSeconds;
    };
    // About half as late. It shares the disk with the herd, which comes as soon as it exists.
    expect(placeOf(true)).toBeLessThan(placeOf(false) * 0.6);
  });

  test("containers that crash by themselves are restarts, not failed starts, and the run does not wait for them", () => {
    const yaml = present
      .replace("replicas: 9", "replicas: 9, crashAfterSeconds: 1")
      .replace("workloads: [", "workloads: [{ name: good, images: [a], readySeconds: 60 }, ");
    const { result } = run(yaml, "paceline");
    expect(result.startErrors).toBe(0);
    expect(result.restarts).toBeGreaterThan(9);
    expect(result.makespanSeconds).toBeLessThan(65);
  });
});
