/** What Paceline leaves in a cluster besides gates and fences, and how it goes: the uninstall hook's part. */
import { isNotFound } from "./api-error.ts";
import type { ApiClient } from "./api-client.ts";

const REGISTRATION = "/apis/admissionregistration.k8s.io/v1";

/** Both configurations of this name; first of all, so that nothing new is gated or fenced. @returns paths removed */
export async function removeWebhooks(client: ApiClient, name: string): Promise<string[]> {
  const kinds = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"];
  return removeEach(
    client,
    kinds.map((kind) => `${REGISTRATION}/${kind}/${name}`),
  );
}

/** The leader's Lease, which no manifest made, so that none takes it away. @returns paths removed */
export function removeLease(client: ApiClient, namespace: string, name: string): Promise<string[]> {
  return removeEach(client, [`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${name}`]);
}

async function removeEach(client: ApiClient, paths: readonly string[]): Promise<string[]> {
  const removed: string[] = [];
  for (const path of paths) {
    try {
      await client.remove(path);
      removed.push(path);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  return removed;
}
