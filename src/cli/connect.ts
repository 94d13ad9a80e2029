/** How commands reach the cluster. */
import { createApiClient, type ApiClient } from "../kube/client/api-client.ts";
import { type Clock, steadyClock, systemClock } from "../kube/clock.ts";
import { createServerClock } from "../kube/server-clock.ts";
import { loadCredentials } from "../kube/client/credentials.ts";
import { UsageError } from "../api/usage-error.ts";

/** As commander hands them over. */
export interface ClusterFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** Where the API server is, and with which credentials. @throws UsageError where the kubeconfig is unusable */
export async function clusterAccess({ kubeconfig, context }: ClusterFlags) {
  try {
    return await loadCredentials({ kubeconfig, context }, process.env);
  } catch (cause) {
    throw new UsageError(`cannot tell how to reach the cluster: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Connects, and closes the connection when `use` has ended. The clock is the API server's from the first answer on.
 * @throws UsageError where the kubeconfig is unusable
 */
export async function withCluster<Result>(
  flags: ClusterFlags,
  use: (client: ApiClient, clock: Clock) => Promise<Result>,
): Promise<Result> {
  const clock = createServerClock({ wall: systemClock, steady: steadyClock });
  const client = createApiClient(await clusterAccess(flags), { clock });
  try {
    return await use(client, clock);
  } finally {
    await client.close();
  }
}
