/** Paceline's writes to nodes: fence, soft taint, and the cordon of a roll call. */
import type { Operation } from "fast-json-patch";
import {
  FENCE_TAINT_KEY,
  FENCED_AT_ANNOTATION,
  ROLL_CALL_ANNOTATION,
  ROLL_CALL_TAINT,
  YOUNG_TAINT_KEY,
} from "../../api/names.ts";
import type { NodeName } from "../../core/ids.ts";
import { fencedSinceMs } from "../../core/state/held-since.ts";
import type { FenceAction } from "../../core/verdict.ts";
import type { ApiClient } from "../client/api-client.ts";
import { type KubeObject, recordOf, recordsOf, textMapOf } from "../parse/kube-json.ts";
import { isFenceTaint, isOurTaint, isYoungTaint, rollCallOf } from "../parse/roll-call.ts";
import { rewrite, type Write } from "./conditional.ts";
import { changesBetween } from "./patch-operations.ts";

export const youngTaint = (value: string) => ({ key: YOUNG_TAINT_KEY, value, effect: "PreferNoSchedule" });

export const fenceTaint = (value: string, effect: "NoSchedule" | "PreferNoSchedule") => ({
  key: FENCE_TAINT_KEY,
  value,
  effect,
});

/**
 * Adopts a fence that another program added (a NodePool, the kubelet): gives it our value and effect. A
 * time without a leader must not make it last longer, so it counts from the node's creation at the latest.
 */
export function adoptFence(
  client: ApiClient,
  { node, value }: Extract<FenceAction, { kind: "adopt" }>,
): Promise<Write> {
  return rewriteNode(client, node, (raw) => {
    const annotations = {
      ...textMapOf(raw.metadata?.annotations),
      [FENCED_AT_ANNOTATION]: new Date(fencedSinceMs(node)).toISOString(),
    };
    return changeFence(raw, annotations, { fence: [fenceTaint(value, "NoSchedule")] });
  });
}

/** A node, to be written to. */
interface NodeKey {
  readonly name: NodeName;
  readonly uid: string;
}

/**
 * Removes the fence and its time from a node. If its roll call is open, the cordon is ours and goes with the same
 * write.
 * @param steer value of the soft taint that takes the fence's place, or undefined
 */
export function liftFence(client: ApiClient, node: NodeKey, steer?: string): Promise<Write> {
  return rewriteNode(client, node, (raw) => {
    const { [FENCED_AT_ANNOTATION]: _at, ...annotations } = textMapOf(raw.metadata?.annotations);
    const fence = steer === undefined || taintsOf(raw).some(isYoungTaint) ? [] : [youngTaint(steer)];
    const unschedulable = rollCallOf(raw)?.state === "open" ? false : undefined;
    return changeFence(raw, annotations, { fence, unschedulable });
  });
}

/** {@link liftFence}, and takes the soft taint off, too: nothing of ours stays. */
export function clearNode(client: ApiClient, node: NodeKey): Promise<Write> {
  return rewriteNode(client, node, (raw) => {
    const { [FENCED_AT_ANNOTATION]: _at, ...annotations } = textMapOf(raw.metadata?.annotations);
    const taints = taintsOf(raw).filter((taint) => !isOurTaint(taint));
    if (taints.length === taintsOf(raw).length) return [];
    const cordon = rollCallOf(raw)?.state === "open" ? { unschedulable: false } : {};
    return changesBetween(raw, { annotations, spec: { taints, ...cordon } });
  });
}

/** Puts the soft taint of young nodes on a node that has no fence. */
export function steerNode(client: ApiClient, { node, value }: Extract<FenceAction, { kind: "steer" }>): Promise<Write> {
  return rewriteNode(client, node, (raw) => {
    const taints = taintsOf(raw);
    return taints.some(isOurTaint) ? [] : changeTaints(raw, [...taints, youngTaint(value)]);
  });
}

/** Takes the soft taint off a node. */
export function unsteerNode(client: ApiClient, node: NodeKey): Promise<Write> {
  return rewriteNode(client, node, (raw) =>
    changeTaints(
      raw,
      taintsOf(raw).filter((taint) => !isYoungTaint(taint)),
    ),
  );
}

const taintsOf = (raw: KubeObject) => recordsOf(recordOf(raw["spec"])["taints"]);

const changeTaints = (raw: KubeObject, taints: readonly object[]) =>
  changesBetween(raw, { annotations: textMapOf(raw.metadata?.annotations), spec: { taints } });

/**
 * Puts a cordon in the fence's place, with one write, so that ordinary pods are kept out at every moment. The taint
 * stays with an effect that keeps nothing out, and a second one tells Cluster Autoscaler that the node is still to come
 * ({@link ROLL_CALL_TAINT}). A node with another cordon, or that has had its roll call, stays as it is.
 */
export function beginRollCall(
  client: ApiClient,
  { node, value }: Extract<FenceAction, { kind: "beginRollCall" }>,
  nowMs: number,
): Promise<Write> {
  return rewriteNode(client, node, (raw) => {
    const spec = recordOf(raw["spec"]);
    const isUp = recordsOf(spec["taints"]).some(
      ({ key, effect }) => key === FENCE_TAINT_KEY && effect === "NoSchedule",
    );
    if (!isUp || spec["unschedulable"] === true || rollCallOf(raw)) return [];
    const annotations = {
      ...textMapOf(raw.metadata?.annotations),
      [ROLL_CALL_ANNOTATION]: new Date(nowMs).toISOString(),
    };
    return changeFence(raw, annotations, {
      fence: [fenceTaint(value, "PreferNoSchedule"), ROLL_CALL_TAINT],
      unschedulable: true,
    });
  });
}

/** Puts the fence back in the place of the cordon, with one write. */
export function endRollCall(
  client: ApiClient,
  { node, value }: Extract<FenceAction, { kind: "endRollCall" }>,
): Promise<Write> {
  return rewriteNode(client, node, (raw) => {
    if (rollCallOf(raw)?.state !== "open") return [];
    const fence = [fenceTaint(value, "NoSchedule")];
    return changeFence(raw, textMapOf(raw.metadata?.annotations), { fence, unschedulable: false });
  });
}

/**
 * Replaces all taints of ours by those of `fence`, or removes them, and sets the cordon where a value for it is given.
 * A node without such a taint stays unchanged.
 */
function changeFence(
  raw: KubeObject,
  annotations: Readonly<Record<string, string>>,
  { fence = [], unschedulable }: { readonly fence?: readonly object[]; readonly unschedulable?: boolean | undefined },
): readonly Operation[] {
  const taints = taintsOf(raw);
  const others = taints.filter((taint) => !isFenceTaint(taint));
  if (others.length === taints.length) return [];
  const cordon = unschedulable === undefined ? {} : { unschedulable };
  return changesBetween(raw, { annotations, spec: { taints: [...others, ...fence], ...cordon } });
}

/** {@link rewrite} of a node. */
export const rewriteNode = (
  client: ApiClient,
  { name, uid }: { readonly name: NodeName; readonly uid: string },
  operationsFor: (raw: KubeObject) => readonly Operation[],
): Promise<Write> => rewrite(client, `/api/v1/nodes/${name}`, uid, operationsFor);
