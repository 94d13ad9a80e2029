/** The leader's next step: who goes now, who stays and why, which fences change. Applying it twice changes nothing. */
import type { Books } from "../state/cluster-state.ts";
import { planFences } from "./fences.ts";
import { claimRoom, sortWaiting } from "./release-without-slot.ts";
import { Draft } from "./plan-builder.ts";
import type { SettledRoom } from "../placement/nodes-with-room.ts";
import { spendSlots } from "./assign-slots.ts";
import type { Plan } from "../verdict.ts";
import { judgeWaiting } from "./hold-reasons.ts";

export function plan(books: Books, settled: SettledRoom, nowMs: number): Plan {
  const draft = new Draft(books, nowMs);
  sortWaiting(draft);
  claimRoom(draft, settled);
  const elsewhere = spendSlots(draft, settled);
  const fences = planFences(draft);
  const held = judgeWaiting(draft, elsewhere);
  return { releases: draft.releases, fences, held, wakeAtMs: draft.wakeAtMs };
}
