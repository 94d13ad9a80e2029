/** Nodes that open late: cordons, reboots, and devices that their driver reports after Ready. */
import { describe, expect, it } from "vitest";
import type { NodeFacts } from "../../../../src/core/facts.ts";
import { Cluster } from "../../../../src/simulate/engine/cluster.ts";
import { takesFromMs } from "../../../../src/simulate/engine/late-openings.ts";
import { noLever } from "../../../../src/simulate/engine/lever.ts";
import { runStrategy } from "../../../../src/simulate/engine/run.ts";
import { summarise } from "../../../../src/simulate/engine/summary.ts";
import { SECOND_MS } from "../../../../src/simulate/model/constants.ts";
import { parseScenario } from "../../../../src/simulate/scenario/parse.ts";

function scenarioOf(node: string, workloads: string) {
  const images = "[{ name: a, mib: 10 }, { name: b, mib: 200 }]";
  const parsed = parseScenario(`nodes: [${node}]\nimages: ${images}\nworkloads: [${workloads}]`);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.scenario;
}

/** All at once. `seen`: the first node as the API server shows it, after each of its changes. */
function run(node: string, workloads: string, untilSeconds = 3_600) {
  const seen: NodeFacts[] = [];
  const lever = () => ({ ...noLever(), nodeChanged: (one: { facts(): NodeFacts }) => void seen.push(one.facts()) });
  const cluster = new Cluster({ scenario: scenarioOf(node, workloads), seed: 1, lever });
  while ((cluster.unfinished || cluster.agenda.nowMs < untilSeconds * SECOND_MS) && cluster.agenda.step(3_600_000));
  const placedSeconds = cluster.pods.map(({ boundMs = NaN }) => boundMs / SECOND_MS);
  return { cluster, seen, placedSeconds, ...summarise(cluster, undefined, 0).result };
}

const OLD = "joinSeconds: -86400";

describe("a cordon", () => {
  it("keeps pods out until it ends, and their times count from then", () => {
    const { placedSeconds, meanReadySeconds, seen } = run(
      `{ ${OLD}, present: [a], cordon: { fromSeconds: 5, untilSeconds: 60 } }`,
      "{ name: w, images: [a], createdSeconds: 20 }",
    );
    expect(placedSeconds[0]).toBeGreaterThan(60);
    expect(meanReadySeconds).toBeLessThan(5);
    expect(seen.map(({ unschedulable }) => unschedulable)).toContain(true);
  });

  it("is there from the start, where nothing says when it begins", () => {
    const { seen } = run("{ joinSeconds: 10, cordon: { untilSeconds: 60 } }", "{ name: w, images: [a] }");
    expect(seen[0]).toMatchObject({ unschedulable: true, readySinceMs: undefined });
  });

  it("keeps no DaemonSet's pod out", () => {
    const { placedSeconds } = run(
      "{ joinSeconds: 10, cordon: { untilSeconds: 60 } }",
      "{ name: d, kind: DaemonSet, images: [a] }",
    );
    expect(placedSeconds[0]).toBeLessThan(12);
  });

  it("ends no sooner because a fence is lifted meanwhile", () => {
    const { seen, cluster } = run(
      `{ ${OLD}, cordon: { untilSeconds: 60 } }`,
      "{ name: w, images: [a], createdSeconds: 20 }",
      0,
    );
    const [node] = cluster.nodes;
    if (!node) throw new Error("no node");
    cluster.cordon(node, true);
    cluster.raiseFence(node, "of-the-node");
    cluster.unfence(node);
    expect(seen.at(-1)).toMatchObject({ unschedulable: true, fence: undefined });
  });
});

describe("a reboot", () => {
  const workload = "{ name: w, images: [b], startCpuSeconds: 1 }";
  const rebooted = (losesImages: boolean) =>
    run(`{ ${OLD}, reboot: { atSeconds: 60, downSeconds: 30, losesImages: ${String(losesImages)} } }`, workload, 120);

  it("shows as another bootID, and as Ready from when the node is up again", () => {
    const { seen } = rebooted(false);
    const [before, after] = [seen[0], seen.at(-1)];
    expect(after?.readySinceMs).toBe(90 * SECOND_MS);
    expect(after?.bootID).not.toBe(before?.bootID);
    const down = seen.findLast(({ readySinceMs }) => readySinceMs === undefined);
    expect(down?.notReadySinceMs).toBe(60 * SECOND_MS);
  });

  it.each([
    ["lost", []],
    ["kept", ["b"]],
  ])("restarts what is bound there, with images that are %s", (images, present) => {
    const { cluster } = rebooted(images === "lost");
    const [node] = cluster.nodes;
    expect(node?.present).toEqual(present);
    expect(cluster.pods[0]?.progress.containersStarted).toBe(true);
    expect(node?.model.podCount).toBe(1);
    expect(node?.model.imageNames()).toEqual(["b"]); // pulled again where it was lost
  });

  it("lets no pod in while the node is down", () => {
    const { placedSeconds } = run(
      `{ ${OLD}, reboot: { atSeconds: 10, downSeconds: 30 } }`,
      "{ name: w, images: [a], createdSeconds: 20 }",
    );
    expect(placedSeconds[0]).toBeGreaterThan(40);
  });
});

