/**
 * Measures how long work blocks this thread, in a way that depends neither on the load nor on the speed of the machine.
 */

/** CPU time of this thread, in ms. It does not grow while other programs use the machine. */
export function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

const SAMPLE = '{"metric":{"instance":"127.0.0.1"},"value":[1,"1"]},';
const MIB_OF_SAMPLES = `[${SAMPLE.repeat(Math.ceil(1_048_576 / SAMPLE.length)).slice(0, -1)}]`;
/**
 * Parsing 1 MiB took 7.5 ms on the machine where this was set, so 13 MiB take the 100 ms that a plan may take
 * (docs/budgets.md).
 */
const MOST_MIB = 13;

/**
 * The longest time that telemetry may delay a decision, in ms: the CPU time in which this machine parses {@link
 * MOST_MIB} of such an answer. Parsing a whole answer (64 MiB at most) in one piece takes far longer.
 */
export function longestWaitMs(): number {
  const times = Array.from({ length: 9 }, () => {
    const beganMs = threadCpuMs();
    JSON.parse(MIB_OF_SAMPLES);
    return threadCpuMs() - beganMs;
  });
  return MOST_MIB * (times.toSorted((a, b) => a - b)[4] ?? NaN);
}
