/**
 * Facts gathered from large, closed or unusual clusters, which the real control plane of test/cluster does not cover.
 */
import { describe, expect, it } from "vitest";
import { createApiClient } from "../../../src/kube/client/api-client.ts";
import { systemClock } from "../../../src/kube/clock.ts";
import { gatherCluster } from "../../../src/doctor/gather/gather.ts";
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
    return /\/(?:nodes|pods|events|configmaps|\w+configurations|daemonsets|deployments)$/.test(request.path)
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
