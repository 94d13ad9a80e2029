/** Promise 2 in whole runs: by gate and fence together no hold outlasts the cap, and 200 pods leave over 60 s. */
import { describe, expect, test } from "vitest";
import { Cluster } from "../../../../src/simulate/engine/cluster.ts";
import { PacelineLever } from "../../../../src/simulate/engine/paceline.ts";
import type { SimPod } from "../../../../src/simulate/engine/pod.ts";
import { parseScenario } from "../../../../src/simulate/scenario/parse.ts";

const CAP_S = 300;
/** Until everything is written, s. */
const SLACK_S = 2;

/** Pods that are not Ready for longer than the cap use the only slot of each node. */
const stuckBehind = (nodes: string, web: string) => `
nodes: [${nodes}]
images: [{ name: slow, mib: 1 }, { name: web, mib: 1 }]
workloads:
  - { name: slow, kind: DaemonSet, images: [slow], toleratesEverything: true, priority: 10, readySeconds: 1000 }
  - ${web}
policy:
  maxHoldSeconds: ${CAP_S}
  startup: { until: Ready, deadlineSeconds: 3600 }
  nodeClasses: [{ name: default, slots: { initial: 1, min: 1, max: 1 } }]
`;

/** Runs until every pod of the workload is bound, 400 s at most. */
function web(yaml: string) {
  const parsed = parseScenario(yaml);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const { scenario, policy } = parsed;
  const cluster = new Cluster({ scenario, seed: 1, lever: (one) => new PacelineLever(one, policy) });
  const ofWeb = () => cluster.pods.filter(({ workload }) => workload.spec.name === "web");
  while (cluster.agenda.step(400_000));
  return ofWeb();
}

const letGo = (pods: readonly SimPod[]) => pods.map(({ letGoMs = Infinity }) => letGoMs / 1_000).sort((a, b) => a - b);
const mostInASecond = (times: readonly number[]) =>
  Math.max(...times.map((time) => times.filter((other) => other >= time && other < time + 1).length));

describe("200 pods that no slot is free for until their cap", () => {
  test.each([
    ["gates hold", "{ count: 4, joinSeconds: -20, present: [web] }", 0],
    ["a fence keeps out", "{ count: 4, joinSeconds: 5, present: [web] }", 5],
  ])("and that %s leave over the last 60 s, the last one at its cap", (_by, nodes, readySeconds) => {
    const pods = web(stuckBehind(nodes, "{ name: web, replicas: 200, createdSeconds: 0, images: [web] }"));
    const times = letGo(pods);
    expect(times).toHaveLength(200);
    expect(times.at(-1)).toBeLessThanOrEqual(readySeconds + CAP_S + SLACK_S);
    expect(Math.min(...times.slice(10))).toBeGreaterThanOrEqual(readySeconds + CAP_S - 61);
    expect((times.at(-1) ?? 0) - (times[10] ?? 0)).toBeGreaterThan(55);
    expect(mostInASecond(times)).toBeLessThanOrEqual(Math.ceil(200 / 60) + 1);
  });
});
