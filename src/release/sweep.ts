/**
 * `paceline release`: removes gates and fences without a leader, for the janitor, the uninstall hook and people. It
 * needs only the API server, so it works while every replica is dead.
 */
import type { Caps } from "../policy/caps.ts";
import { GATE } from "../api/names.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import { nodeFacts, podFacts } from "../kube/parse/facts.ts";
import { recordOf, recordsOf, type KubeObject } from "../kube/parse/kube-json.ts";
import { listPages, NODES_IN_PAGE } from "../kube/client/list-pages.ts";
import { createShapeInterner } from "../kube/parse/shape-interner.ts";
import type { Write } from "../kube/write/conditional.ts";
import { clearNode } from "../kube/write/nodes.ts";
import { releasePod } from "../kube/write/pods.ts";
import type { NodeFacts, PodFacts } from "../core/facts.ts";
import { placementUnfitReason } from "../core/placement/fit.ts";
import { EVERY_FENCE } from "../core/verdict.ts";
import { keptOutSinceMs, raisedMs, seenHeldSinceMs } from "../core/state/held-since.ts";
import { openedMs, openingOf } from "../core/state/opening.ts";
import { holdCapMs } from "../core/rules/hold-cap.ts";
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
  /** Fenced nodes that may have kept pods out. */
  readonly fenced: readonly NodeFacts[];
  /** As in {@link SweepTime}. */
  readonly leaderless: boolean;
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

/** When a sweep looks, and for what. */
export interface SweepTime {
  readonly nowMs: number;
  /** Also what reaches its cap within this time, ms. */
  readonly aheadMs?: number;
  /** No leader is alive, so nothing else lets pods past the fences that have kept them out for the hold cap. */
  readonly leaderless?: boolean;
}

/**
 * Reads every gated pod and every fenced node in the scope that is past its cap or in a forgotten roll call, or all of
 * them with `all`; where no leader is alive, also pods that fences have kept out for the cap.
 */
export async function planSweep(
  client: ApiClient,
  scope: SweepScope,
  caps: Caps,
  { nowMs, aheadMs = 0, leaderless = false }: SweepTime,
): Promise<SweepPlan> {
  const interner = createShapeInterner();
  const looksAtFences = leaderless && scope.which === "expired" && scope.namespace === undefined;
  const untilMs = nowMs + aheadMs;
  const marked =
    scope.namespace === undefined
      ? await gather(client, "/api/v1/nodes", { limit: NODES_IN_PAGE }, (raw) => {
          const node = nodeFacts(raw);
          return isMarked(node) ? { ...withOpening(node, nowMs), images: NO_IMAGES } : undefined;
        })
      : [];
  const fenced = looksAtFences ? marked.filter(({ fence }) => fence !== undefined) : [];
  const pods = await gather(client, podsPath(scope.namespace), { fieldSelector: "spec.nodeName=" }, (raw) => {
    if (!looksAtFences && !isGated(raw)) return undefined;
    const pod = podFacts(raw, interner);
    return coversPod(scope, caps, pod, untilMs, leaderless) || isKeptOut(scope, caps, pod, fenced, untilMs)
      ? pod
      : undefined;
  });
  const nodes = marked.filter(
    (node) => coversNode(scope, caps, node, untilMs, leaderless) || isForgotten(scope, node, nowMs),
  );
  return { pods, nodes, fenced, leaderless };
}

/** Most of a node's facts, and of no use to a sweep. */
const NO_IMAGES: NodeFacts["images"] = new Map();

/** Of thousands of nodes few are. */
const isMarked = ({ fence, steered }: NodeFacts) => fence !== undefined || steered === true;

const withOpening = (node: NodeFacts, nowMs: number): NodeFacts => ({ ...node, opening: openingOf(node, nowMs) });

/** What of the plan is due at a moment, if its scope is what is past its cap. */
export function dueOf(plan: SweepPlan, caps: Caps, nowMs: number): SweepPlan {
  const scope: SweepScope = { which: "expired" };
  const { leaderless } = plan;
  return {
    pods: plan.pods.filter((pod) =>
      pod.gated ? coversPod(scope, caps, pod, nowMs, leaderless) : isKeptOut(scope, caps, pod, plan.fenced, nowMs),
    ),
    nodes: plan.nodes.filter(
      (node) => coversNode(scope, caps, node, nowMs, leaderless) || isForgotten(scope, node, nowMs),
    ),
    fenced: plan.fenced,
    leaderless,
  };
}

const podsPath = (namespace: string | undefined) =>
  namespace === undefined ? "/api/v1/pods" : `/api/v1/namespaces/${namespace}/pods`;

