/** What a piece of work keeps others on this thread waiting for, measured so that neither a busy nor a slow machine counts. */

/** CPU time that this thread has spent, in ms: on a busy machine everything is late, but this does not grow by it. */
export function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

const SAMPLE = '{"metric":{"instance":"127.0.0.1"},"value":[1,"1"]},';
const MIB_OF_SAMPLES = `[${SAMPLE.repeat(Math.ceil(1_048_576 / SAMPLE.length)).slice(0, -1)}]`;
/** Parsing 1 MiB took 7.5 ms where this was set: 13 of them are the 100 ms that a plan may take (docs/budgets.md). */
const MOST_MIB = 13;

/**
 * The longest that telemetry's work may keep a decision waiting: the CPU time, in ms, in which this machine, now, parses
 * {@link MOST_MIB} of such an answer at once. Work that parses a whole answer (64 MiB at most) at once is far beyond it.
 */
export function longestWaitMs(): number {
  const times = Array.from({ length: 9 }, () => {
    const beganMs = threadCpuMs();
    JSON.parse(MIB_OF_SAMPLES);
    return threadCpuMs() - beganMs;
  });
  return MOST_MIB * (times.toSorted((a, b) => a - b)[4] ?? NaN);
}
