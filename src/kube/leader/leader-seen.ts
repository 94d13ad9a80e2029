/** Is some replica the leader? For programs that look once, without an election of their own. */
import { LEADER_LEASE } from "../../api/names.ts";
import type { ApiClient } from "../client/api-client.ts";
import { isNotFound } from "../client/api-error.ts";
import type { Clock } from "../clock.ts";
import { recordOf, textOf, timeOf } from "../parse/kube-json.ts";

/**
 * A Lease that says it was not renewed for this long has no living holder, ms. It is renewed every few seconds; the
 * rest is for clocks that differ.
 */
const DEAD_AFTER_MS = 30_000;

/**
 * False where the Lease has no holder, or one that has not renewed it lately. A Lease that may not be read counts as
 * held.
 */
export async function isLeaderSeen(client: ApiClient, namespace: string, clock: Pick<Clock, "now">): Promise<boolean> {
  try {
    const lease = await client.get(`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${LEADER_LEASE}`);
    const { holderIdentity, renewTime } = recordOf(lease["spec"]);
    return textOf(holderIdentity) !== "" && clock.now() - (timeOf(renewTime) ?? -Infinity) < DEAD_AFTER_MS;
  } catch (error) {
    return !isNotFound(error);
  }
}
