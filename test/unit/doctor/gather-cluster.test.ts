/**
 * Facts gathered from large, closed or unusual clusters, which the real control plane of test/cluster does not cover.
 */
import { describe, expect, it } from "vitest";
import { createApiClient } from "../../../src/kube/client/api-client.ts";
import { systemClock } from "../../../src/kube/clock.ts";
import { gatherCluster } from "../../../src/doctor/gather/gather.ts";
import { doctorText } from "../../../src/doctor/report.ts";
import { findingsOf } from "../../../src/doctor/rules/rules.ts";
import { rawNode, rawPod } from "../../support/raw-objects.ts";
import { type Answer, json, refusal, type ScriptedRequest, startScriptedApi } from "../../support/scripted-api.ts";

type Answers = Readonly<Record<string, (request: ScriptedRequest) => Answer>>;

const listed = (items: readonly object[]) => () => json({ metadata: {}, items });

/** A cluster with only the given objects. Reviews of rights answer yes. */
async function gathered(answers: Answers, sample = 100) {
  await using api = await startScriptedApi((request) => {
    const answer = answers[request.path];
    if (answer !== undefined) return answer(request);
    if (request.path === "/version") return json({ major: "1" });
    if (request.method === "POST") return json({ status: { allowed: true } }, 201);
    return /\/(?:nodes|pods|events|configmaps|\w+configurations|daemonsets|deployments|cronjobs)$/.test(request.path)
      ? json({ metadata: {}, items: [] })
      : refusal(404, "NotFound");
  });
  const client = createApiClient({ url: api.url });
  const options = { namespace: undefined, defaultNamespace: "paceline", sample, clock: systemClock };
  const facts = await gatherCluster(client, options).finally(() => client.close());
  return { facts, requests: [...api.requests] };
}

const webhook = (name: string) => ({
  name,
  clientConfig: { service: { namespace: "pace", name: "paceline", port: 443, path: "/mutate/pods" } },
  rules: [{ resources: ["pods"] }],
  failurePolicy: "Ignore",
  timeoutSeconds: 2,
  namespaceSelector: { matchLabels: { paced: "yes" } },
});
const MUTATING = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
const PROXY = "/api/v1/namespaces/pace/services/https:paceline:443/proxy/healthz";

describe("a large cluster", () => {
  it("5,000 nodes: reads lists page by page, asks a sample of kubelets, a few at a time, and says so", async () => {
    let asked = 0;
    let most = 0;
    const nodes = Array.from({ length: 5_000 }, (_, index) => rawNode({ metadata: { name: `n${index}` } }));
    const configz = (request: ScriptedRequest): Answer => {
      most = Math.max(most, (asked += 1));
      const configuration = { kubeletconfig: { registryPullQPS: 5, runtimeRequestTimeout: "2m0s" } };
      return (response) =>
        setImmediate(() => {
          asked -= 1;
          json(configuration)(response, request);
        });
    };
    const pages: Answers = {
      "/api/v1/nodes": ({ query }) => {
        const from = Number(query.get("continue") ?? 0);
        const to = from + Number(query.get("limit"));
        return json({ metadata: { continue: to < 5_000 ? String(to) : "" }, items: nodes.slice(from, to) });
      },
      ...Object.fromEntries(nodes.map((_, index) => [`/api/v1/nodes/n${index}/proxy/configz`, configz])),
    };
    const { facts, requests } = await gathered(pages, 40);
    expect(facts.nodes).toHaveLength(5_000);
    expect(facts.kubelets).toHaveLength(40);
    expect(most).toBeLessThanOrEqual(8);
    expect(requests.filter(({ path }) => path === "/api/v1/nodes")).toHaveLength(10);
    expect(facts.notes).toEqual([expect.stringContaining("40 of 5000 Ready nodes were asked")]);
  });
});

