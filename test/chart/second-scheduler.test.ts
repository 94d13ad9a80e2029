/**
 * The chart's second scheduler, for clusters whose own scheduler cannot be configured. kube-scheduler and extender run
 * with the chart's configuration, arguments, account and roles, beside the cluster's unmodified scheduler.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { CHART, findHelm } from "../../dev/chart/helm.ts";
import { findBinaries } from "../../dev/control-plane/binaries.ts";
import type { Child } from "../../dev/control-plane/child.ts";
import { startControlPlane, type ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { freePort } from "../../dev/control-plane/ports.ts";
import { observe } from "../../dev/demo/observer.ts";
import { MAIN } from "../../dev/service.ts";
import { recordOf, textOf, type KubeObject } from "../../src/kube/parse/kube-json.ts";
import { eventually } from "../support/control-plane.ts";
import { allReady, createPods, lightNode, lightPod, podsPath } from "../support/herd.ts";
import {
  accountKubeconfig,
  applyAll,
  chartObjects,
  containerArgs,
  NAMESPACE,
  type Recorder,
  startRecorder,
  startReplica,
} from "../support/installed.ts";
import { startServiceProxy, type ServiceProxy } from "../support/service-proxy.ts";

const SLOTS = 2;
const HERD = 8;
const ACCOUNT = "paceline-scheduler";
/**
 * Only the extender is on. Slots are held until Ready, which is what the observer counts. The exporter's addresses take
 * rights of their own.
 */
const POLICY = [
  ...["source=node-exporter", "address.type=Endpoints", "address.namespace=paceline-telemetry"].map(
    (value) => `telemetry.${value}`,
  ),
  "telemetry.address.service=node-exporter",
  ...["gate.enabled=false", "fence.enabled=false", "startup.until=Ready"],
  ...["nodeClasses[0].name=fixed", "nodeClasses[0].pullQPS.qps=0"],
  ...["initial", "min", "max"].map((which) => `nodeClasses[0].slots.${which}=${SLOTS}`),
].map((value) => `policy.${value}`);

let cp: ControlPlane;
let proxy: ServiceProxy;
let objects: KubeObject[];
let scheduler: Child;
let recorder: Recorder;

