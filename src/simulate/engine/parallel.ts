/** Compares large scenarios on several threads: strategies know nothing of each other. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import {
  compare,
  comparisonOf,
  type CompareOptions,
  type ComparisonRuns,
  type DoneStrategy,
  podsOf,
  strategiesOf,
} from "./compare.ts";
import type { RunOptions, StrategyRun } from "./run.ts";

/** Below this a thread costs more than it saves (it loads in about 0.3 s). Assumed, in pods. */
const WORTHWHILE_PODS = 2_000;
/** Above this, two runs at a time would take more memory than a run should (2 GiB). In pods. */
const MOST_PODS_AT_A_TIME = 50_000;
/** Threads at most: there are never many strategies. */
const MOST_THREADS = 4;
/**
 * Heap of one thread in MiB, where V8 would let garbage pile up. With 1,200, Paceline with 200,000 pods took 204 s where it took
 * 136 s with 2,500 (measured beside another run).
 */
const THREAD_HEAP_MIB = 1_600;

/**
 * The same as {@link compare}, with the same result.
 * @param onRun told of every strategy that has run: so many of all.
 */
export async function compareInParallel(
  options: CompareOptions,
  onRun?: (done: number, of: number) => void,
): Promise<ComparisonRuns> {
  const pods = podsOf(options.scenario);
  if (pods < WORTHWHILE_PODS) return compare(options);
  const threads = pods > MOST_PODS_AT_A_TIME ? 1 : Math.min(availableParallelism(), MOST_THREADS);
  const strategies = strategiesOf(options);
  const waiting = [...strategies];
  const done: DoneStrategy[] = [];
  const work = async () => {
    for (let strategy = waiting.shift(); strategy; strategy = waiting.shift()) {
      done.push({ strategy, run: await runOnThread({ ...options, strategy }) });
      onRun?.(done.length, strategies.length);
    }
  };
  await Promise.all(Array.from({ length: threads }, work));
  const order = strategies.map((strategy) => JSON.stringify(strategy));
  const place = ({ strategy }: DoneStrategy) => order.indexOf(JSON.stringify(strategy));
  return comparisonOf(
    options,
    done.sort((a, b) => place(a) - place(b)),
  );
}

function runOnThread({ scenario, strategy, seed, series, assumptions }: RunOptions): Promise<StrategyRun> {
  const workerData: RunOptions = { scenario, strategy, seed, series, assumptions };
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("run-thread.ts", import.meta.url), {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: THREAD_HEAP_MIB },
    });
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", (code) => {
      if (code !== 0) reject(new Error(`a thread of the simulation ended with code ${code}`));
    });
  });
}
