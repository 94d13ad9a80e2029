/** Gathers Paceline's own webhooks, policy, leader and rights. */
import { LEADER_LEASE, POLICY_CONFIG_MAP } from "../../api/names.ts";
import { pause, type Clock } from "../../kube/clock.ts";
import { timeOf } from "../../kube/parse/kube-json.ts";
import { parseLease, type LeaseRecord } from "../../kube/leader/lease-record.ts";
import { parsePolicyConfigMap, type PolicyResult } from "../../policy/parse.ts";
import type { LeaderSeen, OursSeen, WebhookSeen } from "../facts.ts";
import { gatherAccounts } from "./accounts.ts";
import { inParallel, type Look, seen } from "./look.ts";
import { gatherInstallation } from "./installation.ts";
import { areAccountsDenied } from "./rewriters.ts";
import { rightsMissing } from "./rights.ts";
import { gatherWebhooks } from "./webhooks.ts";

/** The duration of a Lease that does not state one, ms. */
const LEASE_MS = 15_000;
/** Allowance for clocks that differ: within this time a renewal counts as fresh. Assumed, ms. */
const CLOCK_SLACK_MS = 2_000;
/** How often a stale Lease is read again, ms. */
const LOOK_AGAIN_MS = 500;

/** Gathered first, because the other gatherers need the policy. */
export interface OursOptions {
  readonly namespace: string | undefined;
  /** Paceline's namespace if neither a flag nor a webhook gives it. */
  readonly defaultNamespace: string;
  readonly clock: Clock;
}

/** Undefined if the cluster has no object of Paceline. */
export async function gatherOurs(look: Look, options: OursOptions): Promise<OursSeen | undefined> {
  const webhooks = await gatherWebhooks(look);
  const namespace = options.namespace ?? serviceNamespace(webhooks) ?? options.defaultNamespace;
  const [policy, lease] = await Promise.all([readPolicy(look, namespace), readLease(look, namespace)]);
  const hasPolicy = policy !== "missing" && policy !== undefined;
  if (webhooks.length === 0 && !hasPolicy && (lease === undefined || lease === "missing")) return undefined;
  const inForce = typeof policy === "object" && policy.ok ? policy.policy : undefined;
  const accounts = await gatherAccounts(look, namespace, inForce);
  return {
    namespace,
    webhooks,
    policy,
    leader: lease === undefined ? undefined : await leaderOf(look, namespace, lease, options.clock),
    installation: await gatherInstallation(look, namespace),
    accountsDenied: await areAccountsDenied(look),
    rights: await inParallel(accounts, 1, (account) => rightsMissing(look, account)),
  };
}

const serviceNamespace = (webhooks: readonly WebhookSeen[]) =>
  webhooks.map((webhook) => webhook.serviceNamespace).find((namespace) => namespace !== undefined);

function readPolicy(look: Look, namespace: string): Promise<PolicyResult | "missing" | undefined> {
  const path = `/api/v1/namespaces/${namespace}/configmaps/${POLICY_CONFIG_MAP}`;
  return seen(look, "policy", "missing", async () =>
    parsePolicyConfigMap((await look.client.get(path)) as Parameters<typeof parsePolicyConfigMap>[0]),
  );
}

const leasePath = (namespace: string) => `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${LEADER_LEASE}`;

function readLease(look: Look, namespace: string): Promise<LeaseRecord | "missing" | undefined> {
  return seen(look, "leader", "missing", async () => parseLease(await look.client.get(leasePath(namespace)), LEASE_MS));
}

/**
 * The leader is alive if our clock shows a renewal within the Lease's duration. A Lease that looks stale may come from
 * another clock, so it is read again until it is renewed or its duration is over.
 */
async function leaderOf(
  look: Look,
  namespace: string,
  lease: LeaseRecord | "missing",
  clock: Clock,
): Promise<LeaderSeen> {
  if (lease === "missing") return { holder: "", alive: false, renewed: "", sinceMs: 0, askedMs: undefined };
  const { holder, renewTime, durationMs, askedMs } = lease;
  const told = { holder, renewed: renewTime, sinceMs: timeOf(lease.acquireTime) ?? 0, askedMs };
  if (holder === "") return { ...told, alive: false };
  const age = clock.now() - (timeOf(renewTime) ?? 0);
  if (Math.abs(age) < durationMs + CLOCK_SLACK_MS) return { ...told, alive: true };
  const endMs = clock.now() + durationMs;
  while (clock.now() < endMs) {
    await pause(clock, LOOK_AGAIN_MS);
    const now = await readLease(look, namespace);
    if (typeof now === "object" && now.renewTime !== renewTime)
      return { ...told, holder: now.holder, renewed: now.renewTime, alive: now.holder !== "" };
  }
  return { ...told, alive: false };
}
