/**
 * One run of the janitor: what is past its cap goes at once, and what reaches its cap before the next run goes at its
 * cap. The cluster is read once: what comes later is the next run's.
 */
import type { ApiClient } from "../kube/client/api-client.ts";
import { EVERY_FENCE } from "../core/verdict.ts";
import type { Caps } from "../policy/caps.ts";
import { dueOf, planSweep, sweep, type SweepPlan, type SweepResult, type SweepScope } from "./sweep.ts";

/** Looks for what has become due this often, ms. */
const LOOK_EVERY_MS = 500;

export interface RunClock {
  now(): number;
  wait(ms: number): Promise<void>;
}

export interface Ahead {
  /** The run ends after this time, ms. */
  readonly aheadMs: number;
  readonly leaderless: boolean;
}

/** @returns the results of every object; a plan in which nothing is left to wait for ends the run. */
export async function sweepAhead(
  client: ApiClient,
  scope: SweepScope,
  caps: Caps,
  { aheadMs, leaderless }: Ahead,
  clock: RunClock,
): Promise<SweepResult[]> {
  const beganMs = clock.now();
  let left: SweepPlan = await planSweep(client, scope, caps, { nowMs: beganMs, aheadMs, leaderless });
  const results: SweepResult[] = [];
  for (;;) {
    const nowMs = clock.now();
    const due = dueOf(left, caps, nowMs);
    results.push(...(await sweep(client, due, nowMs, EVERY_FENCE)));
    left = { ...left, pods: without(left.pods, due.pods), nodes: without(left.nodes, due.nodes) };
    if (left.pods.length + left.nodes.length === 0 || clock.now() >= beganMs + aheadMs) return results;
    await clock.wait(LOOK_EVERY_MS);
  }
}

function without<Item>(all: readonly Item[], some: readonly Item[]): Item[] {
  const gone = new Set(some);
  return all.filter((one) => !gone.has(one));
}
