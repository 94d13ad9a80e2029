/**
 * `paceline release`: removes gates and fences without a leader, for the janitor, the uninstall hook and people. It
 * needs only the API server, so it works while every replica is dead.
 */
import type { Caps } from "../policy/caps.ts";
import { GATE } from "../api/names.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import { nodeFacts, podFacts } from "../kube/parse/facts.ts";
import { recordOf, recordsOf, type KubeObject } from "../kube/parse/kube-json.ts";
import { listPages } from "../kube/client/list-pages.ts";
import { createShapeInterner } from "../kube/parse/shape-interner.ts";
import { liftFence, releasePod, type Write } from "../kube/write/writes.ts";
import type { NodeFacts, PodFacts } from "../core/facts.ts";
import { fencedSinceMs, heldSinceMs } from "../core/state/held-since.ts";
import { isRollCallForgotten } from "../core/rules/roll-call.ts";
import { SECOND_MS } from "../core/measures.ts";

/** What to remove. */
export interface SweepScope {
  /** `all`: everything; `expired`: only what is past its cap. */
  readonly which: "all" | "expired";
  /** Only pods of this namespace, and no fence, because nodes have no namespace. */
  readonly namespace?: string | undefined;
  /** Only the fence of this node, and the pods that wait for it. */
  readonly node?: string | undefined;
}

export interface SweepPlan {
  readonly pods: readonly PodFacts[];
  readonly nodes: readonly NodeFacts[];
}

/** The result for one object: `released`, `gone`, `unchanged`, `conflict`, or `failed` with a message. */
export interface SweepResult {
  readonly kind: "Pod" | "Node";
  readonly namespace?: string;
  readonly name: string;
  readonly outcome: "released" | Exclude<Write["kind"], "changed"> | "failed";
  readonly message?: string;
}

/** Writes at the same time. Assumed: a thousand pods in seconds, and no burden for an API server. */
const PARALLEL = 16;

/**
 * Reads every gated pod and every fenced node in the scope that is past its cap or in a forgotten roll call, or all of
 * them with `all`.
 */
export async function planSweep(client: ApiClient, scope: SweepScope, caps: Caps, nowMs: number): Promise<SweepPlan> {
  const interner = createShapeInterner();
  const [pods, nodes] = await Promise.all([
    listAll(client, podsPath(scope.namespace), { fieldSelector: "spec.nodeName=" }, isGated),
    scope.namespace === undefined ? listAll(client, "/api/v1/nodes", {}, () => true) : [],
  ]);
  return {
    pods: pods.map((raw) => podFacts(raw, interner)).filter((pod) => coversPod(scope, caps, pod, nowMs)),
    nodes: nodes.map((raw) => nodeFacts(raw, interner)).filter((node) => coversNode(scope, caps, node, nowMs)),
  };
}

const podsPath = (namespace: string | undefined) =>
  namespace === undefined ? "/api/v1/pods" : `/api/v1/namespaces/${namespace}/pods`;

const isGated = (raw: KubeObject) =>
  recordsOf(recordOf(raw["spec"])["schedulingGates"]).some(({ name }) => name === GATE);

function coversPod({ which, node }: SweepScope, { holdSeconds }: Caps, pod: PodFacts, nowMs: number): boolean {
  if (!pod.gated) return false;
  if (node !== undefined && pod.pinnedTo !== node && pod.hold?.node !== node) return false;
  return which === "all" || nowMs >= heldSinceMs(pod) + holdSeconds * SECOND_MS;
}

function coversNode({ which, node }: SweepScope, { fenceSeconds }: Caps, facts: NodeFacts, nowMs: number) {
  if (facts.fence === undefined || (node !== undefined && facts.name !== node)) return false;
  const isPastCap = nowMs >= fencedSinceMs(facts) + fenceSeconds * SECOND_MS;
  return which === "all" || isPastCap || isRollCallForgotten(facts, nowMs);
}

/** Keeps only the wanted objects of a long list in memory. */
async function listAll(
  client: ApiClient,
  path: string,
  query: { fieldSelector?: string },
  wanted: (raw: KubeObject) => boolean,
): Promise<KubeObject[]> {
  const found: KubeObject[] = [];
  for await (const page of listPages(client, path, query)) found.push(...page.filter(wanted));
  return found;
}

/**
 * Carries out the plan. Fences come first, so that pods find open nodes. Every write is conditional on the object being
 * the one that was seen, so a leader may do the same at the same time. Never rejects because of one object.
 */
export async function sweep(client: ApiClient, { pods, nodes }: SweepPlan, nowMs: number): Promise<SweepResult[]> {
  const lifted = await inParallel(nodes, (node) => liftOne(client, node));
  return [...lifted, ...(await inParallel(pods, (pod) => releaseOne(client, pod, nowMs)))];
}

async function releaseOne(client: ApiClient, pod: PodFacts, nowMs: number): Promise<SweepResult> {
  const release = { pod, node: undefined, fence: undefined, reason: "Requested", message: "paceline release" } as const;
  const { namespace, name } = pod;
  return {
    kind: "Pod",
    namespace,
    name,
    ...(await outcomeOf(() => releasePod(client, release, { now: () => nowMs }))),
  };
}

async function liftOne(client: ApiClient, node: NodeFacts): Promise<SweepResult> {
  return { kind: "Node", name: node.name, ...(await outcomeOf(() => liftFence(client, node))) };
}

async function outcomeOf(write: () => Promise<Write>): Promise<Pick<SweepResult, "outcome" | "message">> {
  try {
    const { kind } = await write();
    return { outcome: kind === "changed" ? "released" : kind };
  } catch (error) {
    return { outcome: "failed", message: (error as Error).message };
  }
}

async function inParallel<In, Out>(items: readonly In[], run: (item: In) => Promise<Out>): Promise<Out[]> {
  const results: Out[] = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await run(item);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  return results;
}
