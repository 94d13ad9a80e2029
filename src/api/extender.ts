/**
 * The scheduler extender protocol v1 (k8s.io/kube-scheduler/extender/v1). kube-scheduler sends the untagged names of
 * the Go fields. It ignores case in answers.
 */
import { z } from "zod";
import { wireError } from "./wire-error.ts";

const namedObject = z.looseObject({ metadata: z.looseObject({ name: z.string().min(1) }) });

const extenderArgs = z
  .looseObject({
    Pod: z.looseObject({ metadata: z.record(z.string(), z.unknown()), spec: z.record(z.string(), z.unknown()) }),
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