beforeAll(async () => {
  const values = join(CHART, "ci/4-second-scheduler-values.yaml");
  objects = await chartObjects(await findHelm(), ["-f", values, "--set", POLICY.join(",")]);
  proxy = await startServiceProxy();
  cp = await startControlPlane({ clusterProxy: proxy.socket });
  await cp.client.create("/api/v1/namespaces", { metadata: { name: NAMESPACE } });
  await cp.client.create("/api/v1/namespaces", {
    metadata: { name: "selected", labels: { "paceline.dev/scheduler": "paced" } },
  });
  await applyAll(cp, [...(await exporterRights()), ...objects]);
  recorder = await startRecorder(cp);
  const recorded = await accountKubeconfig(cp, ACCOUNT, "extender", recorder.url);
  const kubeconfig = await accountKubeconfig(cp, ACCOUNT, ACCOUNT);
  scheduler = await startScheduler(kubeconfig, await startExtender(recorded));
  proxy.use([(await startReplica(cp, objects, "paceline-a")).port]);
});
afterAll(async () => {
  await cp.stop();
  await recorder[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
});

/** The namespace of telemetry-config's exporter, and who may read its addresses. */
async function exporterRights(): Promise<KubeObject[]> {
  const text = await readFile(join(import.meta.dirname, "../../telemetry-config/node-exporter.yaml"), "utf8");
  const all = parseAllDocuments(text).map((one) => one.toJS() as KubeObject);
  return all.filter(({ kind }) => kind === "Namespace" || String(kind).startsWith("Role"));
}

/** Starts the container beside kube-scheduler. @returns its port */
async function startExtender(kubeconfig: string): Promise<number> {
  const port = await freePort();
  const args = containerArgs(objects, "paceline-scheduler-a", ACCOUNT, "extender");
  const words = [MAIN, ...args, "--kubeconfig", kubeconfig, "--port", String(port)];
  const child = await cp.startProgram("extender", process.execPath, words);
  await eventually("the extender is ready", async () => {
    if (child.ending() !== undefined) throw new Error(child.logTail());
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  });
  return port;
}

/**
 * Starts kube-scheduler with the ConfigMap's configuration. It differs only in what exists in a pod but not in a test.
 */
async function startScheduler(kubeconfig: string, extenderPort: number): Promise<Child> {
  const configMap = objects.find(({ kind, metadata }) => kind === "ConfigMap" && metadata?.name === ACCOUNT);
  const text = textOf(recordOf(configMap?.["data"])["kube-scheduler-config.yaml"]);
  const config = join(cp.folder, "second-scheduler.yaml");
  expect(text).toContain("127.0.0.1:8080");
  await writeFile(
    config,
    text
      .replace("127.0.0.1:8080", `127.0.0.1:${extenderPort}`)
      .replace("clientConnection: {}", `clientConnection: { kubeconfig: ${kubeconfig} }`),
  );
  const { "kube-scheduler": program } = await findBinaries();
  return cp.startProgram("second-scheduler", program, [
    ...["--config", config, "--secure-port", String(await freePort()), "--bind-address=127.0.0.1"],
    ...["--authentication-kubeconfig", kubeconfig, "--authorization-kubeconfig", kubeconfig],
  ]);
}

/** The scheduler that a new pod of the namespace gets. */
async function schedulerGiven(namespace: string, spec: object = {}): Promise<string> {
  const pod = lightPod("asks", { spec: { ...spec } });
  const made = await cp.client.create(podsPath(namespace), pod, { dryRun: "All" });
  return textOf(recordOf(made["spec"])["schedulerName"]);
}

describe("the second scheduler", () => {
  it("gets only the pods of the selected namespaces, as soon as it is alive", async () => {
    await eventually("it leads", async () => (await schedulerGiven("selected")) === "paced");
    expect(await schedulerGiven("default")).toBe("default-scheduler");
    expect(await schedulerGiven("selected", { schedulerName: "my-own" })).toBe("my-own");
    expect(await schedulerGiven("selected", { nodeName: "somewhere" })).toBe("default-scheduler");
  });

  it("paces them with the chart's configuration and rights; the other scheduler's pods are not paced", async () => {
    const seen = observe(cp.client, "selected");
    await createPods(cp.client, "selected", { count: HERD, prefix: "herd" });
    const node = await lightNode(cp, "young-1");
    await createPods(cp.client, "default", { count: 1, prefix: "other" });
    await allReady(cp.client, "default", 1);
    const pods = await allReady(cp.client, "selected", HERD);
    seen.stop();
    console.log(`second scheduler: ${HERD} pods, at most ${seen.peakInStartup()} of ${SLOTS} slots used`);
    expect(new Set(pods.map(({ raw }) => recordOf(raw["spec"])["schedulerName"]))).toEqual(new Set(["paced"]));
    // Without Paceline, all of them would have started at once.
    expect(seen.peakInStartup()).toBeLessThanOrEqual(SLOTS);
    await node.stop();
  });

  it("has an extender with every right that it uses, those of the exporter's addresses among them", async () => {
    await eventually("it has looked at all", () =>
      ["pods", "nodes", "configmaps", "events"].every((one) => recorder.seen.has(`watch /${one}`)),
    );
    const needed = ["list apps/daemonsets", "list discovery.k8s.io/endpointslices", "get coordination.k8s.io/leases"];
    expect([...recorder.seen]).toEqual(expect.arrayContaining(needed));
    expect([...recorder.refused]).toEqual([]);
  });

  it("gets no more pods after it has died: they stay with the cluster's own scheduler", async () => {
    await scheduler.kill();
    await eventually("its Lease is stale", async () => (await schedulerGiven("selected")) === "default-scheduler");
  });
});
