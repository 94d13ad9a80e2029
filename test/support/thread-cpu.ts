/** What a piece of work keeps others on this thread waiting for, measured so that a busy machine does not count. */

/** Longest that telemetry's work may keep a decision waiting, in ms; a handler's budget is 2 to 5, a plan's target 100. */
export const LONGEST_WAIT_MS = 100;

/** CPU time that this thread has spent, in ms: on a busy machine everything is late, but this does not grow by it. */
export function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
