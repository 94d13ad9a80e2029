/** Compares large scenarios on several threads, since strategies are independent. */
import { availableParallelism } from "node:os";
import { compare, comparisonOf, type CompareOptions, type ComparisonRuns, podsOf, strategiesOf } from "./compare.ts";
import { runAll } from "./run-pool.ts";

/** Below this many pods, a thread costs more than it saves: it loads in about 0.3 s. Assumed. */
const WORTHWHILE_PODS = 2_000;
/** The most threads. There are never many strategies. */
const MOST_THREADS = 4;
/**
 * Above this many pods, the most threads. Two runs of 200,000 pods fit into 2 GiB (measured, bench/pacing-scale.ts).
 */
const MANY_PODS = 50_000;
const MOST_THREADS_OF_MANY = 2;
/**
 * Heap limit of one thread in MiB, per thousand pods and at least; without a limit V8 would let garbage pile up.
 * Paceline with 200,000 pods keeps about 320 MiB (measured after full collections), so collections can be rare.
 */
const HEAP_MIB_PER_1000_PODS = 4;
const LEAST_HEAP_MIB = 500;

/**
 * Does the same as {@link compare}, with the same result.
 * @param onRun called after each strategy with the number done and the number of all
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
  const runs = await runAll(
    strategies.map((strategy) => ({ ...options, strategy })),
    { threads, heapMib, onRun },
  );
  return comparisonOf(
    options,
    strategies.flatMap((strategy, at) => {
      const run = runs[at];
      return run ? [{ strategy, run }] : [];
    }),
  );
}
