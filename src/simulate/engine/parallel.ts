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
import type { RunOptions, StrategyRun } from "./strategy.ts";

/** Below this a thread costs more than it saves (it loads in about 0.3 s). Assumed, in pods. */
const WORTHWHILE_PODS = 2_000;
/** Threads at most: there are never many strategies. */
const MOST_THREADS = 4;
/** Above so many pods, at most so many threads: what two runs of 200,000 pods need fits into 2 GiB (measured, bench/pacing-scale.ts). */
const MANY_PODS = 50_000;
const MOST_THREADS_OF_MANY = 2;
/**
 * Heap of one thread in MiB, where V8 would let garbage pile up: so much for each thousand pods, and at least. Paceline with 200,000
 * pods keeps about 320 MiB (measured: after full collections), so that there is room to put them off.
 */
const HEAP_MIB_PER_1000_PODS = 4;
const LEAST_HEAP_MIB = 500;

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
  const threads = Math.min(availableParallelism(), pods > MANY_PODS ? MOST_THREADS_OF_MANY : MOST_THREADS);
  const heapMib = Math.max(LEAST_HEAP_MIB, (pods / 1_000) * HEAP_MIB_PER_1000_PODS);
  const strategies = strategiesOf(options);
  const waiting = [...strategies];
  const done: DoneStrategy[] = [];
  const work = async () => {
    for (let strategy = waiting.shift(); strategy; strategy = waiting.shift()) {
      done.push({ strategy, run: await runOnThread({ ...options, strategy }, heapMib) });
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

function runOnThread(
  { scenario, strategy, seed, series, assumptions }: RunOptions,
  heapMib: number,
): Promise<StrategyRun> {
  const workerData: RunOptions = { scenario, strategy, seed, series, assumptions };
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("run-thread.ts", import.meta.url), {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: heapMib },
    });
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", (code) => {
      if (code !== 0) reject(new Error(`a thread of the simulation ended with code ${code}`));
    });
  });
}
