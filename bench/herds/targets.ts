/** What Paceline must reach on the herds. */
import { type Figure } from "../figures.ts";
import type { Judgement } from "./judgement.ts";
import type { Outcome } from "./runs.ts";

/** The targets of the geometric means; of 90 herds, so many may be made worse. */
const AS_THEY_ARE = { allReady: 0.98, mean: 0.84, slowestDaemonSet: 1.2, worse: 15 };
const TOLERANT = { allReady: 0.95, mean: 0.83, slowestDaemonSet: undefined, worse: 5 };
const OF_HERDS = 90;

const atMost = (what: string, measured: number, value: number): Figure => ({
  ...{ what, measured, unit: "" },
  budget: { kind: "at most", value },
});

/** The verdict on the herds without a change. */
export function verdicts(paceline: Judgement, herds: number, daemonSetsTolerate: boolean): readonly Figure[] {
  const target = daemonSetsTolerate ? TOLERANT : AS_THEY_ARE;
  const { ratios, failedStarts, unreadyPods, herdsWorse } = paceline;
  const mostWorse = Math.floor((target.worse * herds) / OF_HERDS);
  return [
    atMost("failed starts", failedStarts, 0),
    atMost("pods that are never Ready, beyond none's", unreadyPods, 0),
    atMost("all Ready ÷ none, geometric mean", ratios.allReady.geometricMean, target.allReady),
    atMost("honest mean ÷ none, geometric mean", ratios.mean.geometricMean, target.mean),
    ...(target.slowestDaemonSet === undefined || Number.isNaN(ratios.slowestDaemonSet.geometricMean)
      ? []
      : [
          atMost(
            "slowest DaemonSet pod ÷ none, geometric mean",
            ratios.slowestDaemonSet.geometricMean,
            target.slowestDaemonSet,
          ),
        ]),
    atMost(`herds of ${herds} worse than none by more than 5 %`, herdsWorse.length, mostWorse),
  ];
}

/** The verdict on changed herds: no more failures than constant concurrency of three has. */
export function verdictsOfChanges(outcomes: readonly Outcome[]): readonly Figure[] {
  const failed = (name: "paceline" | "fixed:3") =>
    outcomes.reduce((sum, { figures }) => sum + (figures[name]?.failedStarts ?? 0), 0);
  const above = outcomes.map(
    ({ figures }) => (figures.paceline?.failedStarts ?? 0) - (figures["fixed:3"]?.failedStarts ?? 0),
  );
  return [
    atMost("failed starts in total, at most those of fixed:3", failed("paceline"), failed("fixed:3")),
    atMost("failed starts of a herd above fixed:3, at most", Math.max(0, ...above), 1),
  ];
}
