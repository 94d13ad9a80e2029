/** What keeps Paceline at work besides its replicas, and how it goes: the uninstall hook's part. */
import { isNotFound } from "../client/api-error.ts";
import type { ApiClient } from "../client/api-client.ts";

const REGISTRATION = "/apis/admissionregistration.k8s.io/v1";

/** Both configurations of this name; first of all, so that nothing new is gated or fenced. @returns paths removed */
export async function removeWebhooks(client: ApiClient, name: string): Promise<string[]> {
  const removed: string[] = [];
  for (const kind of ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"]) {
    const path = `${REGISTRATION}/${kind}/${name}`;
    try {
      await client.remove(path);
      removed.push(path);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  return removed;
}
