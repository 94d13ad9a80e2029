/**
 * The scheduler extender protocol v1 (k8s.io/kube-scheduler/extender/v1). kube-scheduler sends the untagged names of
 * the Go fields. It ignores case in answers.
 */
import { z } from "zod";
import { wireError } from "./wire-error.ts";

const namedObject = z.looseObject({ metadata: z.looseObject({ name: z.string().min(1) }) });

const pod = z.looseObject({ metadata: z.record(z.string(), z.unknown()), spec: z.record(z.string(), z.unknown()) });

const extenderArgs = z
  .looseObject({
    Pod: pod,
    /** Whole nodes: only when the scheduler is configured without `nodeCacheCapable`. */
    Nodes: z.looseObject({ items: z.array(namedObject) }).nullish(),
    /** Names alone: with `nodeCacheCapable: true`. */
    NodeNames: z.array(z.string()).nullish(),
  })
  .refine((args) => args.NodeNames != null || args.Nodes != null, {
    path: ["NodeNames"],
    message: "either NodeNames (nodeCacheCapable: true) or Nodes must be there",
  });

/** The question that kube-scheduler sends to filter and prioritize. */
export type ExtenderArgs = z.infer<typeof extenderArgs>;

/** The answer of filter. Without `NodeNames` every node would be refused, so it is always there. */
export interface ExtenderFilterResult {
  readonly NodeNames: readonly string[];
  /** Only if the question had `Nodes`. */
  readonly Nodes: { readonly items: readonly unknown[] } | null;
  /** Always empty: the scheduler would try preemption on these nodes. */
  readonly FailedNodes: Readonly<Record<string, string>>;
  /** Refused nodes with their reasons; preempting pods there would not help. */
  readonly FailedAndUnresolvableNodes: Readonly<Record<string, string>>;
  readonly Error: string;
}

/** One node's score, 0 (busy) to 10 (free). */
export interface HostPriority {
  readonly Host: string;
  readonly Score: number;
}

/** The answer of prioritize: a bare array. */
export type HostPriorityList = readonly HostPriority[];

/**
 * Reads ExtenderArgs.
 * @throws WireError that names every wrong place
 */
export function parseExtenderArgs(body: unknown): ExtenderArgs {
  const parsed = extenderArgs.safeParse(body);
  if (!parsed.success) throw wireError("ExtenderArgs (extender v1)", parsed.error.issues);
  return parsed.data;
}

/** The names of the nodes in the question, in either form that the scheduler uses. */
export function askedNodes(args: ExtenderArgs): readonly string[] {
  return args.NodeNames ?? args.Nodes?.items.map((node) => node.metadata.name) ?? [];
}

const metaVictims = z.object({
  Pods: z.array(z.object({ UID: z.string() })).nullish(),
  /** Pod disruption budgets that the eviction would violate. */
  NumPDBViolations: z.number().optional(),
});

const victims = z.looseObject({
  Pods: z.array(z.looseObject({ metadata: z.looseObject({ uid: z.string() }) })).nullish(),
  NumPDBViolations: z.number().optional(),
});

const preemptionArgs = z.looseObject({
  Pod: pod,
  /** Whole pods: only when the scheduler is configured without `nodeCacheCapable`. */
  NodeNameToVictims: z.record(z.string(), victims).nullish(),
  /** With `nodeCacheCapable: true`. */
  NodeNameToMetaVictims: z.record(z.string(), metaVictims).nullish(),
});

/** The pods of one node that would be evicted, by uid. */
export type MetaVictims = z.infer<typeof metaVictims>;

/** The question that kube-scheduler sends to preempt: the candidates among which it would choose. */
export type ExtenderPreemptionArgs = z.infer<typeof preemptionArgs>;

/** The candidates that are left. Without any, kube-scheduler evicts nothing and the pod waits. */
export interface ExtenderPreemptionResult {
  readonly NodeNameToMetaVictims: Readonly<Record<string, MetaVictims>>;
}

/**
 * Reads ExtenderPreemptionArgs.
 * @throws WireError that names every wrong place
 */
export function parseExtenderPreemptionArgs(body: unknown): ExtenderPreemptionArgs {
  const parsed = preemptionArgs.safeParse(body);
  if (!parsed.success) throw wireError("ExtenderPreemptionArgs (extender v1)", parsed.error.issues);
  return parsed.data;
}
