/** Removes Paceline's webhook configurations, for the uninstall hook. */
import { isNotFound } from "../client/api-error.ts";
import type { ApiClient } from "../client/api-client.ts";

const REGISTRATION = "/apis/admissionregistration.k8s.io/v1";

/**
 * Removes both configurations of this name. Comes first, so that nothing new is gated or fenced. @returns removed paths
 */
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
