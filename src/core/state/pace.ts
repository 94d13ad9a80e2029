/** How closely Paceline paces a node at a moment. */
import { SECOND_MS } from "../measures.ts";
import type { NodeFacts } from "../facts.ts";
import type { ClusterState } from "./cluster-state.ts";
import { openedMs } from "./opening.ts";

export type Pace = "young" | "hot" | "settled";

/**
 * Young: open for less than youngForSeconds, or not open yet. Hot: its disk was, within the last seconds. A node that
 * the policy leaves out is neither.
 */
export function paceOf(state: ClusterState, facts: NodeFacts, nowMs: number): Pace {
  if (nowMs < youngUntilMs(state, facts)) return "young";
  const isHot = nowMs < (state.limits.get(facts.name)?.hotUntilMs ?? -Infinity);
  return isHot && !state.isLeftOut(facts) ? "hot" : "settled";
}

/** When a node stops being young, epoch ms; Infinity while it is closed. */
export function youngUntilMs(state: ClusterState, facts: NodeFacts): number {
  const { youngForSeconds } = state.policy;
  if (youngForSeconds === 0 || state.isLeftOut(facts)) return -Infinity;
  return (openedMs(facts) ?? Infinity) + youngForSeconds * SECOND_MS;
}

/**
 * Until when a node counts as one that joins, epoch ms: what keeps pods out goes in a moment. A closed node counts so
 * only for a while, because no demand may be hidden behind a node that never opens; one that is left out never does.
 */
export function joinsUntilMs(state: ClusterState, facts: NodeFacts): number {
  if (state.isLeftOut(facts)) return -Infinity;
  return (openedMs(facts) ?? facts.readySinceMs ?? facts.createdAtMs) + state.policy.youngForSeconds * SECOND_MS;
}
