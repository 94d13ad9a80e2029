/**
 * The leader's next step: which pods go now, which stay and why, which fences change. Applying it twice changes
 * nothing.
 */
import type { SettledNodes } from "../placement/settled-nodes.ts";
import type { ClusterState } from "../state/cluster-state.ts";
import type { Plan, SetAside } from "../verdict.ts";
import { assignSlots } from "./assign-slots.ts";
import { beginRollCalls, planFences } from "./fences.ts";
import { releaseBegunGangs } from "./gangs.ts";
import { holdsOf } from "./hold-reasons.ts";
import { planOpeningNotes } from "./opening-notes.ts";
import { PlanBuilder } from "./plan-builder.ts";
import { releaseNearCap } from "./release-near-cap.ts";
import { claimRoom, releaseExempt, releasePastFences } from "./release-without-slot.ts";

export function makePlan(state: ClusterState, settled: SettledNodes, nowMs: number, aside?: SetAside): Plan {
  state.ledger.tellApart();
  const plan = new PlanBuilder(state, nowMs, aside);
  releaseExempt(plan);
  releaseNearCap(plan);
  claimRoom(plan);
  releasePastFences(plan);
  beginRollCalls(plan);
  releaseBegunGangs(plan);
  assignSlots(plan, settled);
  const fences = planFences(plan);
  fences.push(...planOpeningNotes(plan, new Set(fences.map(({ node }) => node.name))));
  const held = holdsOf(plan);
  return { releases: plan.releases, fences, held, wakeAtMs: plan.wakeAtMs };
}
