/** Reads the fence of a node and how far its roll call is, for facts and for writes. */
import { FENCE_TAINT_KEY, ROLL_CALL_ANNOTATION, ROLL_CALL_TAINT, YOUNG_TAINT_KEY } from "../../api/names.ts";
import type { RollCall } from "../../core/facts.ts";
import { recordOf, recordsOf, textMapOf, timeOf } from "./kube-json.ts";
import type { KubeObject } from "./kube-json.ts";

type RawTaint = Readonly<Record<string, unknown>>;

const isRollCallTaint = ({ key, value, effect }: RawTaint): boolean =>
  key === ROLL_CALL_TAINT.key && value === ROLL_CALL_TAINT.value && effect === ROLL_CALL_TAINT.effect;

/** A taint that Paceline puts on nodes in the course of a fence and takes off again. */
export const isFenceTaint = (taint: RawTaint): boolean => taint["key"] === FENCE_TAINT_KEY || isRollCallTaint(taint);

/** The soft taint of a young node whose fence is down. */
export const isYoungTaint = ({ key }: RawTaint): boolean => key === YOUNG_TAINT_KEY;

/** A taint that Paceline puts on nodes and takes off again. */
export const isOurTaint = (taint: RawTaint): boolean => isFenceTaint(taint) || isYoungTaint(taint);

/**
 * The taint that stands for the fence. Where the fence was removed during a roll call, the roll call's own taint does,
 * so that the cordon does not stay.
 */
export function fenceTaint(raw: KubeObject): RawTaint | undefined {
  const taints = recordsOf(recordOf(raw["spec"])["taints"]);
  return taints.find(({ key }) => key === FENCE_TAINT_KEY) ?? taints.find(isRollCallTaint);
}

/**
 * The node's roll call; undefined if it never had one. It is open only while cordon and taint are as its beginning
 * wrote them. Every other cordon is not ours.
 */
export function rollCallOf(raw: KubeObject): RollCall | undefined {
  const at = textMapOf(raw.metadata?.annotations)[ROLL_CALL_ANNOTATION];
  if (at === undefined) return undefined;
  const isCordoned = recordOf(raw["spec"])["unschedulable"] === true;
  const isOpen = isCordoned && fenceTaint(raw)?.["effect"] === "PreferNoSchedule";
  return { state: isOpen ? "open" : "done", sinceMs: timeOf(at) ?? 0 };
}
