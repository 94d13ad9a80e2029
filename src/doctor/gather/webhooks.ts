/** Gathers Paceline's webhooks: how they are configured, and what answers at their addresses. */
import type { KubeObject } from "../../kube/parse/kube-json.ts";
import { recordOf, recordsOf, textOf, timeOf } from "../../kube/parse/kube-json.ts";
import { matchesSelector } from "../../policy/resolve.ts";
import type { WebhookAnswer, WebhookSeen } from "../facts.ts";
import { handshake, pemCertificates } from "./handshake.ts";
import { inParallel, listOf, type Look } from "./look.ts";

const REGISTRATION = "/apis/admissionregistration.k8s.io/v1";
const KINDS = {
  MutatingWebhookConfiguration: "mutatingwebhookconfigurations",
  ValidatingWebhookConfiguration: "validatingwebhookconfigurations",
} as const;
/** The suffix of the names of all Paceline webhooks. */
const OURS = ".paceline.dev";
const PARALLEL = 4;
const PROXY_TIMEOUT_MS = 5_000;

type Json = Readonly<Record<string, unknown>>;
interface Configured {
  readonly configuration: string;
  readonly createdMs: number;
  readonly webhook: Json;
}

/** Every Paceline webhook in the cluster, under any configuration name. */
export async function gatherWebhooks(look: Look): Promise<WebhookSeen[]> {
  const configured: Configured[] = [];
  for (const [kind, resource] of Object.entries(KINDS)) {
    const found = await listOf(look, kind, `${REGISTRATION}/${resource}`, (raw) => ourWebhooks(kind, raw));
    configured.push(...found.flat());
  }
  return inParallel(configured, PARALLEL, (one) => webhookSeen(look, one));
}

function ourWebhooks(kind: string, raw: KubeObject): Configured[] {
  const configuration = `${kind}/${raw.metadata?.name ?? ""}`;
  const ours = recordsOf(raw["webhooks"]).filter(({ name }) => textOf(name).endsWith(OURS));
  const createdMs = timeOf(raw.metadata?.creationTimestamp) ?? 0;
  return ours.map((webhook) => ({ configuration, createdMs, webhook }));
}

async function webhookSeen(look: Look, { configuration, createdMs, webhook }: Configured): Promise<WebhookSeen> {
  const client = recordOf(webhook["clientConfig"]);
  const service = recordOf(client["service"]);
  const namespace = textOf(service["namespace"]);
  const caBundle = Buffer.from(textOf(client["caBundle"]), "base64").toString();
  return {
    configuration,
    name: textOf(webhook["name"]),
    failurePolicy: textOf(webhook["failurePolicy"]) || "Fail",
    timeoutSeconds: typeof webhook["timeoutSeconds"] === "number" ? webhook["timeoutSeconds"] : 10,
    seesKubeSystem: seesKubeSystem(webhook),
    createdMs,
    namespaceSelector: recordOf(webhook["namespaceSelector"]),
    objectSelector: recordOf(webhook["objectSelector"]),
    address: originOf(textOf(client["url"])) ?? `Service ${namespace}/${textOf(service["name"])}`,
    serviceNamespace: namespace || undefined,
    authorities: pemCertificates(caBundle),
    answer: await answerOf(look, client, service, caBundle),
  };
}

/** Only webhooks on pods can receive pods of kube-system. The policy's webhook selects one namespace only. */
function seesKubeSystem(webhook: Json): boolean {
  const onPods = recordsOf(webhook["rules"]).some(
    ({ resources }) => Array.isArray(resources) && resources.includes("pods"),
  );
  const labels = { "kubernetes.io/metadata.name": "kube-system" };
  return onPods && matchesSelector(recordOf(webhook["namespaceSelector"]), labels);
}

/** The address without its path. Webhooks of one service differ in the path only. */
const originOf = (url: string) => (URL.canParse(url) ? new URL(url).origin : undefined);

async function answerOf(look: Look, client: Json, service: Json, ca: string): Promise<WebhookAnswer> {
  const url = textOf(client["url"]);
  if (URL.canParse(url)) {
    const { hostname, port } = new URL(url);
    return handshake({ host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 443), ca });
  }
  return serviceAnswer(look, service, ca);
}

/**
 * Tries the Service's name first, which resolves inside the cluster only. Otherwise calls through the API server's
 * proxy, which hides the certificate.
 */
async function serviceAnswer(look: Look, service: Json, ca: string): Promise<WebhookAnswer> {
  const [namespace, name] = [textOf(service["namespace"]), textOf(service["name"])];
  const port = typeof service["port"] === "number" ? service["port"] : 443;
  const direct = await handshake({ host: `${name}.${namespace}.svc`, port, ca });
  if (direct.kind !== "silent") return direct;
  const path = `/api/v1/namespaces/${namespace}/services/https:${name}:${port}/proxy/healthz`;
  const answer = await look.client
    .raw("GET", path, { timeoutMs: PROXY_TIMEOUT_MS, maxBytes: 65_536 })
    .catch((error: unknown) => ({ status: 0, text: (error as Error).message }));
  if (answer.status === 403) {
    look.note(`webhooks: Service ${namespace}/${name} not called (it takes the right to get services/proxy)`);
    return { kind: "unchecked" };
  }
  if (answer.status === 200) return { kind: "unchecked" };
  return { kind: "silent", why: `${answer.status || "no answer"}: ${answer.text.slice(0, 300).trim()}` };
}
