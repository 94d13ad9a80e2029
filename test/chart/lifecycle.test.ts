/** A release from install to uninstall, by Helm itself, while herds start: an operator acts, and replicas die. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { CHART, findHelm, helmText } from "../../dev/chart/helm.ts";
import { startControlPlane, type ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { observe } from "../../dev/demo/observer.ts";
import { recordOf, textOf, type KubeObject } from "../../src/kube/parse/kube-json.ts";
import type { ModelledNodes } from "../../dev/modelled-node/modelled-node.ts";
import { eventually } from "../support/control-plane.ts";
import { cli, kubectl, NAMESPACE, seesLeader, startReplica, type Replica } from "../support/installed.ts";
import { startServiceProxy, type ServiceProxy } from "../support/service-proxy.ts";
import { createHerd, joinNodes, countHerd } from "../support/small-herd.ts";

const helm = await findHelm();

const SLOTS = 2;
/** Few slots, so that pods are still held when a replica dies. */
const POLICY = ["name=slow", `slots.initial=${SLOTS}`, `slots.max=${SLOTS}`].map(
  (value) => `policy.nodeClasses[0].${value}`,
);
/**
 * The chart's image cannot run here, so its pods stay Pending. The test runs the commands of their containers itself.
 */
const VALUES = ["--set", [...POLICY, "nodeSelector.runs-here=nowhere"].join(",")];
/** All kinds of a release, and of the objects that the service creates. */
const KINDS =
  "mutatingwebhookconfigurations,validatingwebhookconfigurations,validatingadmissionpolicies," +
  "validatingadmissionpolicybindings,secrets,leases,configmaps,services,serviceaccounts," +
  "roles,rolebindings,clusterroles,clusterrolebindings,deployments,cronjobs,jobs,poddisruptionbudgets,networkpolicies," +
  "flowschemas,resourcequotas";
/** The cap is set once no replica runs that would act on it, so that the test sees it expire. */
const SHORT_CAP_SECONDS = 15;

describe("a release", () => {
  let cp: ControlPlane;
  let proxy: ServiceProxy;
  let objects: KubeObject[];
  let replicas: Replica[] = [];
  let fleet: ModelledNodes;

  const asOperator = (...args: string[]) =>
    helmText(helm, [...args, "--namespace", NAMESPACE], { KUBECONFIG: cp.kubeconfigPath });

  beforeAll(async () => {
    proxy = await startServiceProxy();
    cp = await startControlPlane({ clusterProxy: proxy.socket, controllers: ["resourcequota-controller"] });
  });
  afterAll(async () => {
    await fleet.stop();
    await cp.stop();
    await proxy[Symbol.asyncDispose]();
  });

  async function start(...names: string[]): Promise<void> {
    replicas.push(...(await Promise.all(names.map((name) => startReplica(cp, objects, name)))));
    proxy.use(replicas.map(({ port }) => port));
  }

  async function killAll(): Promise<void> {
    proxy.use([]);
    await Promise.all(replicas.map(({ process: child }) => child.kill()));
    replicas = [];
  }

  /** The replica that holds the Lease. */
  const leader = () =>
    eventually("a running replica leads", async () => {
      const { spec } = await cp.client.get(
        `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/paceline-leader`,
      );
      return replicas.find(({ name }) => name === textOf(recordOf(spec)["holderIdentity"]));
    });

  /** Creates a herd of this many Deployments. @returns once all its pods exist, some run, and most are still held */
  async function holdMost(name: string, deployments: number): Promise<void> {
    const before = await countHerd(cp.client, "default");
    await createHerd(cp.client, name, deployments);
    await eventually("all are created, some run and most are held", async () => {
      const { gated, running, pods } = await countHerd(cp.client, "default");
      return pods > before.pods + deployments && gated > deployments / 2 && running > 0;
    });
  }

  const allRun = () =>
    eventually("every pod of the herds runs", async () => {
      const { gated, fences, running, pods } = await countHerd(cp.client, "default");
      return gated + fences === 0 && running === pods && pods > 0;
    });

  it("is installed by Helm, and then paces a node that joins", async () => {
    await asOperator("install", "paceline", CHART, "--create-namespace", ...VALUES);
    objects = parseAllDocuments(await asOperator("get", "manifest", "paceline")).map((one) => one.toJS() as KubeObject);
    await start("paceline-a", "paceline-b");
    await leader();
    await eventually("both see the leader", async () => (await Promise.all(replicas.map(seesLeader))).every(Boolean));
    await eventually("the leader has told the webhooks whom to trust", async () =>
      (await bundles(cp)).every((one) => one !== ""),
    );
    fleet = await joinNodes(cp.client, "young-1");
    await fleet.ready;
    await holdMost("first", 10);
  });

  it("gets a new leader after the old one dies, and the new one releases nothing twice", async () => {
    const seen = observe(cp.client, "default");
    const old = await leader();
    await old.process.kill();
    replicas = replicas.filter((one) => one !== old);
    proxy.use(replicas.map(({ port }) => port));
    expect((await leader()).name).not.toBe(old.name);
    await allRun();
    seen.stop();
    console.log(`failover: at most ${seen.peakInStartup()} of ${SLOTS} slots were used`);
    expect(seen.peakInStartup()).toBeLessThanOrEqual(SLOTS);
  });

  it("may lose both replicas for good in mid-herd: new pods schedule, and the janitor frees held pods by the cap", async () => {
    await holdMost("second", 28);
    await killAll();
    const held = (await countHerd(cp.client)).gated;
    expect(held).toBeGreaterThan(0);
    const newcomer = {
      containers: [{ name: "main", image: "registry.example/app-0:1" }],
      tolerations: [{ operator: "Exists" }],
    };
    await cp.client.create("/api/v1/namespaces/default/pods", { metadata: { name: "newcomer" }, spec: newcomer });
    await eventually("the newcomer is bound", async () => {
      const pod = await cp.client.get("/api/v1/namespaces/default/pods/newcomer");
      return (pod["spec"] as { nodeName?: string }).nodeName !== undefined;
    });
    // The CronJob does this every two minutes; the test does it more often.
    const janitor = argsOf(objects, "CronJob");
    const { stdout: early } = await cli(cp, "paceline-janitor", [...janitor, "--dry-run", "--json"]);
    expect((JSON.parse(early) as { pods: [] }).pods).toEqual([]);
    await editPolicy(cp, "maxHoldSeconds: 300", `maxHoldSeconds: ${SHORT_CAP_SECONDS}`);
    console.log(`held when both were killed: ${held}`);
    await eventually("the janitor has freed all", async () => {
      await cli(cp, "paceline-janitor", janitor);
      return (await countHerd(cp.client)).gated === 0;
    });
    await allRun();
  });

  it("is upgraded by Helm after a live edit of the policy, and keeps Secret, CA bundle and Lease", async () => {
    await start("paceline-c", "paceline-d");
    await leader();
    const before = await kept(cp);
    await editPolicy(cp, "mode: enforce", "mode: observe");
    const upgrade = ["upgrade", "paceline", CHART, ...VALUES, "--set", "replicas=3"];
    await expect(asOperator(...upgrade)).rejects.toThrow("Nothing was changed");
    await asOperator(...upgrade, "--set", "policyEdits=overwrite", "--force-conflicts");
    expect(await kept(cp)).toEqual(before);
    expect(await policyText(cp)).toContain("mode: enforce");
  });

  it("is uninstalled by Helm in mid-herd: every pod runs, and nothing is left", async () => {
    await holdMost("third", 28);
    const before = await countHerd(cp.client, "default");
    const uninstalled = asOperator("uninstall", "paceline", "--timeout", "3m");
    const [hook] = await Promise.all([runHook(cp), uninstalled]);
    console.log(`held before: ${before.gated}; hook: ${hook}`);
    for (const { process: child } of replicas) child.signal("SIGTERM");
    await eventually("the replicas have ended", () => {
      const left = replicas.filter(({ process: child }) => child.ending() === undefined);
      if (left[0] !== undefined) throw new Error(left[0].process.logTail());
      return true;
    });
    expect(await countHerd(cp.client)).toMatchObject({ gated: 0, fences: 0 });
    await eventually("nothing of the release is left", async () => {
      const left = await kubectl(cp, "get", KINDS, "-A", "-o", "name");
      return !left.includes("paceline");
    });
    await allRun();
    expect((await countHerd(cp.client, "default")).pods).toBeGreaterThanOrEqual(before.pods);
  });
});

