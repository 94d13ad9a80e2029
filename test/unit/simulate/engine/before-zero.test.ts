import { expect, it } from "vitest";
import { runStrategy } from "../../../../src/simulate/engine/run.ts";
import { scenarioFrom } from "../../../../src/simulate/scenario/parse.ts";

it("pods that are held before the scenario's zero find room on settled nodes", () => {
  const parsed = scenarioFrom({
    nodes: [{ joinSeconds: -86_400, count: 7, pods: 2 }, { joinSeconds: 0 }],
    images: Array.from({ length: 20 }, (_, at) => ({ name: `app-${at}`, mib: 280 })),
    workloads: Array.from({ length: 20 }, (_, at) => ({
      name: `app-${at}`,
      replicas: 3,
      images: [`app-${at}`],
      createdSeconds: -2.9 + at / 10,
    })),
  });
  if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
  const { scenario, policy } = parsed;
  const { result } = runStrategy({ scenario, strategy: { kind: "paceline", policy }, seed: 1 });
  expect(result.unreadyPods).toBe(0);
});

it("a herd before the scenario's zero takes as long as the same one after it", () => {
  const secondsAt = (createdSeconds: number) => {
    const parsed = scenarioFrom({
      nodes: [{ joinSeconds: -86_400 }],
      images: Array.from({ length: 8 }, (_, at) => ({ name: `app-${at}`, mib: 70 })),
      workloads: [{ name: "app", images: Array.from({ length: 8 }, (_, at) => `app-${at}`), createdSeconds }],
    });
    if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
    return runStrategy({ scenario: parsed.scenario, strategy: { kind: "none" }, seed: 1 }).result.makespanSeconds;
  };
  expect(secondsAt(-20)).toBeCloseTo(secondsAt(20), 3);
});