describe("devices", () => {
  const node = "{ joinSeconds: 10, present: [a], devices: { resource: x.org/gpu, count: 2, afterSeconds: 60 } }";
  const workloads = "{ name: g, images: [a], replicas: 2, device: x.org/gpu }, { name: w, images: [a], replicas: 2 }";

  it("are asked for in vain until their driver reports them, which other pods do not wait for", () => {
    const { placedSeconds, cluster, meanReadySeconds, seen } = run(node, workloads);
    const asking = cluster.pods.map(({ workload }) => workload.spec.device !== undefined);
    const of = (wanted: boolean) => placedSeconds.filter((_, at) => asking[at] === wanted);
    expect(Math.min(...of(true))).toBeGreaterThan(70);
    expect(Math.max(...of(false))).toBeLessThan(12);
    expect(meanReadySeconds).toBeLessThan(15); // those that ask count from the report
    expect(seen[0]?.allocatable).not.toHaveProperty(["x.org/gpu"]);
    expect(seen.at(-1)?.allocatable).toMatchObject({ "x.org/gpu": 2 });
  });

  it("are given to one pod each", () => {
    const { placedSeconds } = run(node, "{ name: g, images: [a], replicas: 3, device: x.org/gpu }", 0);
    expect(placedSeconds.filter((one) => !Number.isNaN(one))).toHaveLength(2);
  });

  it("that are not there yet hold up nothing else with a fixed number of slots", () => {
    const scenario = scenarioOf(node, workloads);
    const { result } = runStrategy({ scenario, seed: 1, strategy: { kind: "fixed", slots: 2 } });
    expect(result).toMatchObject({ unreadyPods: 0, startErrors: 0 });
    expect(result.p50ReadySeconds).toBeLessThan(5);
  });

  it("make an autoscaler add nodes that have them", () => {
    const parsed = parseScenario(
      `nodes: [${OLD}, ${node}]`.replace(OLD, `{ ${OLD} }`) +
        "\nimages: [{ name: a, mib: 10 }]\nautoscaler: { nodes: 1 }" +
        "\nworkloads: [{ name: g, images: [a], replicas: 4, device: x.org/gpu }]",
    );
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
    const { result } = runStrategy({ scenario: parsed.scenario, seed: 1, strategy: { kind: "none" } });
    expect(result).toMatchObject({ unreadyPods: 0, nodesAdded: 1 });
  });
});

describe("the first moment at which a node takes a pod", () => {
  const opens = (keys: string, atSeconds: number, device?: string) => {
    const [spec] = scenarioOf(`{ joinSeconds: 10, ${keys} }`, "{ name: w, images: [a] }").nodes;
    if (!spec) throw new Error("no node");
    return takesFromMs({ spec, readyMs: 10 * SECOND_MS }, device, atSeconds * SECOND_MS) / SECOND_MS;
  };

  it.each([
    ["cordon: { fromSeconds: 20, untilSeconds: 60 }", 5, 10],
    ["cordon: { fromSeconds: 20, untilSeconds: 60 }", 30, 60],
    ["cordon: { untilSeconds: 60 }", 5, 60],
    ["cordon: { untilSeconds: 60 }", 90, 90],
    ["cordon: { untilSeconds: 60 }, reboot: { atSeconds: 50, downSeconds: 40 }", 5, 90],
    ["cordon: { fromSeconds: 20, untilSeconds: 60 }, reboot: { atSeconds: 15, downSeconds: 10 }", 16, 60],
  ])("of a node with %s, for a pod of %d s, is %d s", (keys, atSeconds, expected) => {
    expect(opens(keys, atSeconds)).toBe(expected);
  });

  it("is when its devices are reported, for a pod that asks for one, and never for other devices", () => {
    const keys = "devices: { resource: x.org/gpu, count: 1, afterSeconds: 30 }";
    expect(opens(keys, 5, "x.org/gpu")).toBe(40);
    expect(opens(keys, 5)).toBe(10);
    expect(opens(keys, 5, "x.org/other")).toBe(Infinity);
  });
});
