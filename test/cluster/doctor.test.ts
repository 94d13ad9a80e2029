/**
 * `paceline doctor` as its own process against a real control plane: first with deliberately bad settings, then with
 * fixed ones. The API server's audit log shows its requests.
 */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { freePort } from "../../dev/control-plane/ports.ts";
import { newToken } from "../../dev/control-plane/users.ts";
import { applyPolicy, installAccess, installWebhooks } from "../../dev/install.ts";
import { MAIN, startServiceProcess } from "../../dev/service.ts";
import { ASKED_ANNOTATION, FENCE_TAINT_KEY, GATE } from "../../src/api/names.ts";
import { makeAuthority } from "../../src/certificates/certificates.ts";
import type { ModelledNode, ModelledNodeOptions } from "../../dev/modelled-node/modelled-node.ts";
import { startModelledNode } from "../../dev/modelled-node/modelled-node.ts";
import { outsideAddress } from "../../dev/modelled-node/outside-address.ts";
import { eventually, podNamed } from "../support/control-plane.ts";

const PODS = "/api/v1/namespaces/default/pods";
const HERD = 20;
const reachesKubelets = outsideAddress() !== undefined;
if (!reachesKubelets) console.warn("IN PART: no address but loopback, to which the API server does not proxy");

const doctorUser = { name: "doctor", token: newToken(), auditReads: true };
let cp: ControlPlane;
let kubeconfig: string;
beforeAll(async () => {
  cp = await startControlPlane({ users: [doctorUser] });
  kubeconfig = join(cp.folder, "doctor.kubeconfig");
  await writeFile(kubeconfig, cp.kubeconfigFor(doctorUser));
  await grantDocumentedRights();
});
afterAll(() => cp.stop());

/** Exactly the rights that docs/doctor.md lists. */
async function grantDocumentedRights(): Promise<void> {
  const page = await readFile(new URL("../../docs/doctor.md", import.meta.url), "utf8");
  const role = parse(/```yaml\n(.*?)```/s.exec(page)?.[1] ?? "") as { metadata: { name: string } };
  const rbac = "/apis/rbac.authorization.k8s.io/v1";
  await cp.client.create(`${rbac}/clusterroles`, role);
  await cp.client.create(`${rbac}/clusterrolebindings`, {
    metadata: { name: role.metadata.name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role.metadata.name },
    subjects: [{ kind: "User", name: doctorUser.name, apiGroup: "rbac.authorization.k8s.io" }],
  });
}

interface Report {
  readonly findings: readonly {
    readonly code: string;
    readonly seen: string;
    readonly about: readonly string[];
    readonly change: string;
  }[];
  readonly notes: readonly string[];
  readonly cluster: Readonly<Record<string, unknown>>;
  readonly paceline: Readonly<Record<string, unknown>>;
}