const isGated = (raw: KubeObject) =>
  recordsOf(recordOf(raw["spec"])["schedulingGates"]).some(({ name }) => name === GATE);

function coversPod(
  { which, node }: SweepScope,
  { holdSeconds }: Caps,
  pod: PodFacts,
  nowMs: number,
  leaderless: boolean,
): boolean {
  if (!pod.gated) return false;
  if (node !== undefined && pod.pinnedTo !== node && pod.hold?.node !== node) return false;
  const capMs = holdCapMs(pod.shape, holdSeconds * SECOND_MS);
  return which === "all" || nowMs >= seenHeldSinceMs(pod, leaderless, nowMs) + capMs;
}

/** Has a fence kept the pod out for the hold cap, on a node that would take it by labels and taints? */
function isKeptOut(
  scope: SweepScope,
  { holdSeconds }: Caps,
  pod: PodFacts,
  fenced: readonly NodeFacts[],
  nowMs: number,
) {
  if (pod.gated || !pod.unschedulable || pod.fencesTolerated.includes(EVERY_FENCE)) return false;
  const byCapMs = nowMs - holdCapMs(pod.shape, holdSeconds * SECOND_MS);
  return fenced.some(
    (node) =>
      (scope.node === undefined || scope.node === node.name) &&
      byCapMs >= keptOutSinceMs(pod, node, nowMs) &&
      placementUnfitReason(pod, node, false) === undefined,
  );
}

const isInScope = ({ node }: SweepScope, { name }: NodeFacts) => node === undefined || name === node;

/** The soft taint keeps nothing out, so that it has no cap. */
function coversNode(
  scope: SweepScope,
  { fenceSeconds }: Caps,
  node: NodeFacts,
  nowMs: number,
  leaderless: boolean,
): boolean {
  if (!isInScope(scope, node)) return false;
  if (scope.which === "all") return node.fence !== undefined || node.steered === true;
  return node.fence !== undefined && nowMs >= capFromMs(node, nowMs, leaderless) + fenceSeconds * SECOND_MS;
}

/** The cap counts from the node's opening. Of a fence that is up before that only a leader can tell. */
function capFromMs(node: NodeFacts, nowMs: number, leaderless: boolean): number {
  const raised = leaderless ? raisedMs(node, nowMs) : Infinity;
  return openedMs(node) ?? raised;
}

/** A roll call that is open now may be over in a moment, so no look ahead is of use. */
const isForgotten = (scope: SweepScope, node: NodeFacts, nowMs: number) =>
  node.fence !== undefined && isInScope(scope, node) && isRollCallForgotten(node, nowMs);

/** Of a long list only what `pick` makes of an object is kept, and one page at a time is in memory. */
async function gather<Facts>(
  client: ApiClient,
  path: string,
  query: { fieldSelector?: string; limit?: number },
  pick: (raw: KubeObject) => Facts | undefined,
): Promise<Facts[]> {
  const found: Facts[] = [];
  for await (const page of listPages(client, path, query)) {
    for (const raw of page) {
      const facts = pick(raw);
      if (facts !== undefined) found.push(facts);
    }
  }
  return found;
}

/**
 * Carries out the plan. Fences come first, so that pods find open nodes. Every write is conditional on the object being
 * the one that was seen, so a leader may do the same at the same time. Never rejects because of one object. The results
 * are in order: those of nodes, then those of pods.
 * @param fence that the pods tolerate from then on; EVERY_FENCE where fences stay, which would hold them a second time.
 */
export async function sweep(
  client: ApiClient,
  { pods, nodes }: Pick<SweepPlan, "pods" | "nodes">,
  nowMs: number,
  fence?: string,
): Promise<SweepResult[]> {
  const lifted = await inParallel(nodes, (node) => liftOne(client, node));
  return [...lifted, ...(await inParallel(pods, (pod) => releaseOne(client, pod, fence, nowMs)))];
}

async function releaseOne(
  client: ApiClient,
  pod: PodFacts,
  fence: string | undefined,
  nowMs: number,
): Promise<SweepResult> {
  const release = { pod, node: undefined, fence, reason: "Requested", message: "paceline release" } as const;
  const { namespace, name } = pod;
  return {
    kind: "Pod",
    namespace,
    name,
    ...(await outcomeOf(() => releasePod(client, release, { now: () => nowMs }))),
  };
}

async function liftOne(client: ApiClient, node: NodeFacts): Promise<SweepResult> {
  return { kind: "Node", name: node.name, ...(await outcomeOf(() => clearNode(client, node))) };
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
