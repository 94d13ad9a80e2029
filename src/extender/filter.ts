/**
 * Answers the scheduler's question "to which of these nodes may this pod go?". It answers from memory, because the
 * scheduler waits for the answer for every pod. Fails open: an unknown node is accepted, and an internal error accepts
 * every node.
 */
import { askedNodes, type ExtenderArgs, type ExtenderFilterResult } from "../api/extender.ts";
import type { PodFacts } from "../core/facts.ts";
import type { Pacer } from "../core/pacer.ts";
import type { ReplicaState } from "../core/verdict.ts";
import type { Hold, Offer } from "../core/verdict.ts";

/** Reads the pod inside ExtenderArgs. */
export type ToPodFacts = (raw: unknown, context: { readonly namespace: string }) => PodFacts;

/** The result of one question; for metrics and logs. */
export type FilterReport =
  | {
      readonly kind: "offer";
      readonly pod: PodFacts;
      readonly offer: Offer;
      readonly asked: number;
      readonly wholeNodes: boolean;
    }
  | { readonly kind: "failure"; readonly error: unknown };

export interface FilterOptions {
  readonly pacer: Pick<Pacer, "offer">;
  readonly toPodFacts: ToPodFacts;
  readonly replica: () => ReplicaState;
  readonly now: () => number;
  readonly report: (report: FilterReport) => void;
}

/** The pod's facts. The scheduler always names the namespace. */
export function podOf(args: Pick<ExtenderArgs, "Pod">, toPodFacts: ToPodFacts): PodFacts {
  const { namespace } = args.Pod.metadata;
  return toPodFacts(args.Pod, { namespace: typeof namespace === "string" ? namespace : "" });
}

/** Messages by node, as the scheduler shows them in FailedScheduling. */
function messagesOf(refused: ReadonlyMap<string, Hold>): Record<string, string> {
  const messages: Record<string, string> = {};
  for (const [node, hold] of refused) messages[node] = `${hold.reason}: ${hold.message}`;
  return messages;
}

/**
 * Shapes the answer. Refusals go to FailedAndUnresolvableNodes, never to FailedNodes: those are candidates for
 * preemption, and no pod may be evicted because of pacing (promise 5).
 */
function filterResult(
  args: ExtenderArgs,
  accepted: readonly string[],
  refused: ReadonlyMap<string, Hold>,
): ExtenderFilterResult {
  const keep = new Set(accepted);
  const items = args.NodeNames == null ? args.Nodes?.items.filter((node) => keep.has(node.metadata.name)) : undefined;
  return {
    NodeNames: accepted,
    Nodes: items === undefined ? null : { items },
    FailedNodes: {},
    FailedAndUnresolvableNodes: messagesOf(refused),
    Error: "",
  };
}

/** Makes the handler of `/scheduler/filter`. It never throws. */
export function schedulerFilter({ pacer, toPodFacts, replica, now, report }: FilterOptions) {
  return (args: ExtenderArgs): ExtenderFilterResult => {
    const asked = askedNodes(args);
    try {
      const pod = podOf(args, toPodFacts);
      const offer = pacer.offer(pod, asked, replica(), now());
      report({ kind: "offer", pod, offer, asked: asked.length, wholeNodes: args.NodeNames == null });
      return filterResult(args, offer.accepted, offer.refused);
    } catch (error) {
      // Fails open: the scheduler goes on as if Paceline were not there (promise 1).
      report({ kind: "failure", error });
      return filterResult(args, asked, new Map());
    }
  };
}
