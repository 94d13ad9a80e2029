/**
 * One run of the janitor: what is past its cap goes at once, and what reaches its cap before the next run goes at its
 * cap. The cluster is read once: what comes later is the next run's.
 */
import type { ApiClient } from "../kube/client/api-client.ts";
import { EVERY_FENCE } from "../core/verdict.ts";
import type { Caps } from "../policy/caps.ts";
import type { NodeFacts, PodFacts } from "../core/facts.ts";
import { dueOf, planSweep, sweep, type SweepResult, type SweepScope } from "./sweep.ts";

/** Looks for what has become due this often, ms. */
const LOOK_EVERY_MS = 500;

/** Tries a write again after this long, ms. Assumed: an API server that has no time now should get some. */
const RETRY_MS = 2_000;

export interface RunClock {
  now(): number;
  wait(ms: number): Promise<void>;
}

export interface Ahead {
  /** The run ends after this time, ms. */
  readonly aheadMs: number;
  readonly leaderless: boolean;
}

/**
 * A write that failed, or was in conflict with others, is tried again until the run ends.
 * @returns the last result of every object; a plan in which nothing is left to wait for ends the run.
 */
export async function sweepAhead(
  client: ApiClient,
  scope: SweepScope,
  caps: Caps,
  { aheadMs, leaderless }: Ahead,
  clock: RunClock,
): Promise<SweepResult[]> {
  const beganMs = clock.now();
  const plan = await planSweep(client, scope, caps, { nowMs: beganMs, aheadMs, leaderless });
  const results = new Map<PodFacts | NodeFacts, SweepResult>();
  const triedMs = new Map<PodFacts | NodeFacts, number>();
  for (;;) {
    const nowMs = clock.now();
    const due = dueOf(plan, caps, nowMs);
    const isNext = (one: PodFacts | NodeFacts) =>
      !isOver(results.get(one)) && nowMs >= (triedMs.get(one) ?? -Infinity) + RETRY_MS;
    const next = { pods: due.pods.filter(isNext), nodes: due.nodes.filter(isNext) };
    const swept = await sweep(client, next, nowMs, EVERY_FENCE);
    for (const [at, one] of [...next.nodes, ...next.pods].entries()) {
      triedMs.set(one, nowMs);
      const result = swept[at];
      if (result) results.set(one, result);
    }
    const isDone = [...plan.pods, ...plan.nodes].every((one) => isOver(results.get(one)));
    if (isDone || clock.now() >= beganMs + aheadMs) return [...results.values()];
    await clock.wait(LOOK_EVERY_MS);
  }
}

const isOver = (result: SweepResult | undefined) =>
  result !== undefined && result.outcome !== "failed" && result.outcome !== "conflict";
