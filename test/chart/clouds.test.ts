/** What other people's clusters ask of the chart, each on an API server that asks it. */
import { request } from "node:https";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CHART, findHelm } from "../../dev/chart/helm.ts";
import { startControlPlane, type ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { recordOf, recordsOf, textOf, type KubeObject } from "../../src/kube/parse/kube-json.ts";
import { eventually } from "../support/control-plane.ts";
import { accountToken, applyAll, chartObjects, kubectl, NAMESPACE, startReplica } from "../support/installed.ts";

const helm = await findHelm();
const forCloud = (cloud: string, ...more: string[]) =>
  chartObjects(helm, ["-f", join(CHART, "values", `${cloud}.yaml`), ...more]);

const isNoWebhook = (object: KubeObject) => object["webhooks"] === undefined;
const ofKind = (objects: readonly KubeObject[], kind: string) => objects.filter((one) => one.kind === kind);
const named = (objects: readonly KubeObject[], kind: string, name = "paceline") =>
  recordOf(ofKind(objects, kind).find(({ metadata }) => metadata?.name === name)?.["spec"]);
const podOf = (workload: Record<string, unknown>) => recordOf(recordOf(workload["template"])["spec"]);
const serve = (objects: readonly KubeObject[]) => podOf(named(objects, "Deployment"));

/** The port as the container, its arguments and the NetworkPolicy have it. */
function portsOf(objects: readonly KubeObject[]): unknown[] {
  const [container] = recordsOf(serve(objects)["containers"]);
  const args = (container?.["args"] as string[]).filter((arg) => arg.startsWith("--port="));
  const ingress = recordsOf(named(objects, "NetworkPolicy")["ingress"]).flatMap(({ ports }) => recordsOf(ports));
  return [
    ...args,
    ...[...recordsOf(container?.["ports"]), ...ingress].map((one) => one["containerPort"] ?? one["port"]),
  ];
}

const egressPorts = (objects: readonly KubeObject[]) =>
  recordsOf(named(objects, "NetworkPolicy")["egress"])
    .flatMap(({ ports }) => recordsOf(ports))
    .map(({ port }) => port);

describe("the chart's values for", () => {
  it.each(["eks", "gke-private"])("%s: listens where the API server reaches pods, on 10250", async (cloud) => {
    expect(portsOf(await forCloud(cloud))).toEqual(["--port=10250", 10_250, 10_250]);
  });

  it("eks-overlay-cni: listens on the node, one replica each, and still finds Services", async () => {
    const objects = await forCloud("eks-overlay-cni");
    expect(serve(objects)).toMatchObject({ hostNetwork: true, dnsPolicy: "ClusterFirstWithHostNet" });
    // With as many nodes as replicas, an upgrade would wait for ever for a node whose port is free.
    expect(named(objects, "Deployment")["strategy"]).toMatchObject({ rollingUpdate: { maxUnavailable: 1 } });
    await expect(forCloud("eks-overlay-cni", "--set", "port=10250")).rejects.toThrow("kubelet");
  });

  it("aks: AKS leaves the webhooks as they are", async () => {
    const objects = await forCloud("aks");
    const webhooks = objects.filter((object) => !isNoWebhook(object));
    expect(webhooks).toHaveLength(2);
    for (const { metadata } of webhooks) {
      expect(metadata?.annotations).toMatchObject({ "admissions.enforcer/disabled": "true" });
    }
  });

  it("openshift: asks for no user of its own, and reaches its DNS", async () => {
    const objects = await forCloud("openshift");
    expect(JSON.stringify(objects)).not.toMatch(/runAsUser|runAsGroup|fsGroup/);
    expect(serve(objects)["securityContext"]).toMatchObject({ runAsNonRoot: true });
    expect(egressPorts(objects)).toEqual(expect.arrayContaining([53, 5353]));
  });

  it.each([
    ["minikube", 8443],
    ["k3s", 6443],
  ])("%s: the NetworkPolicy lets it reach the API server", async (cloud, port) => {
    expect(egressPorts(await forCloud(cloud))).toContain(port);
  });

  it("none of them: the API servers of minikube and microk8s are reached all the same", async () => {
    expect(egressPorts(await chartObjects(helm))).toEqual(expect.arrayContaining([443, 6443, 8443, 16_443]));
  });
});

it("an affinity of the operator's stays, beside the preference for different zones", async () => {
  const required = "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]";
  const terms = `${required}.matchExpressions[0].key=infra,${required}.matchExpressions[0].operator=Exists`;
  const affinity = recordOf(serve(await chartObjects(helm, ["--set", terms]))["affinity"]);
  expect(Object.keys(affinity).toSorted()).toEqual(["nodeAffinity", "podAntiAffinity"]);
  const own = "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight=7";
  const given = recordOf(serve(await chartObjects(helm, ["--set", own]))["affinity"]);
  expect(given).toEqual({ podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 7 }] } });
});

