/** Writes to nodes that open late: the fence before that, and the note of when it was. */
import { FENCED_AT_ANNOTATION, OPENED_ANNOTATION } from "../../api/names.ts";
import type { FenceAction } from "../../core/verdict.ts";
import type { ApiClient } from "../client/api-client.ts";
import { formatOpened } from "../parse/annotations.ts";
import { recordOf, recordsOf, textMapOf } from "../parse/kube-json.ts";
import { changesBetween } from "./patch-operations.ts";
import { isFenceTaint, isYoungTaint } from "../parse/roll-call.ts";
import type { Write } from "./conditional.ts";
import { fenceTaint, rewriteNode } from "./nodes.ts";

/** Writes when the node opened, or that it is closed. What else has changed of the node meanwhile does not matter. */
export function noteOpening(client: ApiClient, { node, note }: Extract<FenceAction, { kind: "note" }>): Promise<Write> {
  return rewriteNode(client, node, (raw) => {
    const annotations = { ...textMapOf(raw.metadata?.annotations), [OPENED_ANNOTATION]: formatOpened(note) };
    return changesBetween(raw, { annotations, spec: {} });
  });
}

/** Puts the fence up on a cordoned node. One that is open by now, or has a taint of Paceline, stays as it is. */
export function raiseFence(
  client: ApiClient,
  { node, value }: Extract<FenceAction, { kind: "raise" }>,
  nowMs: number,
): Promise<Write> {
  return rewriteNode(client, node, (raw) => {
    const spec = recordOf(raw["spec"]);
    const taints = recordsOf(spec["taints"]);
    if (spec["unschedulable"] !== true || taints.some(isFenceTaint)) return [];
    const others = taints.filter((taint) => !isYoungTaint(taint));
    const annotations = {
      ...textMapOf(raw.metadata?.annotations),
      [FENCED_AT_ANNOTATION]: new Date(nowMs).toISOString(),
    };
    return changesBetween(raw, { annotations, spec: { taints: [...others, fenceTaint(value, "NoSchedule")] } });
  });
}
