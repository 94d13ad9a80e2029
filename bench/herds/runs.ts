/** Runs every herd with every change under every strategy, on all cores. */
import { availableParallelism } from "node:os";
import { runAll } from "../../src/simulate/engine/run-pool.ts";
import type { Strategy, StrategyResult } from "../../src/simulate/engine/strategy.ts";
import type { Change } from "./changes.ts";
import { type Herd, UnusableInput } from "./herd.ts";

/** `none`, `paceline`, or `fixed:N`. */
export type StrategyName = "none" | "paceline" | `fixed:${number}`;

export const ALL_STRATEGIES: readonly StrategyName[] = ["none", "paceline", "fixed:3", "fixed:6"];

/** @throws UnusableInput if the text is none of the names */
export function strategyName(text: string): StrategyName {
  if (text === "none" || text === "paceline") return text;
  if (/^fixed:[1-9]\d{0,3}$/.test(text)) return text as StrategyName;
  throw new UnusableInput(`unknown strategy ${JSON.stringify(text)}; use none, paceline, or fixed:N such as fixed:3`);
}

/** What a strategy is judged by. */
export type Figures = Pick<
  StrategyResult,
  "failures" | "unreadyPods" | "makespanSeconds" | "meanReadySeconds" | "p95ReadySeconds" | "slowestDaemonSetSeconds"
> & {
  /** Starts that failed on the node: without startup probes, and without pulls that the kubelet refused. */
  readonly failedStarts: number;
};

/** One herd with one change and one seed, under every strategy. */
export interface Outcome {
  readonly herd: string;
  readonly change: string;
  readonly seed: number;
  readonly figures: Readonly<Partial<Record<StrategyName, Figures>>>;
}

export interface RunsOptions {
  readonly herds: readonly Herd[];
  readonly changes: readonly Change[];
  /** Every herd is run with seeds 1 to this. */
  readonly seeds: number;
  readonly strategies: readonly StrategyName[];
  readonly onRun?: (done: number, of: number) => void;
}

/** A herd of some hundred pods needs little. */
const HEAP_MIB = 500;

export async function runHerds({ herds, changes, seeds, strategies, onRun }: RunsOptions): Promise<readonly Outcome[]> {
  const cases = changes.flatMap(({ name: change, apply }) =>
    herds.flatMap((herd) => upTo(seeds).map((seed) => ({ herd: apply(herd), change, seed }))),
  );
  const runs = cases.flatMap(({ herd, seed }) =>
    strategies.map((name) => ({ ...herd, seed, strategy: strategyOf(name, herd) })),
  );
  const done = await runAll(runs, { threads: availableParallelism(), heapMib: HEAP_MIB, onRun });
  return cases.map(({ herd, change, seed }, at) => {
    const results = done.slice(at * strategies.length, (at + 1) * strategies.length);
    const figures = results.map(({ result }, which) => [strategies[which], figuresOf(result)] as const);
    return { herd: herd.name, change, seed, figures: Object.fromEntries(figures) as Outcome["figures"] };
  });
}

const upTo = (most: number) => Array.from({ length: most }, (_, at) => at + 1);

function strategyOf(name: StrategyName, { policy }: Herd): Strategy {
  if (name === "none") return { kind: name };
  if (name === "paceline") return { kind: name, policy };
  return { kind: "fixed", slots: Number(name.slice("fixed:".length)) };
}

/** Kinds in which the node's disk has no part, as far as the model tells. They are told apart. */
const NOT_ON_THE_NODE: readonly string[] = ["Crash", "ProbeFailure", "PullQpsExceeded"];

const failedStartsOf = (failures: StrategyResult["failures"]) =>
  Object.entries(failures).reduce((sum, [kind, count]) => sum + (NOT_ON_THE_NODE.includes(kind) ? 0 : count), 0);

const figuresOf = ({ failures, unreadyPods, ...rest }: StrategyResult): Figures => ({
  ...{ failedStarts: failedStartsOf(failures), failures, unreadyPods },
  makespanSeconds: rest.makespanSeconds,
  meanReadySeconds: rest.meanReadySeconds,
  p95ReadySeconds: rest.p95ReadySeconds,
  slowestDaemonSetSeconds: rest.slowestDaemonSetSeconds,
});