/** Runs the pre-delete hook's Job like a kubelet, as soon as Helm has created it. @returns what it printed */
async function runHook(cp: ControlPlane): Promise<string> {
  const pods = `/api/v1/namespaces/${NAMESPACE}/pods`;
  const pod = await eventually("the hook's pod is there", async () => {
    const { items } = await cp.client.list(pods, { labelSelector: "batch.kubernetes.io/job-name=paceline-uninstall" });
    return items[0];
  });
  const { containers, serviceAccountName } = pod["spec"] as PodSpec & { serviceAccountName: string };
  const { stdout } = await cli(cp, serviceAccountName, containers[0]?.args ?? []);
  await cp.client.patch(`${pods}/${pod.metadata?.name ?? ""}/status`, { status: { phase: "Succeeded" } }, "merge");
  return stdout.trim();
}

interface PodSpec {
  readonly containers: readonly { readonly args: readonly string[] }[];
}

/** The arguments of the janitor's container. */
function argsOf(objects: readonly KubeObject[], kind: string): readonly string[] {
  const { spec } = objects.find((one) => one.kind === kind) as {
    spec?: { jobTemplate: { spec: { template: { spec: PodSpec } } } };
  };
  return spec?.jobTemplate.spec.template.spec.containers[0]?.args ?? [];
}

async function bundles(cp: ControlPlane): Promise<string[]> {
  const kinds = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"];
  const paths = kinds.map((kind) => `/apis/admissionregistration.k8s.io/v1/${kind}/paceline`);
  const found = await Promise.all(paths.map((path) => cp.client.get(path)));
  const webhooks = found.flatMap((one) => one["webhooks"] as { clientConfig: { caBundle?: string } }[]);
  return webhooks.map(({ clientConfig }) => clientConfig.caBundle ?? "");
}

async function policyText({ client }: ControlPlane): Promise<string> {
  const raw = await client.get(`/api/v1/namespaces/${NAMESPACE}/configmaps/paceline-policy`);
  return textOf(recordOf(raw["data"])["policy.yaml"]);
}

/** Edits an object like `kubectl edit`. */
async function editPolicy(cp: ControlPlane, from: string, to: string): Promise<void> {
  const text = await policyText(cp);
  expect(text).toContain(from);
  const data = { "policy.yaml": text.replace(from, to) };
  const path = `/api/v1/namespaces/${NAMESPACE}/configmaps/paceline-policy`;
  await cp.client.patch(path, { data }, "merge", { fieldManager: "kubectl-edit" });
}

/** The data that the service wrote into the chart's objects. */
async function kept(cp: ControlPlane): Promise<object> {
  const secret = await cp.client.get(`/api/v1/namespaces/${NAMESPACE}/secrets/paceline-tls`);
  const lease = await cp.client.get(`/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/paceline-leader`);
  const { holderIdentity } = recordOf(lease["spec"]);
  return { bundles: await bundles(cp), secret: secret["data"], holderIdentity };
}
