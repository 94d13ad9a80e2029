/** Under which name, and by which CA, the API server knows a release's replicas: its webhooks say both. */
import type { ApiClient } from "../kube/client/api-client.ts";
import { recordOf, recordsOf, textOf } from "../kube/parse/kube-json.ts";

export interface ServerTrust {
  /** DNS name in the replicas' certificate. */
  readonly name: string;
  /** PEM. */
  readonly ca: string | undefined;
}

/** Time for the answer, ms: there are other ways to ask. Assumed. */
const ANSWER_MS = 5_000;

/** Undefined where the webhooks call no Service. @throws ApiError where they cannot be read */
export async function readServerTrust(client: ApiClient, configuration: string): Promise<ServerTrust | undefined> {
  const path = `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${configuration}`;
  const [first] = recordsOf((await client.get(path, {}, { timeoutMs: ANSWER_MS }))["webhooks"]);
  const { service, caBundle } = recordOf(recordOf(first)["clientConfig"]);
  const { name, namespace } = recordOf(service);
  if (textOf(name) === "") return undefined;
  const ca = Buffer.from(textOf(caBundle), "base64").toString("utf8");
  return { name: `${textOf(name)}.${textOf(namespace)}.svc`, ca: ca === "" ? undefined : ca };
}
