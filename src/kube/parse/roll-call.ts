/** Reads how far a node's roll call is, for facts and for writes. */
import { FENCE_TAINT_KEY, ROLL_CALL_ANNOTATION } from "../../api/names.ts";
import type { RollCall } from "../../core/facts.ts";
import { recordOf, recordsOf, textMapOf, timeOf } from "./kube-json.ts";
import type { KubeObject } from "./kube-json.ts";

/**
 * The node's roll call; undefined if it never had one. It is open only while everything that its beginning wrote is
 * there. Otherwise a cordon is somebody else's.
 */
export function rollCallOf(raw: KubeObject): RollCall | undefined {
  const at = textMapOf(raw.metadata?.annotations)[ROLL_CALL_ANNOTATION];
  if (at === undefined) return undefined;
  const spec = recordOf(raw["spec"]);
  const fence = recordsOf(spec["taints"]).find((one) => one["key"] === FENCE_TAINT_KEY);
  const isOpen = spec["unschedulable"] === true && fence?.["effect"] === "PreferNoSchedule";
  return { state: isOpen ? "open" : "done", sinceMs: timeOf(at) ?? 0 };
}
