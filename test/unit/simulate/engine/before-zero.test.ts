import { expect, it } from "vitest";
import { runStrategy } from "../../../../src/simulate/engine/run.ts";
import { scenarioFrom } from "../../../../src/simulate/scenario/parse.ts";

it("pods that are created before the scenario's zero find room on settled nodes", () => {
  const parsed = scenarioFrom({
    nodes: [{ joinSeconds: -86_400, count: 3, pods: 4 }],
    images: [{ name: "app", mib: 50 }],
    workloads: [{ name: "app", replicas: 8, images: ["app"], createdSeconds: -7 }],
  });
  if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
  const { scenario, policy } = parsed;
  const { result, pods } = runStrategy({ scenario, strategy: { kind: "paceline", policy }, seed: 1, podTimes: true });
  expect(result.unreadyPods).toBe(0);
  expect(pods).toHaveLength(8);
});
