/** How closely Paceline paces a node at a moment. */
import { SECOND_MS } from "../measures.ts";
import type { NodeFacts } from "../facts.ts";
import type { ClusterState } from "./cluster-state.ts";

export type Pace = "young" | "hot" | "settled";

/** Young: Ready (or created, until then) for less than youngForSeconds. Hot: its disk was, within the last seconds. */
export function paceOf(state: ClusterState, facts: NodeFacts, nowMs: number): Pace {
  if (nowMs < youngUntilMs(state, facts)) return "young";
  return nowMs < (state.limits.get(facts.name)?.hotUntilMs ?? -Infinity) ? "hot" : "settled";
}

/** When a node stops being young, epoch ms. */
export function youngUntilMs({ policy }: ClusterState, facts: NodeFacts): number {
  return (facts.readySinceMs ?? facts.createdAtMs) + policy.youngForSeconds * SECOND_MS;
}
