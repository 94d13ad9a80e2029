/**
 * Pods that wait hold no one up: four built-in scenarios and a variation, each with 24 ordinary pods behind pods that
 * wait. `none` gives the figures that issue 18 measured for all at once.
 */
import { describe, expect, it, test } from "vitest";
import { runStrategy } from "../../../../src/simulate/engine/run.ts";
import type { Strategy, StrategyRun } from "../../../../src/simulate/engine/strategy.ts";
import { builtinText } from "../../../../src/simulate/scenario/builtin.ts";
import { parseScenario } from "../../../../src/simulate/scenario/parse.ts";

function parsed(yaml: string) {
  const result = parseScenario(yaml);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  const { scenario, policy } = result;
  return { policy, run: (strategy: Strategy) => runStrategy({ scenario, strategy, seed: 1 }) };
}

/** Mean time to Ready of the pods of all workloads but the first, when the first of them was bound, and so on. */
function behind({ workloads, result }: StrategyRun) {
  const [, ...others] = workloads;
  const ready = others.reduce((sum, one) => sum + one.ready, 0);
  const sum = others.reduce((total, one) => total + one.ready * (one.meanReadySeconds ?? 0), 0);
  return {
    pods: others.reduce((total, one) => total + one.pods, 0),
    ready,
    meanSeconds: sum / ready,
    firstSeconds: Math.min(...others.map((one) => one.firstBoundSeconds ?? Infinity)),
    longestHoldSeconds: result.longestHoldSeconds,
  };
}

/** The issue's table: the blockers, the scenario, its variation, and the mean all at once, in seconds. */
const rows: readonly (readonly [blockers: string, name: string, text: string, noneSeconds: number])[] = [
  ["6 with a startup probe of 120 s", "startup-probes", "", 6],
  ["24 with a startup probe of 120 s", "startup-probes", "replicas: 24", 8],
  ["12 with an init container of 120 s", "init-waits", "", 6.2],
  ["6 that miss a Secret", "missing-secret", "", 5.3],
  ["6 that wait for a database behind them", "depends-on-gated", "", 6],
];

describe.each(rows)("24 pods behind %s", (_blockers, name, change, noneSeconds) => {
  const text = builtinText(name) ?? "";
  const { policy, run } = parsed(change === "" ? text : text.replace(/replicas: 6/, change));
  const none = behind(run({ kind: "none" }));
  const paceline = behind(run({ kind: "paceline", policy }));

  test("take as long as issue 18 measured, all at once", () => {
    expect(none).toMatchObject({ pods: 24, ready: 24, longestHoldSeconds: 0 });
    expect(none.meanSeconds).toBeGreaterThan(0.9 * noneSeconds);
    expect(none.meanSeconds).toBeLessThan(1.1 * noneSeconds);
  });

  test("all become Ready with Paceline, and none is held for longer than the cap", () => {
    expect(paceline.ready).toBe(24);
    expect(paceline.longestHoldSeconds).toBeLessThan(302);
  });

  // Waiting is still taken for work: these turn green with the rest of issue 18.
  it("go at once with Paceline: the first within 5 s", () => {
    expect(paceline.firstSeconds).toBeLessThanOrEqual(5);
  });

  it("are Ready about as soon as all at once with Paceline: at most 1.1 times their mean", () => {
    expect(paceline.meanSeconds).toBeLessThanOrEqual(1.1 * none.meanSeconds);
  });
});

