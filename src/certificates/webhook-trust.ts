/** Tells the API server which authority to trust: sets the `caBundle` of every webhook of ours. */
import type { ApiClient } from "../kube/client/api-client.ts";
import { isNotFound } from "../kube/client/api-error.ts";
import { recordOf, recordsOf } from "../kube/parse/kube-json.ts";
import type { Log } from "../kube/log.ts";

const KINDS = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"] as const;

export interface WebhookTrust {
  readonly client: ApiClient;
  /** Name of both configurations. A missing one is ignored (its webhooks are switched off). */
  readonly webhookConfiguration: string;
  readonly log: Log;
}

/**
 * Writes the bundle to the webhooks that do not have it yet, on the condition that each webhook is still at its place
 * in the list.
 * @param bundle PEM
 * @returns how many configurations changed
 */
export async function publishBundle(
  { client, webhookConfiguration, log }: WebhookTrust,
  bundle: string,
): Promise<number> {
  let changed = 0;
  for (const kind of KINDS) {
    const path = `/apis/admissionregistration.k8s.io/v1/${kind}/${webhookConfiguration}`;
    const raw = await client.get(path).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
    const wanted = Buffer.from(bundle).toString("base64");
    const operations = recordsOf(raw?.["webhooks"]).flatMap((webhook, index) =>
      recordOf(webhook["clientConfig"])["caBundle"] === wanted
        ? []
        : [
            { op: "test", path: `/webhooks/${index}/name`, value: webhook["name"] },
            { op: "add", path: `/webhooks/${index}/clientConfig/caBundle`, value: wanted },
          ],
    );
    if (operations.length === 0) continue;
    await client.patch(path, operations, "json", { fieldManager: "paceline" });
    log.info({ kind, name: webhookConfiguration }, "wrote the CA bundle into the webhooks");
    changed += 1;
  }
  return changed;
}