function doctor(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const args = [MAIN, "doctor", ...words];
    const child = execFile(process.execPath, args, { maxBuffer: 1 << 24 }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

/**
 * Runs the doctor, again until `holds` throws nothing: a handshake or a kubelet that a busy machine answers too late is
 * a finding, and rightly so.
 */
function reportWhere(holds: (found: Report, code: number) => void): Promise<void> {
  return eventually("the report says what is expected", async () => {
    const { code, stdout, stderr } = await doctor("--kubeconfig", kubeconfig, "--json");
    expect(stderr).toBe("");
    holds(JSON.parse(stdout) as Report, code);
    return true;
  }).then(() => undefined);
}

const codesOf = ({ findings }: Report) => findings.map(({ code }) => code).sort();

const joinNode = (name: string, options: Partial<ModelledNodeOptions>): Promise<ModelledNode> =>
  startModelledNode({
    client: cp.client,
    name,
    cores: 8,
    labels: { "node.kubernetes.io/instance-type": "m5.2xlarge" },
    kubeletReach: "proxy",
    ...options,
  });

/** With that of the pods that wait here for ever. */
const SCHEDULER_NAMES = ["default-scheduler", "paced", "nobody"];

describe("bad settings, then fixed ones", () => {
  let bad: ModelledNode | undefined;
  /** For the DaemonSets that wait for the fence. */
  let commands: readonly string[] = [];
  afterAll(() => bad?.stop());

  test("each problem is found, with what was seen; exit 1", async () => {
    await installAccess(cp.client, { gate: { enabled: true }, fence: { enabled: true, maxSeconds: 600 } });
    await spoilInstallation();
    await spoilSurroundings();
    bad = await joinNode("bad", {
      kubelet: { registryPullQPS: 2, registryBurst: 3, serializeImagePulls: true, runtimeRequestTimeoutSeconds: 30 },
      cgroupVersion: 1,
    });
    await bad.ready;
    await startHerd("bad");
    await failToStart("failed");
    const ofKubelets = [
      ...["CgroupV1", "DrainTargetTooLong", "PullBudgetTooHigh", "RegistryPullQPSLow"],
      ...["RuntimeTimeoutShort", "SerializedImagePulls"],
    ];
    await reportWhere((found, code) => {
      expect(codesOf(found)).toEqual(
        [
          ...["AutoscalerIgnoresFence", "AutoscalerScalesDownEarly", "DaemonSetWaitsForFence", "ExtenderNotIgnorable"],
          ...[
            "ExtenderOffInPolicy",
            "ExtenderSendsWholeNodes",
            "ExtenderLetsEvict",
            "ExtenderTimeoutLong",
            "HeldWithoutLeader",
            "MissingRight",
          ],
          ...["NoLeader", "NodePoolConsolidatesEarly", "NodePoolWithoutStartupTaint", "RecentStartFailures"],
          ...["SchedulerNotPaced", "WebhookFailsClosed", "WebhookMissing", "WebhookUnreachable", "YoungNodeHerd"],
          ...(reachesKubelets ? ofKubelets : []),
        ].sort(),
      );
      expect(code).toBe(1);
      const seen = Object.fromEntries(found.findings.map((one) => [one.code, one.seen]));
      expect(seen).toMatchObject({
        MissingRight: "system:serviceaccount:paceline:paceline may not: patch nodes.",
        HeldWithoutLeader: expect.stringMatching(/^1 pod held/) as string,
        YoungNodeHerd: expect.stringContaining(`${HERD} pods came to bad together`) as string,
      });
      if (reachesKubelets) expect(found.notes).toEqual([]);
      const waits = found.findings.find((one) => one.code === "DaemonSetWaitsForFence");
      commands = (waits?.change ?? "").split("\n").filter((line) => line.startsWith("kubectl"));
      expect(commands).toHaveLength(2);
    });
  });

  test("after the fixes nothing is found; exit 0, and the text says so", async () => {
    await bad?.stop({ deregister: true });
    await Promise.all(
      (await cp.client.list(PODS)).items.map(({ metadata }) => remove(`${PODS}/${metadata?.name ?? ""}`)),
    );
    await eventually("no pod is left", async () => (await cp.client.list(PODS)).items.length === 0);
    // How many of its starts have failed by now is the machine's affair; Events would tell of them for an hour.
    await cp.client.raw("DELETE", "/api/v1/namespaces/default/events");
    await mendSurroundings(commands);
    await installAccess(cp.client, { extender: { enabled: true }, schedulerNames: SCHEDULER_NAMES });
    const service = await startServiceProcess(cp);
    await installWebhooks(cp.client, { url: service.url, caBundle: cp.caCert });
    await using good = await joinNode("good", {
      kubelet: { registryPullQPS: 10, registryBurst: 15, serializeImagePulls: false, maxParallelImagePulls: 6 },
    });
    await good.ready;
    await eventually("a leader leads", async () => leaderHolds());
    await reportWhere((found, code) => {
      expect(found.findings).toEqual([]);
      expect(code).toBe(0);
      expect(found.paceline).toMatchObject({
        policy: { valid: true, mode: "enforce", nodesByClass: { default: 1 }, nodesTheFenceSelects: 1 },
        leader: { holder: "serve", alive: true },
        webhooks: [{ answer: "trusted" }, { answer: "trusted" }, { answer: "trusted" }],
        rights: [{ account: "system:serviceaccount:paceline:paceline", missing: [] }],
      });
      expect(found.cluster).toMatchObject({ nodes: 1, joinedLastDay: 1, instanceTypes: { "m5.2xlarge": 1 } });
      if (reachesKubelets) {
        expect(found.cluster).toMatchObject({
          kubeletConfigurations: [
            { registryPullQPS: 10, serializeImagePulls: false, runtimeRequestTimeoutSeconds: 120, nodes: 1 },
          ],
          ...{ cgroups: { v2: 1 }, pressureFigures: { present: 1 } },
        });
      }
    });
    await cp.client.create(PODS, podNamed("asked", { schedulerName: "nobody" }));
    await eventually("the replicas note that they were asked", async () => {
      const { metadata } = await cp.client.get(LEASE);
      return metadata?.annotations?.[ASKED_ANNOTATION] !== undefined;
    });
    await eventually("the text says so", async () => {
      const { stdout } = await doctor("--kubeconfig", kubeconfig, "--context", "paceline-dev");
      return /Nothing to mend\./.test(stdout);
    });
  });

  test("finds a webhook whose certificate its caBundle does not trust, and a policy with errors", async () => {
    const stranger = await makeAuthority({ commonName: "stranger", days: 1, nowMs: Date.now() });
    const { webhooks } = await cp.client.get(WEBHOOKS);
    const [first] = webhooks as { clientConfig: { url: string } }[];
    const url = new URL(first?.clientConfig.url ?? "").origin;
    await installWebhooks(cp.client, { url, caBundle: stranger.cert });
    // The API server refuses the policy while it still calls the webhook that validates policies.
    await eventually("the policy slips through", () =>
      applyPolicy(cp.client, { maxHoldSeconds: 541 }).then(() => true),
    );
    await reportWhere((found) => {
      expect(codesOf(found)).toEqual(["PolicyInvalid", "WebhookCertificateUntrusted"]);
      expect(found.findings.find(({ code }) => code === "PolicyInvalid")?.seen).toMatch(/maxHoldSeconds/);
    });
  });

  test("finds what other objects of the cluster spoil, and asks for the rights of each account", async () => {
    const exporter = { type: "Endpoints", namespace: "monitoring", service: "exporter" } as const;
    await applyPolicy(cp.client, {
      extender: { enabled: true },
      schedulerNames: SCHEDULER_NAMES,
      telemetry: { source: "node-exporter", address: exporter },
    });
    await spoilCloud();
    await reportWhere((found, code) => {
      expect(codesOf(found)).toEqual(
        [
          ...["CriticalClassRefused", "FastPullsOnSlowDisk", "MissingRight", "MissingRight"],
          ...["NodePoolWithoutStartupTaint", "WebhookCertificateUntrusted", "WebhookMayRewrite"],
        ].sort(),
      );
      expect(code).toBe(1);
      const lacks = found.findings.filter((one) => one.code === "MissingRight").map(({ seen }) => seen);
      expect(lacks).toEqual([
        expect.stringMatching(
          /^system:serviceaccount:paceline:paceline may not: list endpointslices\S+ in monitoring, /,
        ),
        expect.stringMatching(/^system:serviceaccount:paceline:paceline-scheduler may not: list pods, watch pods/),
      ]);
      const said = Object.fromEntries(found.findings.map((one) => [one.code, one]));
      expect(said["NodePoolWithoutStartupTaint"]?.change).toContain("replaces 1 node that is there now");
      expect(said["WebhookMayRewrite"]?.about).toEqual(["MutatingWebhookConfiguration/rewriter/pods.rewriter.dev"]);
    });
  });

  test("by the audit log it only made get and list requests and reviews of rights", async () => {
    const requests = await eventually("its last request is logged", async () => {
      const made = await requestsOf(doctorUser.name);
      return made.has("list deployments") && made;
    });
    const others = [...requests].filter((request) => !/^(?:get|list) /.test(request));
    expect(others.sort()).toEqual(["create selfsubjectaccessreviews", "create subjectaccessreviews"]);
    expect(requests).toContain("get nodes/proxy");
    expect(requests).toContain("list pods");
  });
});

test("no cluster, an unknown context and a wrong flag are exit 2", async () => {
  const nowhere = join(cp.folder, "nowhere.kubeconfig");
  await writeFile(nowhere, cp.kubeconfig.replace(cp.url, `https://127.0.0.1:${await freePort()}`));
  const unreachable = await doctor("--kubeconfig", nowhere);
  expect([unreachable.code, unreachable.stderr]).toEqual([2, expect.stringMatching(/no cluster at https:/)]);
  const context = await doctor("--kubeconfig", kubeconfig, "--context", "other");
  expect([context.code, context.stderr]).toEqual([2, expect.stringMatching(/there is no context "other"/)]);
  expect((await doctor("--sample", "none")).code).toBe(2);
});

const WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/paceline";
const LEASE = "/apis/coordination.k8s.io/v1/namespaces/paceline/leases/paceline-leader";
const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const CLUSTER_ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/paceline";

async function requestsOf(user: string): Promise<ReadonlySet<string>> {
  const lines = (await readFile(cp.auditLogPath, "utf8"))
    .split("\n")
    .filter((line) => line.includes(`"username":"${user}"`));
  const events = lines.map(
    (line) => JSON.parse(line) as { verb: string; requestURI: string; objectRef?: Record<string, string> },
  );
  return new Set(
    events.map(({ verb, requestURI, objectRef: of }) => {
      if (of?.["resource"] === undefined) return `${verb} ${requestURI}`;
      return `${verb} ${of["resource"]}${of["subresource"] === undefined ? "" : `/${of["subresource"]}`}`;
    }),
  );
}

/**
 * Bad settings: nothing answers at the webhook's address, no webhook for nodes, failing closed, a role that lacks a
 * right, and a held pod without a leader.
 */
async function spoilInstallation(): Promise<void> {
  const url = `https://127.0.0.1:${await freePort()}`;
  await installWebhooks(cp.client, { url, caBundle: cp.caCert, levers: ["gate"] });
  const failsClosed = { op: "replace", path: "/webhooks/0/failurePolicy", value: "Fail" };
  const nowhere = { op: "replace", path: "/webhooks/0/namespaceSelector", value: { matchLabels: { nobody: "here" } } };
  await cp.client.patch(WEBHOOKS, [failsClosed, nowhere], "json");
  const role = await cp.client.get(CLUSTER_ROLE);
  const rules = (role["rules"] as { resources: string[]; verbs: string[] }[]).map((rule) =>
    rule.resources.includes("nodes") ? { ...rule, verbs: rule.verbs.filter((verb) => verb !== "patch") } : rule,
  );
  await cp.client.patch(CLUSTER_ROLE, [{ op: "replace", path: "/rules", value: rules }], "json");
  await cp.client.create(PODS, podNamed("held", { schedulingGates: [{ name: GATE }] }));
}

const schedulerMap = (extender: object) => ({
  metadata: { name: "second-scheduler" },
  data: {
    "config.yaml": JSON.stringify({
      apiVersion: "kubescheduler.config.k8s.io/v1",
      kind: "KubeSchedulerConfiguration",
      extenders: [{ urlPrefix: "https://paceline.paceline.svc/scheduler", filterVerb: "filter", ...extender }],
      profiles: [{ schedulerName: "paced" }],
    }),
  },
});
/**
 * A GKE node of Karpenter's, a replica of a class that needs a quota there, a second scheduler without any right,
 * another webhook on updates of pods while our policies deny, and fast pulls to a slow disk.
 */
async function spoilCloud(): Promise<void> {
  const { client } = cp;
  const registration = "/apis/admissionregistration.k8s.io/v1";
  const labels = { "cloud.google.com/gke-nodepool": "p", "karpenter.sh/nodepool": "default" };
  await client.create("/api/v1/nodes", { metadata: { name: "gke-1", labels } });
  for (const component of ["serve", "scheduler"]) {
    const name = component === "serve" ? "paceline" : "paceline-scheduler";
    const spec = { serviceAccountName: name, priorityClassName: "system-cluster-critical", containers: container("x") };
    const template = { metadata: { labels: { app: "x", "paceline.dev/component": component } }, spec };
    const deployment = { replicas: 0, selector: { matchLabels: { app: "x" } }, template };
    await client.create("/apis/apps/v1/namespaces/paceline/deployments", { metadata: { name }, spec: deployment });
  }
  await client.create(`${registration}/mutatingwebhookconfigurations`, {
    metadata: { name: "rewriter" },
    webhooks: [
      {
        ...{ name: "pods.rewriter.dev", sideEffects: "None", admissionReviewVersions: ["v1"], failurePolicy: "Ignore" },
        clientConfig: { url: "https://127.0.0.1:1" },
        namespaceSelector: { matchLabels: { nobody: "here" } },
        rules: [{ operations: ["CREATE", "UPDATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods"] }],
      },
    ],
  });
  await client.create(`${registration}/validatingadmissionpolicybindings`, {
    metadata: { name: "paceline-account-pods" },
    spec: { policyName: "paceline-account-pods", validationActions: ["Deny"] },
  });
  await client.create(DEFINITIONS, definition("karpenter.k8s.aws", "EC2NodeClass", "ec2nodeclasses"));
  const classes = "/apis/karpenter.k8s.aws/v1/ec2nodeclasses";
  await eventually("EC2NodeClasses are served", async () => (await client.raw("GET", classes)).status === 200);
  await client.create(classes, {
    apiVersion: "karpenter.k8s.aws/v1",
    kind: "EC2NodeClass",
    metadata: { name: "fast" },
    spec: { userData: "spec:\n  featureGates:\n    FastImagePull: true\n" },
  });
  await client.patch(`${POOLS}/default`, { spec: nodePool("15m", []).spec }, "merge");
}

const podTemplate = (spec: object) => ({
  selector: { matchLabels: { app: "x" } },
  template: { metadata: { labels: { app: "x" } }, spec },
});
const container = (image: string, args: string[] = []) => [{ name: "main", image, args }];
const nowhere = { nodeSelector: { nobody: "here" } };
const SCHEDULERS = "/api/v1/namespaces/kube-system/configmaps";
const APPS = "/apis/apps/v1/namespaces/kube-system";
const POOLS = "/apis/karpenter.sh/v1/nodepools";

async function spoilSurroundings(): Promise<void> {
  const { client } = cp;
  await client.create(SCHEDULERS, schedulerMap({}));
  await client.create(`${APPS}/daemonsets`, {
    metadata: { name: "agent" },
    spec: podTemplate({ containers: container("agent:1"), ...nowhere }),
  });
  const tolerations = [{ key: "team", operator: "Exists" }];
  await client.create(`${APPS}/daemonsets`, {
    metadata: { name: "logger" },
    spec: podTemplate({ containers: container("logger:1"), ...nowhere, tolerations }),
  });
  const image = "registry.k8s.io/autoscaling/cluster-autoscaler:v1.28.2";
  await client.create(`${APPS}/deployments`, {
    metadata: { name: "cluster-autoscaler" },
    spec: { replicas: 0, ...podTemplate({ containers: container(image, ["--scale-down-delay-after-add=1m"]) }) },
  });
  await client.create(DEFINITIONS, definition("karpenter.sh", "NodePool", "nodepools"));
  await eventually("NodePools are served", async () => (await client.raw("GET", POOLS)).status === 200);
  await client.create(POOLS, nodePool("30s", []));
}

/** @param commands to be typed, as doctor printed them. */
async function mendSurroundings(commands: readonly string[]): Promise<void> {
  const { client } = cp;
  const replaceExtender = schedulerMap({
    ignorable: true,
    nodeCacheCapable: true,
    preemptVerb: "preempt",
    httpTimeout: "1s",
  });
  await client.patch(`${SCHEDULERS}/second-scheduler`, { data: replaceExtender.data }, "merge");
  for (const command of commands) {
    const [, name, namespace, patch] =
      /^kubectl patch daemonset (\S+) -n (\S+) --type=json -p '(.+)'$/.exec(command) ?? [];
    const path = `/apis/apps/v1/namespaces/${namespace}/daemonsets/${name}`;
    await client.patch(path, JSON.parse(patch ?? "") as object[], "json");
  }
  const image = "registry.k8s.io/autoscaling/cluster-autoscaler:v1.33.0";
  await client.patch(
    `${APPS}/deployments/cluster-autoscaler`,
    { spec: podTemplate({ containers: container(image) }) },
    "merge",
  );
  await client.patch(
    `${POOLS}/default`,
    { spec: nodePool("15m", [{ key: FENCE_TAINT_KEY, effect: "NoSchedule" }]).spec },
    "merge",
  );
}

const nodePool = (consolidateAfter: string, startupTaints: object[]) => ({
  apiVersion: "karpenter.sh/v1",
  kind: "NodePool",
  metadata: { name: "default" },
  spec: { disruption: { consolidateAfter }, template: { spec: { startupTaints } } },
});

/** A kind of Karpenter's; nothing else of Karpenter is installed. */
const definition = (group: string, kind: string, plural: string) => ({
  metadata: { name: `${plural}.${group}` },
  spec: {
    group,
    scope: "Cluster",
    names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
});

/** Creates pods that come to the node together. */
async function startHerd(node: string): Promise<void> {
  const names = Array.from({ length: HERD }, (_, index) => `herd-${index}`);
  await Promise.all(names.map((name) => cp.client.create(PODS, podNamed(name, { nodeName: node }))));
  await eventually("the kubelet has them all", async () => {
    const { items } = await cp.client.list(PODS, { fieldSelector: `spec.nodeName=${node}` });
    return items.filter(({ status }) => (status as { startTime?: string }).startTime !== undefined).length === HERD;
  });
}

/** A pod whose status reports a failed start. No kubelet runs it, so the test writes the status. */
async function failToStart(name: string): Promise<void> {
  const message = "failed to create containerd task: failed to create shim task: context canceled";
  const terminated = {
    reason: "StartError",
    exitCode: 128,
    message,
    startedAt: "1970-01-01T00:00:00Z",
    finishedAt: new Date().toISOString(),
  };
  const status = { name: "main", image: "x", imageID: "", ready: false, restartCount: 1, lastState: { terminated } };
  await cp.client.create(PODS, podNamed(name, { schedulerName: "nobody" }));
  await cp.client.patch(`${PODS}/${name}/status`, { status: { containerStatuses: [status] } }, "merge");
}

const remove = (path: string) => cp.client.remove(path, {}, { gracePeriodSeconds: 0 });

async function leaderHolds(): Promise<boolean> {
  const { spec } = await cp.client.get(LEASE);
  return (spec as { holderIdentity?: string }).holderIdentity === "serve";
}
