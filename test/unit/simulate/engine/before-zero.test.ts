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
