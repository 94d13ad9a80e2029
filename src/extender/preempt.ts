/**
 * Answers the scheduler's question "may these pods be evicted for this one?": none while a paced node has room for it,
 * otherwise those that it has chosen. Fails open: an internal error lets it go on as if Paceline were not there.
 */
import type { ExtenderPreemptionArgs, ExtenderPreemptionResult, MetaVictims } from "../api/extender.ts";
import type { PodFacts } from "../core/facts.ts";
import type { NodeName } from "../core/ids.ts";
import type { Pacer } from "../core/pacer.ts";
import type { ReplicaState } from "../core/verdict.ts";
import { podOf, type ToPodFacts } from "./filter.ts";

/** The result of one question; for logs. */
export type PreemptReport =
  | { readonly kind: "answer"; readonly pod: PodFacts; readonly roomOn: NodeName | undefined; readonly nodes: number }
  | { readonly kind: "failure"; readonly error: unknown };

export interface PreemptOptions {
  readonly pacer: Pick<Pacer, "roomBehindPacing">;
  readonly toPodFacts: ToPodFacts;
  readonly replica: () => ReplicaState;
  readonly now: () => number;
  readonly report: (report: PreemptReport) => void;
}

/** The scheduler's choice, as it came. It sends whole pods where it is configured without `nodeCacheCapable`. */
function chosenVictims(args: ExtenderPreemptionArgs): Readonly<Record<string, MetaVictims>> {
  if (args.NodeNameToMetaVictims != null) return args.NodeNameToMetaVictims;
  const named = Object.entries(args.NodeNameToVictims ?? {}).map(([node, { Pods, NumPDBViolations }]) => {
    const pods = (Pods ?? []).map(({ metadata }) => ({ UID: metadata.uid }));
    return [node, { Pods: pods, NumPDBViolations }] as const;
  });
  return Object.fromEntries(named);
}

/** Makes the handler of `/scheduler/preempt`. It never throws. */
export function schedulerPreempt({ pacer, toPodFacts, replica, now, report }: PreemptOptions) {
  return (args: ExtenderPreemptionArgs): ExtenderPreemptionResult => {
    const chosen = chosenVictims(args);
    try {
      const pod = podOf(args, toPodFacts);
      const roomOn = pacer.roomBehindPacing(pod, replica(), now());
      report({ kind: "answer", pod, roomOn, nodes: Object.keys(chosen).length });
      return { NodeNameToMetaVictims: roomOn === undefined ? chosen : {} };
    } catch (error) {
      report({ kind: "failure", error });
      return { NodeNameToMetaVictims: chosen };
    }
  };
}
