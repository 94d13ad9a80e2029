/**
 * The status from the API server alone: the same decision core, filled once, with what the leader publishes, and
 * without figures of disks.
 */
import { LEADER_LEASE, POLICY_CONFIG_MAP } from "../api/names.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import { ApiError } from "../kube/client/api-error.ts";
import type { Clock } from "../kube/clock.ts";
import { nodeFacts, podFacts } from "../kube/parse/facts.ts";
import { textMapOf, textOf } from "../kube/parse/kube-json.ts";
import type { KubeObject } from "../kube/parse/kube-json.ts";
import { parseLease } from "../kube/leader/lease-record.ts";
import { parseLeaderFigures } from "../kube/parse/leader-figures.ts";
import { listPages, NODES_IN_PAGE } from "../kube/client/list-pages.ts";
import { createShapeInterner } from "../kube/parse/shape-interner.ts";
import { type LeaderFigures, withFigure, withoutFigure } from "../core/leader-figures.ts";
import { createPacer, type Pacer } from "../core/pacer.ts";
import { defaultPolicy, parsePolicyConfigMap } from "../policy/parse.ts";
import type { PacingPolicy } from "../policy/schema.ts";
import type { LeaderState } from "../server/state.ts";
import type { StatusAnswer } from "../server/answers.ts";
import { LIVE_PODS } from "../kube/client/live-pods.ts";
import { version } from "../api/version.ts";

/** How long a leader that has just ended may look alive, ms, if its Lease does not say (client-go's default). */
const LEASE_MS = 15_000;

/** The status, and the core that can say more. */
export interface ClusterRead {
  readonly answer: StatusAnswer;
  readonly pacer: Pacer;
  /** The API server's time as of the reading, epoch ms. */
  readonly nowMs: number;
}

/** @throws ApiError when the cluster cannot be read */
export async function readCluster(
  client: ApiClient,
  namespace: string,
  clock: Pick<Clock, "now">,
): Promise<ClusterRead> {
  const policy = await policyInForce(client, namespace);
  const nowMs = clock.now(); // once the API server has told its time
  const { leader, figures } = await leaderNow(client, namespace, nowMs);
  const { telemetry } = policy ?? defaultPolicy();
  const pacer = createPacer(policy ?? defaultPolicy());
  const interner = createShapeInterner();
  for await (const page of listPages(client, "/api/v1/nodes", { limit: NODES_IN_PAGE })) {
    for (const raw of page) pacer.upsertNode(nodeFacts(raw, interner), nowMs);
  }
  for await (const page of listPages(client, "/api/v1/pods", LIVE_PODS)) {
    for (const raw of page) pacer.upsertPod(podFacts(raw, interner), nowMs);
  }
  await readNamespaces(client, pacer);
  const status = pacer.status(nowMs);
  const nodes = status.nodes.map((node) => {
    const figure = figures?.get(node.name);
    return figure ? withFigure(node, figure, telemetry, nowMs) : withoutFigure(node);
  });
  return {
    pacer,
    nowMs,
    answer: { version, synced: true, leader, policyValid: policy !== undefined, ...status, nodes },
  };
}

/** Without the right to list them, pods are seen as the service sees them without it. */
async function readNamespaces(client: ApiClient, pacer: Pacer): Promise<void> {
  try {
    for await (const page of listPages(client, "/api/v1/namespaces")) {
      for (const { metadata } of page) pacer.upsertNamespace(textOf(metadata?.name), textMapOf(metadata?.labels));
    }
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 403)) throw error;
  }
}

/** The policy; undefined if there is none or it has errors. */
async function policyInForce(client: ApiClient, namespace: string): Promise<PacingPolicy | undefined> {
  const raw = await orNothing(client.get(`/api/v1/namespaces/${namespace}/configmaps/${POLICY_CONFIG_MAP}`));
  const result = raw && parsePolicyConfigMap(raw as Parameters<typeof parsePolicyConfigMap>[0]);
  return result?.ok ? result.policy : undefined;
}

interface LeaderNow {
  readonly leader: LeaderState;
  /** What a living leader has published. */
  readonly figures?: LeaderFigures;
}

/** One reading cannot see whether a Lease is renewed. So only here its time is compared with this machine's. */
async function leaderNow(client: ApiClient, namespace: string, nowMs: number): Promise<LeaderNow> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${LEADER_LEASE}`;
  const raw = await orNothing(client.get(path));
  if (raw === undefined) return { leader: { holder: undefined, alive: false, leading: false } };
  const { holder, renewTime, durationMs, note } = parseLease(raw, LEASE_MS);
  const alive = holder !== "" && nowMs < Date.parse(renewTime) + durationMs;
  const leader = { holder: holder === "" ? undefined : holder, alive, leading: false };
  return alive ? { leader, figures: parseLeaderFigures(note) } : { leader };
}

/** The object, or undefined if it does not exist. */
async function orNothing(reading: Promise<KubeObject>): Promise<KubeObject | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}
