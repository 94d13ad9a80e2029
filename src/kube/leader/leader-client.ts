/**
 * The leader's way to the API server. A request that was slow could arrive when another replica leads already, and spend
 * a slot that this one has given to another pod. So every request ends while no other replica may lead, and none begins
 * after that: a write that reads first is refused between the two.
 */
import { REQUEST_TIMEOUT_MS, type ApiClient, type RequestOptions } from "../client/api-client.ts";
import { ApiError } from "../client/api-error.ts";
import type { LeaderElection } from "./lease.ts";

/** Requests reject with reason `NotLeading` where this replica does not lead. Only `get` and `patch` are bounded. */
export function leaderClient(client: ApiClient, election: Pick<LeaderElection, "mayWriteForMs">): ApiClient {
  const bounded = (path: string, options: RequestOptions | undefined): RequestOptions => {
    const forMs = election.mayWriteForMs;
    if (forMs <= 0) throw new ApiError(0, "NotLeading", `${path}: this replica does not lead any more`);
    return { ...options, timeoutMs: Math.min(forMs, options?.timeoutMs ?? REQUEST_TIMEOUT_MS) };
  };
  return {
    ...client,
    get: async (path, query, options) => client.get(path, query, bounded(path, options)),
    patch: async (path, body, kind, query, options) => client.patch(path, body, kind, query, bounded(path, options)),
  };
}