describe("on an API server", () => {
  let cp: ControlPlane;
  let objects: KubeObject[];
  const CRITICAL = "system-cluster-critical";

  beforeAll(async () => {
    const controllers = ["resourcequota-controller"];
    cp = await startControlPlane({ scheduler: false, controllers, limitedClasses: [CRITICAL] });
    await cp.client.create("/api/v1/namespaces", { metadata: { name: NAMESPACE } });
    // Nothing answers its webhooks here.
    objects = (await forCloud("gke-private")).filter(isNoWebhook);
  });
  afterAll(() => cp.stop());

  it("that refuses critical pods without a quota, as GKE does, its pods are made", async () => {
    const pod = { metadata: { generateName: "p-" }, spec: serve(objects) };
    const create = () => cp.client.create(`/api/v1/namespaces/${NAMESPACE}/pods`, pod, { dryRun: "All" });
    await expect(create()).rejects.toThrow("insufficient quota");
    const isApplied = ({ kind }: KubeObject) => kind !== "Deployment" && kind !== "Lease";
    await applyAll(cp, objects.filter(isApplied));
    await eventually("the quota counts", () => create().catch(() => undefined));
    expect(textOf(serve(objects)["priorityClassName"])).toBe(CRITICAL);
    const own = await chartObjects(helm, ["--set", "priorityClassName=my-class"]);
    expect(ofKind(own, "ResourceQuota")).toEqual([]);
  });

  it("under Argo CD, which applies no Lease, a replica makes it and leads, and again when it was deleted", async () => {
    const path = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/paceline-leader`;
    const leads = () =>
      cp.client.get(path).then(
        ({ spec }) => recordOf(spec)["holderIdentity"] === "only",
        () => false,
      );
    expect(await leads()).toBe(false);
    const replica = await startReplica(cp, objects, "only");
    await eventually("it leads", leads);
    await kubectl(cp, "delete", "lease", "paceline-leader", "-n", NAMESPACE);
    await eventually("it leads again", leads);
    await replica.process.kill();
  });

  describe("under load", () => {
    /** The FlowSchema by which the API server queues a request. */
    async function schemaOf(token: string, method: string, path: string): Promise<string> {
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/merge-patch+json" };
      const uid = await new Promise<unknown>((resolve, reject) => {
        const outgoing = request(new URL(path, cp.url), { method, headers, ca: cp.caCert, agent: false }, (answer) => {
          answer.resume();
          resolve(answer.headers["x-kubernetes-pf-flowschema-uid"]);
        });
        outgoing.on("error", reject).end(method === "GET" ? undefined : "{}");
      });
      const { items } = await cp.client.list("/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas");
      return textOf(items.find(({ metadata }) => metadata?.uid === uid)?.metadata?.name);
    }

    const lease = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/paceline-leader?dryRun=All`;
    const pod = "/api/v1/namespaces/default/pods/none?dryRun=All";

    it("Lease and releases have levels of their own; what else it asks, and what others ask, has not", async () => {
      const service = await accountToken(cp.client, "paceline");
      const janitor = await accountToken(cp.client, "paceline-janitor");
      await cp.client.create(`/api/v1/namespaces/${NAMESPACE}/serviceaccounts`, { metadata: { name: "other" } });
      const other = await accountToken(cp.client, "other");
      const ours = async () => (await schemaOf(service, "PATCH", lease)) === "paceline-leases";
      await eventually("they are in force", ours);
      expect(await schemaOf(service, "PATCH", pod)).toBe("paceline-writes");
      expect(await schemaOf(janitor, "PATCH", "/api/v1/nodes/none?dryRun=All")).toBe("paceline-writes");
      expect(await schemaOf(service, "GET", "/api/v1/pods?limit=1")).toBe("service-accounts");
      expect(await schemaOf(other, "PATCH", lease)).toBe("service-accounts");
      expect(await schemaOf(other, "PATCH", pod)).toBe("service-accounts");
      const all = await cp.client.list("/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas");
      for (const { metadata, status } of all.items.filter((one) => one.metadata?.name?.startsWith("paceline"))) {
        const dangling = recordsOf(recordOf(status)["conditions"]).find(({ type }) => type === "Dangling");
        expect(dangling?.["status"], metadata?.name).toBe("False");
      }
    });
  });
});
