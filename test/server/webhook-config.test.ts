/**
 * webhook-config/: the manifests for manual installation agree with the code, fail open, and grant only the rights that
 * are needed.
 */
import { describe, expect, it } from "vitest";
import { configDocuments, policyConfigMap, renderWebhookConfig, webhookNames } from "../../dev/install.ts";
import {
  COMPONENT,
  DEFAULT_NAMESPACE,
  FENCE_TAINT_KEY,
  GATE,
  LEADER_LEASE,
  POLICY_CONFIG_MAP,
} from "../../src/api/names.ts";
import { parsePolicyConfigMap } from "../../src/policy/parse.ts";
import { ALWAYS_EXEMPT_NAMESPACES, ALWAYS_EXEMPT_PRIORITY_CLASSES } from "../../src/policy/schema.ts";
import { testApp } from "../support/app.ts";

interface Webhook {
  readonly name: string;
  readonly failurePolicy: string;
  readonly timeoutSeconds: number;
  readonly sideEffects: string;
  readonly clientConfig: {
    readonly service?: { namespace: string; name: string; path: string };
    readonly url?: string;
    caBundle: string;
  };
  readonly namespaceSelector?: {
    readonly matchExpressions?: readonly { key: string; operator: string; values: string[] }[];
  };
  readonly matchConditions: readonly { readonly expression: string }[];
}
interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

async function webhooks(): Promise<Webhook[]> {
  return (await configDocuments("webhooks.yaml")).flatMap((document) => document["webhooks"] as Webhook[]);
}
async function webhook(lever: keyof typeof webhookNames): Promise<Webhook> {
  const found = (await webhooks()).find(({ name }) => name === webhookNames[lever]);
  if (found === undefined) throw new Error(`webhook-config/webhooks.yaml has no ${webhookNames[lever]}`);
  return found;
}
const conditions = ({ matchConditions }: Webhook) => matchConditions.map(({ expression }) => expression).join("\n");

describe("service.yaml", () => {
  it("lets Paceline run on fenced nodes: if every node is fenced, it must still run to lift the fences", async () => {
    const deployment = (await configDocuments("service.yaml")).find(({ kind }) => kind === "Deployment");
    const { tolerations } = (deployment as { spec: { template: { spec: { tolerations: object[] } } } }).spec.template
      .spec;
    expect(tolerations).toContainEqual({ key: FENCE_TAINT_KEY, operator: "Exists", effect: "NoSchedule" });
  });

  it("probes nothing before a normal start is done: each probe that fails writes a Warning Event", async () => {
    const [deployment] = (await configDocuments("service.yaml")).filter(({ kind }) => kind === "Deployment");
    const template = (deployment as { spec: { template: { spec: { containers: object[] } } } }).spec.template;
    const initialDelaySeconds = expect.toSatisfy((seconds: number) => seconds >= 5) as number;
    expect(template.spec.containers).toMatchObject([
      { startupProbe: { initialDelaySeconds }, readinessProbe: { initialDelaySeconds } },
    ]);
  });
});

describe("webhooks.yaml", () => {
  it("in every webhook fails open, has a short time-out and no side effects", async () => {
    expect(await webhooks()).toHaveLength(4);
    for (const one of await webhooks()) {
      expect(one).toMatchObject({ failurePolicy: "Ignore", timeoutSeconds: 2, sideEffects: "None" });
      expect(one.clientConfig.service).toMatchObject({ namespace: DEFAULT_NAMESPACE, name: COMPONENT });
    }
  });

  it("calls routes that exist", async () => {
    const { app } = testApp();
    await app.ready();
    for (const { clientConfig } of await webhooks()) {
      expect(app.hasRoute({ method: "POST", url: clientConfig.service?.path ?? "" })).toBe(true);
    }
  });

  it("contains the names that the code writes", async () => {
    expect(conditions(await webhook("gate"))).toContain(`'${GATE}'`);
    expect(conditions(await webhook("fence"))).toContain(`'${FENCE_TAINT_KEY}'`);
    expect(conditions(await webhook("policyValidation"))).toContain(`'${POLICY_CONFIG_MAP}'`);
  });

  it("does not send pods that are always exempt, nor paceline's own", async () => {
    const gate = await webhook("gate");
    const selector = gate.namespaceSelector?.matchExpressions ?? [];
    const byName = selector.find(({ key }) => key === "kubernetes.io/metadata.name");
    expect(byName).toMatchObject({ operator: "NotIn" });
    expect(byName?.values).toEqual(expect.arrayContaining([...ALWAYS_EXEMPT_NAMESPACES, DEFAULT_NAMESPACE]));
    expect(selector).toContainEqual({ key: "paceline.dev/pacing", operator: "NotIn", values: ["disabled"] });
    for (const name of ALWAYS_EXEMPT_PRIORITY_CLASSES) expect(conditions(gate)).toContain(`'${name}'`);
  });

  it("is rendered with address and CA for the given levers", async () => {
    const documents = await renderWebhookConfig({ url: "https://127.0.0.1:1", caBundle: "PEM", levers: ["gate"] });
    expect(documents).toHaveLength(1);
    const [only] = documents[0]?.["webhooks"] as Webhook[];
    expect(only?.clientConfig).toEqual({
      url: "https://127.0.0.1:1/mutate/pods",
      caBundle: Buffer.from("PEM").toString("base64"),
    });
  });
});

describe("rbac.yaml", () => {
  const rules = async () =>
    (await configDocuments("rbac.yaml")).flatMap((document) => (document["rules"] ?? []) as readonly Rule[]);

  it("grants no wildcards, no secrets, and no right to create, delete or evict pods", async () => {
    for (const { apiGroups, resources, verbs } of await rules()) {
      expect([...apiGroups, ...resources, ...verbs]).not.toContain("*");
      expect(resources).not.toContain("secrets");
      if (resources.some((one) => /^(pods|nodes)/.test(one)))
        expect(verbs.toSorted()).toEqual(["get", "list", "patch", "watch"]);
    }
  });

  it("names the Lease and the ConfigMap that the code uses", async () => {
    const names = (await rules()).flatMap(({ resourceNames = [] }) => resourceNames);
    expect(names.toSorted()).toEqual([LEADER_LEASE, POLICY_CONFIG_MAP].toSorted());
  });
});

it("policy.yaml is a policy without errors, and so is a rendered one", async () => {
  const [sample] = await configDocuments("policy.yaml");
  expect(sample?.metadata).toMatchObject({ namespace: DEFAULT_NAMESPACE, name: POLICY_CONFIG_MAP });
  for (const configMap of [sample, policyConfigMap({ mode: "observe" })]) {
    expect(parsePolicyConfigMap(configMap as Parameters<typeof parsePolicyConfigMap>[0])).toMatchObject({ ok: true });
  }
});
