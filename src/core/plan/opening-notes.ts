/** What the leader writes on nodes, so that the next one knows when they opened. */
import type { NodeName } from "../ids.ts";
import { neededNote } from "../state/opening.ts";
import type { FenceAction } from "../verdict.ts";
import type { PlanBuilder } from "./plan-builder.ts";

/** @param busy nodes to which the plan writes something else, which must come first */
export function planOpeningNotes({ state, nowMs }: PlanBuilder, busy: ReadonlySet<NodeName>): FenceAction[] {
  if (state.policy.mode !== "enforce") return []; // observe changes nothing
  const actions: FenceAction[] = [];
  for (const name of state.ledger.unnoted) {
    const node = busy.has(name) ? undefined : state.ledger.nodes.get(name)?.facts;
    const note = node && !state.isLeftOut(node) && neededNote(node, nowMs);
    if (note) actions.push({ kind: "note", node, note });
  }
  return actions;
}