describe("a closed cluster", () => {
  it("objects that may not be read are noted, and lead to no finding", async () => {
    const { facts } = await gathered({
      "/api/v1/pods": () => refusal(403, "Forbidden", "pods is forbidden"),
      "/api/v1/nodes": listed([rawNode()]),
      "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": () => json({ status: { allowed: false } }, 201),
    });
    expect(facts.notes.join("\n")).toMatch(/pods: not seen .*forbidden/);
    expect(facts.notes.join("\n")).toMatch(
      /kubelet configuration: not seen \(it takes the right to get nodes\/proxy\)/,
    );
    expect(findingsOf(facts)).toEqual([]);
  });

  it("kubelets that do not answer are reported once", async () => {
    const { facts } = await gathered({ "/api/v1/nodes": listed([rawNode()]) });
    expect(facts.notes).toEqual([expect.stringMatching(/1 of 1 kubelets could not be read \(GET .*configz: 404/)]);
  });
});

describe("the rights of Paceline's accounts", () => {
  const REVIEWS = "/apis/authorization.k8s.io/v1";
  const template = (component: string, serviceAccountName: string, args: string[] = []) => ({
    metadata: { labels: { "paceline.dev/component": component } },
    spec: { serviceAccountName, containers: [{ args }] },
  });
  const policy = {
    metadata: { name: "paceline-policy" },
    data: {
      "policy.yaml":
        "apiVersion: paceline.dev/v1alpha1\nkind: PacingPolicy\ntelemetry: {source: node-exporter, address: {type: Endpoints, namespace: mon, service: ne}}\n",
    },
  };
  const installed: Answers = {
    "/api/v1/namespaces/paceline/configmaps/paceline-policy": () => json(policy),
    "/apis/apps/v1/namespaces/paceline/deployments": listed([
      { spec: { template: template("serve", "p", ["serve", "--certificates-secret=tls"]) } },
      { spec: { template: template("scheduler", "p-scheduler") } },
    ]),
    "/apis/batch/v1/namespaces/paceline/cronjobs": listed([
      { spec: { jobTemplate: { spec: { template: template("janitor", "p-janitor") } } } },
    ]),
  };
  interface Review {
    readonly spec: { readonly user: string; readonly resourceAttributes: { resource: string; verb: string } };
  }

  it("are asked for each of them: the extender of the second scheduler reads the exporter's endpoints as well", async () => {
    const asked: string[] = [];
    const { facts } = await gathered({
      ...installed,
      [`${REVIEWS}/subjectaccessreviews`]: ({ body }) => {
        const { user, resourceAttributes: right } = (JSON.parse(body) as Review).spec;
        asked.push(`${user.slice(31)} ${right.verb} ${right.resource}`);
        return json(
          { status: { allowed: !(user.endsWith("-scheduler") && right.resource === "endpointslices") } },
          201,
        );
      },
    });
    expect(facts.ours?.rights).toEqual([
      { account: "system:serviceaccount:paceline:p", missing: [] },
      {
        account: "system:serviceaccount:paceline:p-scheduler",
        missing: ["list endpointslices.discovery.k8s.io in mon", "watch endpointslices.discovery.k8s.io in mon"],
      },
      { account: "system:serviceaccount:paceline:p-janitor", missing: [] },
    ]);
    expect(asked).toEqual(
      expect.arrayContaining(["p patch secrets", "p-scheduler list pods", "p-janitor patch nodes"]),
    );
    expect(asked.filter((right) => /^p-scheduler (?:patch|create)/.test(right))).toEqual([]);
    const [finding] = findingsOf(facts).filter(({ code }) => code === "MissingRight");
    expect(finding?.about).toEqual(["system:serviceaccount:paceline:p-scheduler"]);
    expect(finding?.change).toMatch(/binding in telemetry-config\//);
  });

  it("are asked by impersonation where no review of others may be made, and else are called not asked", async () => {
    const forbidden = () => refusal(403, "Forbidden", "forbidden");
    const as: unknown[] = [];
    const closed = { ...installed, [`${REVIEWS}/subjectaccessreviews`]: forbidden };
    const { facts } = await gathered({
      ...closed,
      [`${REVIEWS}/selfsubjectaccessreviews`]: ({ headers }) => {
        as.push(headers["impersonate-user"]);
        return json({ status: { allowed: true } }, 201);
      },
    });
    expect(facts.ours?.rights.map(({ missing }) => missing)).toEqual([[], [], []]);
    expect(as).toContain("system:serviceaccount:paceline:p-janitor");
    const blind = (await gathered({ ...closed, [`${REVIEWS}/selfsubjectaccessreviews`]: forbidden })).facts;
    expect(blind.ours?.rights.map(({ missing }) => missing)).toEqual([undefined, undefined, undefined]);
    expect(doctorText(blind, [])).toContain("rights of system:serviceaccount:paceline:p-scheduler: not asked");
  });
});

// Without a resolver, looking up a name takes long.
describe("webhooks behind a Service that cannot be dialled from here", () => {
  const configured = { [MUTATING]: listed([{ metadata: { name: "p" }, webhooks: [webhook("pods.paceline.dev")] }]) };

  it("are called through the API server's proxy; the certificate is not seen; the namespace is the Service's", async () => {
    const { facts } = await gathered({ ...configured, [PROXY]: () => json({ ok: true }) });
    expect(facts.ours).toMatchObject({ namespace: "pace", webhooks: [{ answer: { kind: "unchecked" } }] });
  });

  it("are unreachable if the proxy finds no endpoint", async () => {
    const { facts } = await gathered({
      ...configured,
      [PROXY]: () => refusal(503, "ServiceUnavailable", "no endpoints"),
    });
    const codes = findingsOf(facts).map(({ code }) => code);
    expect(codes).toEqual(["PolicyMissing", "NoLeader", "WebhookUnreachable"]);
  });
});

describe("what the API server asks, and what it refuses", () => {
  const NOW_MS = Date.now();
  const ago = (seconds: number) => new Date(NOW_MS - seconds * 1_000).toISOString();
  const created = (name: string, namespace: string, given: { spec?: object; metadata?: object } = {}) =>
    rawPod({
      metadata: { namespace, name, creationTimestamp: ago(400), ...given.metadata },
      spec: { containers: [], ...given.spec },
    });
  const namespaceNamed = (name: string, labels = {}) => ({ metadata: { name, labels } });

  it("counts new pods that the gate's webhook selects by namespace and labels, and knows those that are gated", async () => {
    const { facts } = await gathered({
      [MUTATING]: listed([
        {
          metadata: { name: "p", creationTimestamp: ago(9_000) },
          webhooks: [{ ...webhook("pods.paceline.dev"), clientConfig: { url: "https://127.0.0.1:1" } }],
        },
      ]),
      "/api/v1/namespaces": listed([namespaceNamed("in", { paced: "yes" }), namespaceNamed("out")]),
      "/api/v1/pods": listed([
        created("plain", "in"),
        created("held", "in", { spec: { schedulingGates: [{ name: "paceline.dev/startup" }] } }),
        created("other", "out"),
        created("naked", "in", { spec: { nodeName: "n" }, metadata: { ownerReferences: [] } }),
        created("critical", "in", { spec: { priorityClassName: "system-node-critical" } }),
        created("mirror", "in", { metadata: { annotations: { "kubernetes.io/config.mirror": "x" } } }),
        created("old", "in", { metadata: { creationTimestamp: ago(9_000) } }),
      ]),
    });
    expect(facts.pods?.created.map(({ name, gated }) => [name, gated])).toEqual([
      ["in/plain", false],
      ["in/held", true],
    ]);
  });

  it("finds others' webhooks on updates of pods and nodes, our policies that deny, and writes that they refused", async () => {
    const rule = (operations: string[], resources: string[], apiGroups = [""]) => ({
      operations,
      resources,
      apiGroups,
    });
    const others = [
      { name: "creates", rules: [rule(["CREATE"], ["pods"])] },
      { name: "jobs", rules: [rule(["UPDATE"], ["pods"], ["batch"])] },
      { name: "updates", rules: [rule(["CREATE", "UPDATE"], ["pods"])] },
      { name: "all", rules: [rule(["*"], ["*/*"], ["*"])] },
    ];
    const binding = (policyName: string, ...validationActions: string[]) => ({
      spec: { policyName, validationActions },
    });
    const answers = (action: string): Answers => ({
      [MUTATING]: listed([
        {
          metadata: { name: "ours" },
          webhooks: [{ ...webhook("x.paceline.dev"), clientConfig: { url: "https://127.0.0.1:1" } }],
        },
        { metadata: { name: "theirs" }, webhooks: others },
      ]),
      "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings": listed([
        binding("paceline-annotations", "Deny"),
        binding("paceline-account-pods", action),
      ]),
      "/api/v1/events": listed([
        {
          reason: "Held",
          involvedObject: { kind: "Pod", namespace: "shop", name: "a" },
          message:
            "WriteFailed: its release is tried again: … if another webhook did, set admissionPolicies.accounts=Audit",
        },
      ]),
    });
    const { facts } = await gathered(answers("Deny"));
    expect(facts.rewriters.map(({ name, kinds }) => [name, kinds])).toEqual([
      ["updates", ["pods"]],
      ["all", ["pods", "nodes"]],
    ]);
    expect(facts.pods?.refusedWrites).toEqual(["shop/a"]);
    expect(facts.ours?.accountsDenied).toBe(true);
    expect((await gathered(answers("Audit"))).facts.ours?.accountsDenied).toBe(false);
  });

  it("knows the port and the class of the replicas, and the quota and the refusal of that class", async () => {
    const spec = {
      priorityClassName: "system-cluster-critical",
      containers: [{ ports: [{ containerPort: 8443 }] }],
    };
    const message = "pods is forbidden: insufficient quota to match these scopes: [{PriorityClass In [x]}]";
    const deployment = {
      metadata: { name: "pace" },
      spec: { template: { metadata: { labels: { "paceline.dev/component": "serve" } }, spec } },
      status: { conditions: [{ type: "ReplicaFailure", status: "True", message }] },
    };
    const match = { scopeName: "PriorityClass", operator: "In", values: ["system-cluster-critical"] };
    const { facts } = await gathered({
      "/api/v1/namespaces/paceline/configmaps/paceline-policy": () => json({ metadata: {}, data: {} }),
      "/apis/apps/v1/namespaces/paceline/deployments": listed([deployment]),
      "/api/v1/namespaces/paceline/resourcequotas": listed([
        { spec: { scopeSelector: { matchExpressions: [match] } } },
      ]),
    });
    expect(facts.ours?.installation).toEqual({
      ...{ name: "pace", priorityClassName: "system-cluster-critical", port: 8443 },
      ...{ hasQuota: true, isRunning: false, refusal: message },
    });
  });
});

describe("EC2NodeClasses", () => {
  const gates = (on: boolean) => `spec:\n  featureGates:\n    FastImagePull: ${on}\n`;
  const volume = (ebs: object) => [{ deviceName: "/dev/xvda", ebs }];
  it.each([
    [
      "nodeadm's gate on gp3 as it comes",
      { userData: gates(true), blockDeviceMappings: volume({ volumeType: "gp3" }) },
      [true, 125],
    ],
    ["the gate turned off", { userData: gates(false) }, [false, 125]],
    [
      "Bottlerocket's SOCI on a fast volume",
      { userData: 'snapshotter = "soci"', blockDeviceMappings: volume({ throughput: 1_000 }) },
      [true, 1_000],
    ],
    ["local disks", { userData: gates(true), instanceStorePolicy: "RAID0" }, [true, undefined]],
    ["a type whose rate is not known", { blockDeviceMappings: volume({ volumeType: "io2" }) }, [false, undefined]],
  ] as const)("with %s", async (_case, spec, [pullsFast, diskMibPerSecond]) => {
    const { facts } = await gathered({
      "/apis/karpenter.k8s.aws": () => json({ preferredVersion: { groupVersion: "karpenter.k8s.aws/v1" } }),
      "/apis/karpenter.k8s.aws/v1/ec2nodeclasses": listed([{ metadata: { name: "c" }, spec }]),
    });
    expect(facts.nodeClasses).toEqual([{ name: "c", pullsFast, diskMibPerSecond }]);
  });
});

describe("schedulers", () => {
  const configuration = (extender: object) =>
    `apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nextenders: [${JSON.stringify(extender)}]\n`;
  const scheduler = rawPod({
    metadata: { namespace: "sched", name: "second" },
    spec: {
      containers: [{ name: "s", image: "registry.k8s.io/kube-scheduler:v1.36.3" }],
      volumes: [{ name: "c", configMap: { name: "conf" } }],
    },
  });

  it("are found in ConfigMaps that their pods mount; other extenders and text that is not YAML are ignored", async () => {
    const ours = {
      urlPrefix: "http://127.0.0.1:8080/scheduler",
      filterVerb: "filter",
      ignorable: true,
      httpTimeout: "1s",
    };
    const { facts } = await gathered({
      "/api/v1/pods": listed([scheduler]),
      "/api/v1/namespaces/sched/configmaps/conf": () =>
        json({ metadata: { namespace: "sched", name: "conf" }, data: { "a.yaml": configuration(ours) } }),
      "/api/v1/namespaces/kube-system/configmaps": listed([
        {
          metadata: { namespace: "kube-system", name: "gpu" },
          data: { c: configuration({ urlPrefix: "http://gpu/share", filterVerb: "filter" }) },
        },
        { metadata: { namespace: "kube-system", name: "odd" }, data: { c: "KubeSchedulerConfiguration: [" } },
      ]),
    });
    expect(facts.schedulers).toEqual([
      { where: "ConfigMap/kube-system/gpu", names: ["default-scheduler"], extenders: [] },
      {
        where: "ConfigMap/sched/conf",
        names: ["default-scheduler"],
        extenders: [
          { urlPrefix: ours.urlPrefix, ignorable: true, nodeCacheCapable: false, preempts: false, timeoutMs: 1_000 },
        ],
      },
    ]);
  });
});

describe("autoscalers", () => {
  it.each([
    [["--ignore-taint=startup-taint.cluster-autoscaler.kubernetes.io/paceline"], "v1.27.1", [27, true, 600_000]],
    [["--scale-down-delay-after-add", "5m"], "v1.30.0", [30, false, 300_000]],
    [[], "latest", [undefined, false, 600_000]],
  ] as const)("Cluster Autoscaler with %j at %s", async (args, tag, [minor, knowsFence, delayAfterAddMs]) => {
    const containers = [
      { image: `eu.gcr.io/autoscaling/cluster-autoscaler:${tag}`, command: ["./cluster-autoscaler", ...args] },
    ];
    const deployment = {
      metadata: { namespace: "kube-system", name: "ca" },
      spec: { template: { spec: { containers } } },
    };
    const { facts } = await gathered({ "/apis/apps/v1/deployments": listed([deployment]) });
    expect(facts.autoscalers).toEqual([{ name: "kube-system/ca", minor, knowsFence, delayAfterAddMs }]);
  });
});
