/** The leader's next step: who goes now, who stays and why, which fences change. Applying it twice changes nothing. */
import type { Books } from "./books.ts";
import { planFences } from "./fences.ts";
import { claimRoom, sortWaiting } from "./held.ts";
import { Draft } from "./draft.ts";
import type { SettledRoom } from "./places.ts";
import { spendSlots } from "./spend.ts";
import type { Plan } from "./verdict.ts";
import { judgeWaiting } from "./waiting-holds.ts";

export function plan(books: Books, settled: SettledRoom, nowMs: number): Plan {
  const draft = new Draft(books, nowMs);
  sortWaiting(draft);
  claimRoom(draft, settled);
  const elsewhere = spendSlots(draft, settled);
  const fences = planFences(draft);
  const held = judgeWaiting(draft, elsewhere);
  return { releases: draft.releases, fences, held, wakeAtMs: draft.wakeAtMs };
}
