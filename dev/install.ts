/**
 * Installs Paceline into a cluster for demo, tests and benchmarks. It uses the files of webhook-config/ that operators
 * apply by hand, so tests cover these files.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseAllDocuments, stringify } from "yaml";
import { COMPONENT, DEFAULT_NAMESPACE, POLICY_CONFIG_MAP, POLICY_KEY } from "../src/api/names.ts";
import type { ApiClient } from "../src/kube/client/api-client.ts";
import { errorFromAnswer } from "../src/kube/client/api-error.ts";
import type { KubeObject } from "../src/kube/parse/kube-json.ts";
import { POLICY_API_VERSION, POLICY_KIND, type PacingPolicyInput } from "../src/policy/schema.ts";

const FOLDER = join(import.meta.dirname, "../webhook-config");

/** The webhooks of webhook-config/webhooks.yaml, by lever. */
export const webhookNames = {
  gate: "pods.paceline.dev",
  fence: "nodes.paceline.dev",
  policyValidation: "policy.paceline.dev",
} as const;
export type WebhookLever = keyof typeof webhookNames;

/** A policy as users write it, without apiVersion and kind, which are added. */
export type PolicyBody = Omit<PacingPolicyInput, "apiVersion" | "kind">;

export interface WebhookAddress {
  /** Base address of the running service, `https://127.0.0.1:1234`. */
  readonly url: string;
  /** PEM of the CA that signed its certificate. */
  readonly caBundle: string;
  /** Which webhooks to install; default all. */
  readonly levers?: readonly WebhookLever[];
}

export interface InstallOptions extends WebhookAddress {
  /** Default: the sample of webhook-config/policy.yaml. */
  readonly policy?: PolicyBody | undefined;
}

interface Webhook {
  readonly name: string;
  readonly clientConfig: { readonly service: { readonly path: string } };
}

/** The documents of one file of webhook-config/. */
export async function configDocuments(
  file: "rbac.yaml" | "janitor.yaml" | "service.yaml" | "webhooks.yaml" | "policy.yaml",
): Promise<KubeObject[]> {
  const text = await readFile(join(FOLDER, file), "utf8");
  return parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
}

/** webhook-config/webhooks.yaml with address and CA filled in; configurations without a webhook are left out. */
export async function renderWebhookConfig({ url, caBundle, levers }: WebhookAddress): Promise<KubeObject[]> {
  const wanted = new Set<string>(
    (levers ?? (Object.keys(webhookNames) as WebhookLever[])).map((lever) => webhookNames[lever]),
  );
  const base64 = Buffer.from(caBundle).toString("base64");
  const fill = (webhook: Webhook) => ({
    ...webhook,
    clientConfig: { url: new URL(webhook.clientConfig.service.path, url).href, caBundle: base64 },
  });
  return (await configDocuments("webhooks.yaml"))
    .map((document) => {
      const webhooks = (document["webhooks"] as Webhook[]).filter(({ name }) => wanted.has(name)).map(fill);
      return { ...document, webhooks };
    })
    .filter(({ webhooks }) => webhooks.length > 0);
}

/** The policy's ConfigMap. */
export function policyConfigMap(policy: PolicyBody): KubeObject {
  const text = stringify({ apiVersion: POLICY_API_VERSION, kind: POLICY_KIND, ...policy });
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace: DEFAULT_NAMESPACE, name: POLICY_CONFIG_MAP },
    data: { [POLICY_KEY]: text },
  };
}

/** The API path of each kind in the files. */
const resources: Readonly<Record<string, string>> = {
  Namespace: "namespaces",
  ServiceAccount: "serviceaccounts",
  ConfigMap: "configmaps",
  Service: "services",
  DaemonSet: "daemonsets",
  NetworkPolicy: "networkpolicies",
  Lease: "leases",
  ClusterRole: "clusterroles",
  ClusterRoleBinding: "clusterrolebindings",
  Role: "roles",
  RoleBinding: "rolebindings",
  FlowSchema: "flowschemas",
  MutatingWebhookConfiguration: "mutatingwebhookconfigurations",
  ValidatingWebhookConfiguration: "validatingwebhookconfigurations",
};

/** Path of an object. */
function pathOf({ apiVersion = "", kind = "", metadata = {} }: KubeObject): string {
  const resource = resources[kind];
  if (resource === undefined) throw new Error(`kind ${kind} is not among those that dev/install.ts applies`);
  const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = metadata.namespace === undefined ? "" : `/namespaces/${metadata.namespace}`;
  return `${group}${scope}/${resource}/${String(metadata.name)}`;
}

/** Server-side apply, as `kubectl apply --server-side --force-conflicts` does; applying twice changes nothing. */
export async function applyObject(client: ApiClient, object: KubeObject): Promise<void> {
  const path = pathOf(object);
  const answer = await client.raw("PATCH", path, {
    query: { fieldManager: `${COMPONENT}-install`, force: true },
    contentType: "application/apply-patch+yaml",
    body: JSON.stringify(object),
  });
  if (answer.status >= 400) throw errorFromAnswer(`APPLY ${path}`, answer.status, answer.text, answer.retryAfter);
}

/** Applies namespace, service account, roles and policy: what the service needs before it starts. */
export async function installAccess(client: ApiClient, policy?: PolicyBody): Promise<void> {
  for (const object of await configDocuments("rbac.yaml")) await applyObject(client, object);
  const policies = policy === undefined ? await configDocuments("policy.yaml") : [policyConfigMap(policy)];
  for (const object of policies) await applyObject(client, object);
}

/** Applies the webhooks, which may come only once the service listens. */
export async function installWebhooks(client: ApiClient, address: WebhookAddress): Promise<void> {
  for (const object of await renderWebhookConfig(address)) await applyObject(client, object);
}

/** Applies everything. */
export async function installPaceline(client: ApiClient, options: InstallOptions): Promise<void> {
  await installAccess(client, options.policy);
  await installWebhooks(client, options);
}

/** Changes the policy of a running installation. */
export async function applyPolicy(client: ApiClient, policy: PolicyBody): Promise<void> {
  await applyObject(client, policyConfigMap(policy));
}

/** Removes the webhooks. */
export async function uninstallWebhooks(client: ApiClient): Promise<void> {
  for (const object of await configDocuments("webhooks.yaml")) {
    await client.raw("DELETE", pathOf(object));
  }
}

/** How long a token of {@link serviceToken} is valid, in s: longer than any demo or test. */
const TOKEN_SECONDS = 86_400;

/** A token of the service's own account, so that the roles of webhook-config/rbac.yaml apply. */
export async function serviceToken(client: ApiClient): Promise<string> {
  const path = `/api/v1/namespaces/${DEFAULT_NAMESPACE}/serviceaccounts/${COMPONENT}/token`;
  const body = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { expirationSeconds: TOKEN_SECONDS },
  };
  const { status } = await client.create(path, body);
  return (status as { token: string }).token;
}
