/** Failed sandboxes on a real API server: what counts of the Events that kubelets and others write. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ControlPlane, startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { applyObject, configDocuments, installAccess } from "../../dev/install.ts";
import { type RunningService, startServiceProcess } from "../../dev/service.ts";
import { type KubeObject, recordsOf } from "../../src/kube/parse/kube-json.ts";
import type { StatusAnswer } from "../../src/server/answers.ts";
import { createBareNode, eventually } from "../support/control-plane.ts";
import { podsPath } from "../support/herd.ts";

const EVENTS = "/api/v1/namespaces/default/events";
const NO_ADDRESS = `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "25852447": plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP address to container`;
const NOT_READY = "Failed to create pod sandbox: rpc error: code = Unknown desc = cni plugin not initialized";

const policy = { youngForSeconds: 3_600, nodeClasses: [{ name: "test", slots: { initial: 8, min: 1, max: 8 } }] };

let plane: ControlPlane;
const pods = new Map<string, KubeObject>();
beforeAll(async () => {
  plane = await startControlPlane({ scheduler: false, controllerManager: false });
  await installAccess(plane.client, policy);
  for (const name of ["n1", "n2"]) {
    await createBareNode(plane.client, name);
    const spec = { nodeName: name, containers: [{ name: "main", image: "app:1" }] };
    pods.set(name, await plane.client.create(podsPath("default"), { metadata: { name: `on-${name}` }, spec }));
  }
});
afterAll(() => plane.stop());

/** An Event as the kubelet of `node` writes it of the pod there. */
const eventOf = (node: string, message: string, about: object = {}) => {
  const { name, uid } = pods.get(node)?.metadata ?? {};
  const at = new Date().toISOString().replace(/\.\d+Z/, "Z");
  return {
    metadata: { generateName: `${name}.`, namespace: "default" },
    involvedObject: { kind: "Pod", apiVersion: "v1", namespace: "default", name, uid, ...about },
    reason: "FailedCreatePodSandBox",
    ...{ message, type: "Warning", count: 1, firstTimestamp: at, lastTimestamp: at },
    source: { component: "kubelet", host: node },
    ...{ reportingComponent: "kubelet", reportingInstance: node },
  };
};

async function limits(service: RunningService): Promise<Readonly<Record<string, number | undefined>>> {
  const { nodes } = JSON.parse((await service.get("/status.json")).text) as StatusAnswer;
  return Object.fromEntries(nodes.map(({ name, limit }) => [name, limit]));
}

const failedStarts = async (service: RunningService) =>
  (await service.get("/metrics")).text.split("\n").filter((line) => /^paceline_failed_starts_total.* [1-9]/.test(line));

test("without the right to watch Events all is as before, and the log says so once", async () => {
  for (const object of await configDocuments("rbac.yaml")) {
    if (object.kind !== "ClusterRole") continue;
    const rules = recordsOf(object["rules"]).filter(({ resources, apiGroups }) => {
      return !(String(resources) === "events" && String(apiGroups) === "");
    });
    expect(rules.length).toBe(recordsOf(object["rules"]).length - 1);
    await applyObject(plane.client, { ...object, rules });
  }
  const service = await startServiceProcess(plane, { name: "without" });
  await eventually("it leads", async () => (await service.get("/metrics")).text.includes("paceline_leader 1\n"));
  await plane.client.create(EVENTS, eventOf("n1", NO_ADDRESS));
  await eventually("the refusal is logged", () => service.process.logTail(500).includes("/api/v1/events"));
  expect(await limits(service)).toEqual({ n1: 8, n2: 8 });
  const refusals = service.process.logTail(500).split("list or watch failed").length - 1;
  expect(refusals).toBe(1);
  await service.stop();
  await installAccess(plane.client, policy);
});

test("an Event of a kubelet halves its node's limit; one of another pod, node, or cause does not", async () => {
  const service = await startServiceProcess(plane, { name: "with" });
  // Events of the past do not count, so the service must have begun to watch: until then this one is repeated.
  const notReady = () => plane.client.create(EVENTS, eventOf("n2", NOT_READY));
  await eventually("it watches Events", async () => {
    await notReady();
    return (await failedStarts(service)).some((line) => line.includes("SandboxOther"));
  });
  expect(await limits(service)).toEqual({ n1: 8, n2: 8 });
  await plane.client.create(EVENTS, eventOf("n2", NO_ADDRESS, { uid: "12345678-0000-4000-8000-000000000000" }));
  const elsewhere = { source: { component: "kubelet", host: "n1" }, reportingInstance: "n1" };
  await plane.client.create(EVENTS, { ...eventOf("n2", NO_ADDRESS), ...elsewhere });
  await plane.client.create(EVENTS, eventOf("n1", NO_ADDRESS));
  await eventually("the limit of n1 is halved", async () => (await limits(service))["n1"] === 4);
  expect(await limits(service)).toEqual({ n1: 4, n2: 8 });
  const { nodes } = JSON.parse((await service.get("/status.json")).text) as StatusAnswer;
  expect(nodes.find(({ name }) => name === "n1")?.limitMove).toBe("cut to 4: no address was left for on-n1");
  expect(await failedStarts(service)).toContain('paceline_failed_starts_total{reason="SandboxNoAddress"} 1');
  await service.stop();
});
