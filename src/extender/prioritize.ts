/**
 * Answers the scheduler's question "which of these nodes is best?". Fails open: an internal error makes all nodes
 * equal.
 */
import { askedNodes, type ExtenderArgs, type HostPriorityList } from "../api/extender.ts";
import type { Pacer } from "../core/pacer.ts";
import { podOf, type ToPodFacts } from "./filter.ts";

/** Scores of the protocol go from 0 to 10; kube-scheduler does not check them. */
const MIN_SCORE = 0;
const MAX_SCORE = 10;

export interface PrioritizeOptions {
  readonly pacer: Pick<Pacer, "score">;
  readonly toPodFacts: ToPodFacts;
  readonly now: () => number;
  readonly report: (failure: { readonly kind: "failure"; readonly error: unknown }) => void;
}

/** The protocol allows whole numbers only: with a fraction kube-scheduler drops the whole answer. */
const wholeScore = (score: number) =>
  Number.isFinite(score) ? Math.min(MAX_SCORE, Math.max(MIN_SCORE, Math.round(score))) : MIN_SCORE;

/** Makes the handler of `/scheduler/prioritize`. It never throws. */
export function schedulerPrioritize({ pacer, toPodFacts, now, report }: PrioritizeOptions) {
  return (args: ExtenderArgs): HostPriorityList => {
    const asked = askedNodes(args);
    try {
      const scores = pacer.score(podOf(args, toPodFacts), asked, now());
      return asked.map((Host, index) => ({ Host, Score: wholeScore(scores[index] ?? MIN_SCORE) }));
    } catch (error) {
      // Fails open: without these scores the scheduler's own scores decide.
      report({ kind: "failure", error });
      return asked.map((Host) => ({ Host, Score: MIN_SCORE }));
    }
  };
}
