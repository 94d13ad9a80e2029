/** How closely Paceline paces a node at a moment. */
import { SECOND_MS } from "../measures.ts";
import type { NodeFacts } from "../facts.ts";
import type { ClusterState } from "./cluster-state.ts";
import { openedMs } from "./opening.ts";

export type Pace = "young" | "hot" | "settled";

/** Young: open for less than youngForSeconds, or not open yet. Hot: its disk was, within the last seconds. */
export function paceOf(state: ClusterState, facts: NodeFacts, nowMs: number): Pace {
  if (nowMs < youngUntilMs(state, facts)) return "young";
  return nowMs < (state.limits.get(facts.name)?.hotUntilMs ?? -Infinity) ? "hot" : "settled";
}

/** When a node stops being young, epoch ms; Infinity while it is closed. */
export function youngUntilMs({ policy: { youngForSeconds } }: ClusterState, facts: NodeFacts): number {
  if (youngForSeconds === 0) return -Infinity;
  return (openedMs(facts) ?? Infinity) + youngForSeconds * SECOND_MS;
}

/**
 * Until when a node counts as one that joins, epoch ms: what keeps pods out goes in a moment. A closed node counts so
 * only for a while, because no demand may be hidden behind a node that never opens.
 */
export const joinsUntilMs = ({ policy }: ClusterState, facts: NodeFacts): number =>
  (openedMs(facts) ?? facts.readySinceMs ?? facts.createdAtMs) + policy.youngForSeconds * SECOND_MS;
