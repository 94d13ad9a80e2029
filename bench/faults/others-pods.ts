/** Pods that others have a say in: of another scheduler, gated by Kueue as well, of a gang (issue 21). */
import type { Chance } from "./chance.ts";
import { CALM_MS } from "./late-openings.ts";
import { CHAOS_MS, NODES, SETTLED_NODES, type PodKind, type Step } from "./steps.ts";

/** Where these are, to be let go by Kueue so long after their creation. */
export const KUEUE_GATE = "kueue.x-k8s.io/admission";
export const GANG_LABEL = "scheduling.x-k8s.io/pod-group";
export const OTHER_SCHEDULER = "volcano";

/** Beside the chaos, and once more after all faults, on a node that has just joined. */
export function* othersPods(chance: Chance): Generator<Step> {
  for (const what of ["theirs", "kueue", "kueue", "gang"] satisfies PodKind[]) {
    const atMs = chance.between(3_000, CHAOS_MS * 0.7);
    const step = some(chance, what, atMs, chance.of([500, 3_000, 10_000]));
    if (chance.is(0.25)) yield step;
  }
  const last = some(chance, chance.of<PodKind>(["kueue", "gang"]), CALM_MS, 25_000);
  if (!chance.is(0.3)) return;
  yield { kind: "leave", atMs: CALM_MS - 8_000, node: last.node, backAfterMs: Infinity };
  yield { kind: "join", atMs: CALM_MS - 3_000, node: last.node, readyMs: 1_000, foreignFence: false };
  yield last;
}

function some(chance: Chance, what: PodKind, atMs: number, startMs: number) {
  const node = chance.whole(SETTLED_NODES, NODES - 1);
  const spreadMs = chance.of([0, 0, 4_000]);
  const letGoMs = chance.of([500, 20_000, 60_000]);
  return { kind: "pods", atMs, what, count: chance.whole(2, 12), node, startMs, spreadMs, letGoMs } as const;
}
