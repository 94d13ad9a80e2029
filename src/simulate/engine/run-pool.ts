/** Does many runs on several threads. Each thread does one run after another, because loading it takes about 0.3 s. */
import type { Worker } from "node:worker_threads";
import { startThread } from "./start-thread.ts";
import type { RunOptions, StrategyRun } from "./strategy.ts";

export interface PoolOptions {
  readonly threads: number;
  /** Heap limit of one thread; without a limit V8 would let garbage pile up. */
  readonly heapMib: number;
  /** Called after each run. */
  readonly onRun?: ((done: number, of: number) => void) | undefined;
}

/**
 * @returns the results in the order of `runs`
 * @throws the error of the first run that fails; the others end with it
 */
export async function runAll(runs: readonly RunOptions[], options: PoolOptions): Promise<readonly StrategyRun[]> {
  const results: StrategyRun[] = [];
  let next = 0;
  let done = 0;
  const workers: Worker[] = [];
  const lane = async () => {
    const worker = startThread({ resourceLimits: { maxOldGenerationSizeMb: options.heapMib } });
    workers.push(worker);
    for (let at = next++; at < runs.length; at = next++) {
      results[at] = await runOn(worker, onlyOptions(runs[at] as RunOptions));
      done += 1;
      options.onRun?.(done, runs.length);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(options.threads, runs.length) }, lane));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return results;
}

/** Without what callers add, such as functions, which no message can carry. */
const onlyOptions = ({ scenario, strategy, seed, series, assumptions, podTimes }: RunOptions): RunOptions => ({
  ...{ scenario, strategy, seed, series, assumptions, podTimes },
});

function runOn(worker: Worker, run: RunOptions): Promise<StrategyRun> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => reject(error);
    const ended = (code: number) => reject(new Error(`a thread of the simulation ended with code ${code}`));
    worker.once("error", failed);
    worker.once("exit", ended);
    worker.once("message", (result: StrategyRun) => {
      worker.off("error", failed);
      worker.off("exit", ended);
      resolve(result);
    });
    worker.postMessage(run);
  });
}
