/** Reads tolerations and taints, with those for the fence separate from all others. */
import { FENCE_TAINT_KEY, YOUNG_TAINT_KEY } from "../../api/names.ts";
import type { Taint, Toleration } from "../../core/facts.ts";
import { EVERY_FENCE } from "../../core/verdict.ts";
import { recordsOf, textOf } from "./kube-json.ts";
import { isOurTaint } from "./roll-call.ts";

export interface SortedTolerations {
  readonly tolerations: readonly Toleration[];
  /** Values of the tolerated fences, or {@link EVERY_FENCE}. */
  readonly fencesTolerated: readonly string[];
}

/** Reads `spec.tolerations`. A toleration for every key (key "", Exists) counts as both kinds. */
export function sortTolerations(raw: unknown): SortedTolerations {
  const tolerations: Toleration[] = [];
  const fences = new Set<string>();
  for (const one of recordsOf(raw)) {
    const toleration = parseToleration(one);
    if (toleration === undefined) continue;
    const fence = fenceTolerated(toleration);
    if (fence !== undefined) fences.add(fence);
    if (toleration.key !== FENCE_TAINT_KEY && toleration.key !== YOUNG_TAINT_KEY) tolerations.push(toleration);
  }
  return { tolerations, fencesTolerated: fences.has(EVERY_FENCE) ? [EVERY_FENCE] : [...fences] };
}

function parseToleration(raw: Readonly<Record<string, unknown>>): Toleration | undefined {
  const operator = textOf(raw["operator"]) || "Equal";
  // Operators of later versions (Gt, Lt) tolerate no taint that Paceline considers.
  if (operator !== "Exists" && operator !== "Equal") return undefined;
  return { key: textOf(raw["key"]), operator, value: textOf(raw["value"]), effect: textOf(raw["effect"]) };
}

function fenceTolerated({ key, operator, value, effect }: Toleration): string | undefined {
  if (effect !== "" && effect !== "NoSchedule") return undefined;
  if (operator === "Exists") return key === FENCE_TAINT_KEY || key === "" ? EVERY_FENCE : undefined;
  return key === FENCE_TAINT_KEY ? value : undefined;
}

const EFFECTS: readonly string[] = ["NoSchedule", "PreferNoSchedule", "NoExecute"] satisfies Taint["effect"][];

/** Reads `spec.taints` of a node, without those of Paceline. */
export function otherTaints(raw: unknown): readonly Taint[] {
  return recordsOf(raw)
    .filter((taint) => !isOurTaint(taint) && EFFECTS.includes(textOf(taint["effect"])))
    .map((taint) => ({
      key: textOf(taint["key"]),
      value: textOf(taint["value"]),
      effect: textOf(taint["effect"]) as Taint["effect"],
    }));
}
