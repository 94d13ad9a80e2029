/** From when the time to Ready of a DaemonSet's pod counts. */
import { expect, test } from "vitest";
import { fenceValue } from "../../../../src/core/rules/node-fence.ts";
import { Cluster } from "../../../../src/simulate/engine/cluster.ts";
import { type Lever, noLever } from "../../../../src/simulate/engine/lever.ts";
import { runStrategy } from "../../../../src/simulate/engine/run.ts";
import { summarise } from "../../../../src/simulate/engine/summary.ts";
import { SECOND_MS } from "../../../../src/simulate/model/constants.ts";
import { parseScenario } from "../../../../src/simulate/scenario/parse.ts";
import type { Scenario } from "../../../../src/simulate/scenario/schema.ts";

/** The node is Ready after 20 s. */
function scenarioOf(workloads: string): Scenario {
  const node = "{ joinSeconds: 20, cpu: 100, present: [a] }";
  const parsed = parseScenario(`nodes: [${node}]\nimages: [{ name: a, mib: 10 }]\nworkloads: [${workloads}]`);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.scenario;
}

const run = (workloads: string) =>
  runStrategy({ scenario: scenarioOf(workloads), seed: 1, strategy: { kind: "none" } }).result;

/** A fence that is lifted this long after the node's Ready, and binds whatever else comes at once. */
function runBehindFence(workloads: string, liftedSeconds: number) {
  const lever = (cluster: Cluster): Lever => ({
    ...noLever(),
    nodeAdmission: (node) => {
      cluster.agenda.at(node.readyMs + liftedSeconds * SECOND_MS, () => cluster.unfence(node));
      return { value: fenceValue(node.name), sinceMs: cluster.agenda.nowMs };
    },
  });
  const cluster = new Cluster({ scenario: scenarioOf(workloads), seed: 1, lever });
  while (cluster.unfinished && cluster.agenda.step(3_600 * SECOND_MS));
  return summarise(cluster, undefined, 0).result;
}

const daemon = "{ name: d, kind: DaemonSet, images: [a], readySeconds: 10 }";
const app = "{ name: w, images: [a], readySeconds: 10 }";

test("a DaemonSet's pod that is created only when the fence is lifted counts from its node's Ready", () => {
  const { slowestDaemonSetSeconds, meanReadySeconds, makespanSeconds, ratioToBound } = runBehindFence(daemon, 30);
  expect(slowestDaemonSetSeconds).toBeGreaterThan(30 + 10);
  expect(slowestDaemonSetSeconds).toBeLessThan(30 + 13);
  expect(meanReadySeconds).toBe(slowestDaemonSetSeconds);
  expect(makespanSeconds).toBe(slowestDaemonSetSeconds);
  expect(ratioToBound).toBeGreaterThan(3); // the bound does not wait for the fence
});

test("a pod of a Deployment counts from the first node's Ready, as it existed before", () => {
  const { p50ReadySeconds, slowestDaemonSetSeconds } = runBehindFence(`${app}, ${daemon}`, 30);
  expect(p50ReadySeconds).toBeGreaterThan(30 + 10);
  expect(slowestDaemonSetSeconds).toBeGreaterThan(30 + 10);
});

test("a DaemonSet's pod that is never created is not Ready", () => {
  expect(runBehindFence(daemon, 7_200)).toMatchObject({ pods: 0, unreadyPods: 1 });
});

test("one that tolerates the fence and exists before Ready counts from Ready", () => {
  const tolerant = daemon.replace("10 }", "10, toleratesEverything: true }");
  const { slowestDaemonSetSeconds, meanReadySeconds, makespanSeconds } = run(tolerant);
  expect(makespanSeconds).toBeGreaterThan(10); // it began when the node registered, 2 s before Ready
  expect(slowestDaemonSetSeconds).toBeCloseTo(makespanSeconds - 2, 5);
  expect(meanReadySeconds).toBe(slowestDaemonSetSeconds);
});

test("one that is Ready before its node counts as 0, not less", () => {
  const fast = "{ name: d, kind: DaemonSet, images: [a], toleratesEverything: true }";
  expect(run(fast)).toMatchObject({ slowestDaemonSetSeconds: 0, p95ReadySeconds: 0 });
});

test("a DaemonSet that is created long after Ready counts from its creation", () => {
  const late = daemon.replace("10 }", "10, createdSeconds: 500 }");
  expect(run(late).slowestDaemonSetSeconds).toBeLessThan(13);
});

test("without DaemonSets the slowest of their pods is 0", () => {
  expect(run("{ name: w, images: [a], readySeconds: 10 }").slowestDaemonSetSeconds).toBe(0);
});