describe("a crowd whose init containers wait for a database, each with an app image of its own", () => {
  const apps = Array.from({ length: 30 }, (_, at) => `app${at}`);
  const crowd = (database: string) => {
    const { run, policy } = parsed(
      `nodes: [{ disk: { mibPerSecond: 125, iops: 3000 }, cpu: 4, memoryGib: 16, present: [waiter] }]\n` +
        `images: [{ name: waiter, mib: 60 }, { name: sql, mib: 300 }, ${apps.map((name) => `{ name: ${name}, mib: 300 }`).join(", ")}]\nworkloads:\n` +
        apps
          .map((app) => `  - { name: ${app}, images: [${app}], initContainers: [{ image: waiter, waitsFor: db }] }\n`)
          .join("") +
        `  - { name: db, ${database} }\n` +
        `policy: { nodeClasses: [{ name: default, slots: { initial: 6 } }] }`,
    );
    return { none: run({ kind: "none" }), paceline: run({ kind: "paceline", policy }) };
  };
  const boundBy = ({ workloads }: StrategyRun, seconds: number) =>
    workloads.filter(({ firstBoundSeconds }) => (firstBoundSeconds ?? Infinity) <= seconds).length;

  test("is let in no faster than the disk could take the images, and is Ready no later than all at once", () => {
    const { none, paceline } = crowd("images: [waiter], createdSeconds: 60");
    expect([boundBy(none, 59), boundBy(paceline, 59)]).toEqual([31, 19]);
    expect(paceline.result.unreadyPods).toBe(0);
    expect(paceline.result.peakInStartup).toBeLessThan(20); // 31 all at once
    expect(paceline.result.startErrors).toBeLessThan(10); // 20: the kubelet's limit of pulls
    expect(paceline.result.meanReadySeconds).toBeLessThan(0.85 * none.result.meanReadySeconds);
    expect(paceline.result.makespanSeconds).toBeLessThan(1.03 * none.result.makespanSeconds);
  });

  test("does not keep the database out until the cap, though this comes last with such an image of its own", () => {
    const { paceline } = crowd("images: [sql], createdSeconds: 20, initContainers: [{ image: waiter, runSeconds: 1 }]");
    expect(paceline.workloads.at(-1)?.firstBoundSeconds).toBeLessThan(120);
    expect(paceline.result.unreadyPods).toBe(0);
  });
});

describe("pods that can never become Ready", () => {
  const image = "images: [{ name: a, mib: 100 }]\n";
  const [waits, secret] = ["initContainers: [{ image: a, waitsFor: b }]", "missingSecret: true"];

  test("the simulation ends without them, and says how many there are", () => {
    const { run, policy } = parsed(
      `nodes: [{}]\n${image}workloads:\n` +
        `  - { name: a, replicas: 2, images: [a], ${waits} }\n  - { name: b, replicas: 3, images: [a], ${secret} }\n` +
        `  - { name: c, replicas: 4, images: [a] }`,
    );
    for (const strategy of [{ kind: "none" }, { kind: "fixed", slots: 8 }, { kind: "paceline", policy }] as const) {
      const { result, readySeconds } = run(strategy);
      expect(result).toMatchObject({ pods: 9, unreadyPods: 5, neverReadyPods: 5, startErrors: 0 });
      expect(result.makespanSeconds).toBeLessThan(60);
      expect(readySeconds).toHaveLength(4);
    }
  });

  test("a circle of pods that wait for each other is none that a strategy could break", () => {
    const circle = "initContainers: [{ image: a, waitsFor: a }]";
    const { run } = parsed(
      `nodes: [{}]\n${image}workloads: [{ name: a, images: [a], ${waits} }, { name: b, images: [a], ${circle} }]`,
    );
    expect(run({ kind: "none" }).result).toMatchObject({ unreadyPods: 2, neverReadyPods: 2, makespanSeconds: 0 });
  });

  test("a scenario without such pods says nothing of them", () => {
    const { run } = parsed(`nodes: [{}]\n${image}workloads: [{ name: a, images: [a] }]`);
    expect(run({ kind: "none" }).result).not.toHaveProperty("neverReadyPods");
  });
});

test("a pod that waits on one node goes on when its database is Ready on another, which came later", () => {
  const { run } = parsed(
    `nodes: [{ pods: 1 }, { pods: 1, joinSeconds: 60 }]\nimages: [{ name: a, mib: 10 }]\nworkloads:\n` +
      `  - { name: a, images: [a], initContainers: [{ image: a, waitsFor: db }] }\n` +
      `  - { name: db, images: [a], createdSeconds: 1, readySeconds: 7 }`,
  );
  const { result, workloads } = run({ kind: "none" });
  expect(result.unreadyPods).toBe(0);
  const [client, database] = workloads;
  expect(client?.meanReadySeconds).toBeGreaterThan(67);
  expect(client?.meanReadySeconds).toBeLessThan(75);
  expect(database?.meanReadySeconds).toBeLessThan(client?.meanReadySeconds ?? 0);
});
