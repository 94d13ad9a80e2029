/** Compares the strategies on one scenario. */
import type { PacingPolicy } from "../../policy/schema.ts";
import type { Assumptions } from "../model/constants.ts";
import type { Scenario } from "../scenario/schema.ts";
import { runStrategy } from "./run.ts";
import { type Strategy, type StrategyResult, type StrategyRun } from "./strategy.ts";

export interface CompareOptions {
  readonly name: string;
  readonly scenario: Scenario;
  readonly policy: PacingPolicy;
  readonly seed: number;
  /** Records figures over time for the strategies that the report shows. */
  readonly series?: boolean | undefined;
  readonly assumptions?: Partial<Assumptions> | undefined;
}

/** A constant concurrency that was tried. */
export interface FixedTried {
  readonly n: number;
  readonly makespanSeconds: number;
  readonly startErrors: number;
  readonly meanReadySeconds: number;
}

export interface Comparison {
  readonly scenario: string;
  readonly seed: number;
  /** The lower bound, given the nodes on which Paceline's pods ended. */
  readonly boundSeconds: number;
  readonly strategies: {
    readonly none: StrategyResult;
    /** The constant concurrency that is best in hindsight: fewest failed starts, then the shortest makespan. */
    readonly "fixed:best": StrategyResult & { readonly n: number };
    readonly paceline: StrategyResult;
  };
  /** All constant concurrencies that were tried, oldest pod first. */
  readonly fixed: readonly FixedTried[];
}

export interface ComparisonRuns {
  readonly comparison: Comparison;
  readonly runs: Readonly<Record<keyof Comparison["strategies"], StrategyRun>>;
}

const upTo = (most: number) => Array.from({ length: most }, (_, at) => at + 1);
/**
 * Limits on the number of pods: every N is tried up to the first, then these, then a few, then one. A run of 20,000
 * pods takes seconds.
 */
const TRY_ALL_PODS = 300;
const TRY_SOME_PODS = 5_000;
const TRY_FEW_PODS = 50_000;
const SOME = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32];
const FEW = [4, 16];
const ONE = [6];

/** The constant concurrencies to try for a scenario with this many pods. */
export function triedSlots(pods: number): readonly number[] {
  if (pods <= TRY_ALL_PODS) return upTo(32);
  if (pods <= TRY_SOME_PODS) return SOME;
  return pods <= TRY_FEW_PODS ? FEW : ONE;
}

/** Pods that the scenario creates. */
export function podsOf({ workloads, nodes }: Scenario): number {
  const hosts = nodes.reduce((sum, node) => sum + (node.pods > 0 ? node.count : 0), 0);
  return workloads.reduce((sum, one) => sum + (one.kind === "DaemonSet" ? hosts : (one.replicas ?? 1)), 0);
}

/** All strategies to run, the slowest first. */
export function strategiesOf({ scenario, policy }: CompareOptions): readonly Strategy[] {
  const tried = triedSlots(podsOf(scenario));
  return [{ kind: "paceline", policy }, { kind: "none" }, ...tried.map((slots) => ({ kind: "fixed", slots }) as const)];
}

/** Runs them one after another. */
export function compare(options: CompareOptions): ComparisonRuns {
  return comparisonOf(
    options,
    strategiesOf(options).map((strategy) => ({ strategy, run: runStrategy({ ...options, strategy }) })),
  );
}

export interface DoneStrategy {
  readonly strategy: Strategy;
  readonly run: StrategyRun;
}

/** Sums up when all of {@link strategiesOf} have run. @throws Error when one is missing */
export function comparisonOf({ name, seed }: CompareOptions, done: readonly DoneStrategy[]): ComparisonRuns {
  const of = (kind: Strategy["kind"]): readonly Tried[] =>
    done.flatMap(({ strategy, run }) =>
      strategy.kind === kind ? [{ slots: "slots" in strategy ? strategy.slots : 0, run }] : [],
    );
  const none = least(of("none"), fewestFailuresThenMakespan).run;
  const paceline = least(of("paceline"), fewestFailuresThenMakespan).run;
  const best = least(of("fixed"), fewestFailuresThenMakespan);
  return {
    runs: { none, "fixed:best": best.run, paceline },
    comparison: {
      scenario: name,
      seed,
      boundSeconds: paceline.result.boundSeconds,
      strategies: {
        none: none.result,
        "fixed:best": { n: best.slots, ...best.run.result },
        paceline: paceline.result,
      },
      fixed: of("fixed").map(({ slots, run: { result } }) => ({
        n: slots,
        makespanSeconds: result.makespanSeconds,
        startErrors: result.startErrors,
        meanReadySeconds: result.meanReadySeconds,
      })),
    },
  };
}

interface Tried {
  readonly slots: number;
  readonly run: StrategyRun;
}

type Order = (a: StrategyResult, b: StrategyResult) => number;
const fewestFailuresThenMakespan: Order = (a, b) =>
  a.unreadyPods - b.unreadyPods || a.startErrors - b.startErrors || a.makespanSeconds - b.makespanSeconds;

function least(tried: readonly Tried[], order: Order): Tried {
  const [first, ...others] = tried;
  if (first === undefined) throw new Error("a strategy has not run");
  return others.reduce((best, one) => (order(one.run.result, best.run.result) < 0 ? one : best), first);
}
