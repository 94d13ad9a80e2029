/**
 * Paceline's writes to pods and nodes. Every write is idempotent and returns whether it changed anything. It is
 * conditional: on uid and resourceVersion, or on the taint that it removes. If the API server refuses for another
 * reason, it rejects with ApiError, and the caller tries again later.
 */
import type { Operation } from "fast-json-patch";
import {
  COMPONENT,
  FENCE_TAINT_KEY,
  FENCED_AT_ANNOTATION,
  GATE,
  HOLD_ANNOTATION,
  RELEASE_ANNOTATION,
  RESERVATION_ANNOTATION,
  ROLL_CALL_ANNOTATION,
  ROLL_CALL_TAINT,
  YOUNG_TAINT_KEY,
} from "../../api/names.ts";
import type { HoldNote, PodFacts } from "../../core/facts.ts";
import type { NodeName } from "../../core/ids.ts";
import { fenceValue } from "../../core/rules/node-fence.ts";
import { fencedSinceMs } from "../../core/state/held-since.ts";
import { EVERY_FENCE, type FenceAction, type Opening, type Release } from "../../core/verdict.ts";
import { formatHold, formatRelease, formatReservation, parseReservation } from "../parse/annotations.ts";
import type { ApiClient } from "../client/api-client.ts";
import { isConflict, isNotFound, isPatchMismatch, isRefusal } from "../client/api-error.ts";
import { preferredTerms } from "../parse/facts.ts";
import { recordOf, recordsOf, textMapOf } from "../parse/kube-json.ts";
import type { KubeObject } from "../parse/kube-json.ts";
import type { Clock } from "../clock.ts";
import { isFenceTaint, isOurTaint, isYoungTaint, rollCallOf } from "../parse/roll-call.ts";
import { changesBetween } from "./patch-operations.ts";

/** The result of a write. `object` is the object as the API server has it now. */
export type Write =
  | { readonly kind: "changed"; readonly object: KubeObject }
  /** The object was as wanted already; nothing was written. */
  | { readonly kind: "unchanged"; readonly object: KubeObject }
  /** The object (this uid) no longer exists. */
  | { readonly kind: "gone" }
  /** Other clients keep writing to it: try again later. */
  | { readonly kind: "conflict" };

const BY_US = { fieldManager: COMPONENT };

/** Attempts to read and write one object before it is left for later. */
const ATTEMPTS = 3;

/**
 * Releases a pod with one write. It removes the gate and the hold; if the release names nodes or fences, it also
 * reserves the slots (annotation) and adds the tolerations for the fences, or for every fence. A pod that never had the
 * gate (it waits for a fenced node) gets only toleration and annotations. Where a policy refuses tolerations
 * (PodTolerationRestriction), it does with fewer.
 * @param clock dates the reservation when the request is sent: a slow attempt before it must not use up its time.
 */
export async function releasePod(client: ApiClient, release: Release, clock: Pick<Clock, "now">): Promise<Write> {
  const { gated, prefersNodes } = release.pod;
  const isSimple = fencesOf(release).length === 0 && steeredOf(release).length === 0;
  if (gated && isSimple && !(release.node !== undefined && prefersNodes)) {
    const write = await ungateAsSeen(client, release, clock.now());
    if (write.kind !== "conflict") return write;
  }
  try {
    return await rewriteReleased(client, release, clock);
  } catch (error) {
    const fewer = isRefusal(error) ? withFewerTolerations(release) : undefined;
    if (!fewer) throw error;
    return rewriteReleased(client, fewer, clock);
  }
}

/**
 * What is left of a release where a policy refuses tolerations; undefined: nothing. That of the soft taint is no more
 * than a hint. Without one for the fence the pod waits on, unless it goes whether a slot is free or not.
 */
function withFewerTolerations(release: Release): Release | undefined {
  const { pod, reason, message, note, others } = release;
  if (!pod.gated) return undefined;
  if (fencesOf(release).length === 0) {
    const unsteered = { ...release, steered: false, ...(others && { others: others.map(withoutSteer) }) };
    return steeredOf(release).length > 0 ? unsteered : undefined;
  }
  return reason === "SlotFree" ? undefined : { pod, node: undefined, fence: undefined, reason, message, note };
}

const withoutSteer = (opening: Opening): Opening => ({ ...opening, steered: false });

const rewriteReleased = (client: ApiClient, release: Release, clock: Pick<Clock, "now">): Promise<Write> =>
  rewrite(client, podPath(release.pod), release.pod.uid, (raw) => releaseOperations(raw, release, clock.now()));

/** Reads the pod as it is now, without writing. */
export async function lookAtPod(client: ApiClient, pod: PodFacts): Promise<Write> {
  const raw = await readOrGone(client, podPath(pod));
  return raw?.metadata?.uid === pod.uid ? { kind: "unchanged", object: raw } : { kind: "gone" };
}

/** One request, for a pod that has not changed since we saw it. */
function ungateAsSeen(client: ApiClient, release: Release, nowMs: number): Promise<Write> {
  const { pod } = release;
  const body = {
    metadata: { ...asSeen(pod), annotations: { [HOLD_ANNOTATION]: null, ...releaseAnnotations(release, nowMs) } },
    spec: {
      schedulingGates: [{ $patch: "delete", name: GATE }],
      ...(release.node !== undefined && {
        affinity: { nodeAffinity: { [PREFERRED]: preferencesFor(release) } },
      }),
    },
  };
  return attempt(() => client.patch(podPath(pod), body, "strategic", BY_US));
}

/** The nodes that the pod may take, as far as slots are reserved for it there. */
function openingsOf({ node, fence, steered, others = [] }: Release): readonly Opening[] {
  return node === undefined ? [] : [{ node, fence, ...(steered && { steered }) }, ...others];
}

/** Nodes whose soft taint the pod must tolerate. */
const steeredOf = (release: Release): readonly NodeName[] =>
  openingsOf(release)
    .filter(({ steered }) => steered)
    .map(({ node }) => node);

/** The fences that the pod must tolerate from now on. */
const fencesOf = ({ fence, others = [] }: Release): readonly string[] =>
  [fence, ...others.map((other) => other.fence)].filter((value) => value !== undefined);

const releaseAnnotations = ({ node, others = [], note }: Release, nowMs: number) => ({
  ...(node !== undefined && {
    [RESERVATION_ANNOTATION]: formatReservation(
      node,
      nowMs,
      others.map((other) => other.node),
    ),
  }),
  ...(note && { [RELEASE_ANNOTATION]: formatRelease(note) }),
});

/**
 * The operations that release the pod as it is now; none if nothing is left to do, or if it has got a slot since the
 * plan saw it: the next plan knows.
 */
function releaseOperations(raw: KubeObject, release: Release, nowMs: number): readonly Operation[] {
  const { pod } = release;
  const given = parseReservation(raw.metadata?.annotations?.[RESERVATION_ANNOTATION]);
  if (given !== undefined && given.atMs !== pod.reservation?.atMs) return [];
  const spec = recordOf(raw["spec"]);
  const gates = recordsOf(spec["schedulingGates"]);
  const tolerations = recordsOf(spec["tolerations"]);
  const isGated = gates.some((gate) => gate["name"] === GATE);
  const lacking = fencesOf(release).filter((fence) => !tolerations.some((one) => toleratesFence(one, fence)));
  const isPlaced = typeof spec["nodeName"] === "string" && spec["nodeName"] !== "";
  if (isPlaced || (!isGated && lacking.length === 0)) return [];

  const { [HOLD_ANNOTATION]: _hold, ...others } = textMapOf(raw.metadata?.annotations);
  const annotations = { ...others, ...releaseAnnotations(release, nowMs) };
  return changesBetween(raw, {
    annotations,
    spec: {
      schedulingGates: gates.filter((gate) => gate["name"] !== GATE),
      tolerations: [...tolerations, ...lacking.map(fenceToleration), ...steeredOf(release).map(youngToleration)],
      ...(isGated && preferred(spec, release)),
    },
  });
}

/** Only gated pods may get another affinity. */
const preferred = (spec: Readonly<Record<string, unknown>>, release: Release) =>
  release.node !== undefined && { affinity: affinityWith(spec, release) };

const PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution";

/**
 * Makes kube-scheduler prefer the node that has the slot. Of plugin NodeAffinity this is worth 200 points, as much as
 * spreading; no requirement, because the node may have filled up in between.
 */
const preferencesFor = (release: Release) =>
  openingsOf(release).map(({ node }) => ({
    weight: 100,
    preference: { matchFields: [{ key: "metadata.name", operator: "In", values: [node] }] },
  }));

function affinityWith(spec: Readonly<Record<string, unknown>>, release: Release): object {
  const affinity = recordOf(spec["affinity"]);
  const terms = [...preferredTerms(spec), ...preferencesFor(release)];
  return { ...affinity, nodeAffinity: { ...recordOf(affinity["nodeAffinity"]), [PREFERRED]: terms } };
}

const youngTaint = (value: string) => ({ key: YOUNG_TAINT_KEY, value, effect: "PreferNoSchedule" });

const youngToleration = (node: NodeName) => ({ operator: "Equal", ...youngTaint(fenceValue(node)) });

export const fenceTaint = (value: string, effect: "NoSchedule" | "PreferNoSchedule") => ({
  key: FENCE_TAINT_KEY,
  value,
  effect,
});

function fenceToleration(value: string) {
  if (value === EVERY_FENCE) return { key: FENCE_TAINT_KEY, operator: "Exists" };
  return { key: FENCE_TAINT_KEY, operator: "Equal", value, effect: "NoSchedule" };
}

function toleratesFence(toleration: Readonly<Record<string, unknown>>, value: string): boolean {
  if (toleration["key"] !== FENCE_TAINT_KEY) return false;
  return toleration["operator"] === "Exists" || toleration["value"] === value;
}

/** Updates the hold annotation; `conflict` if the pod has changed since it was seen. */
export async function annotateHold(client: ApiClient, pod: PodFacts, hold: HoldNote): Promise<Write> {
  const body = { metadata: { ...asSeen(pod), annotations: { [HOLD_ANNOTATION]: formatHold(hold) } } };
  return attempt(() => client.patch(podPath(pod), body, "merge", BY_US));
}

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

/**
 * Reads the object and writes the operations for it, on the condition that the object has not changed in between. Tries
 * again when it has.
 */
async function rewrite(
  client: ApiClient,
  path: string,
  uid: string,
  operationsFor: (raw: KubeObject) => readonly Operation[],
): Promise<Write> {
  for (let round = 0; round < ATTEMPTS; round++) {
    const raw = await readOrGone(client, path);
    if (raw?.metadata?.uid !== uid) return { kind: "gone" };
    const operations = operationsFor(raw);
    if (operations.length === 0) return { kind: "unchanged", object: raw };
    const write = await attempt(() => client.patch(path, operations, "json", BY_US));
    if (write.kind !== "conflict") return write;
  }
  return { kind: "conflict" };
}

async function attempt(send: () => Promise<KubeObject>): Promise<Write> {
  try {
    return { kind: "changed", object: await send() };
  } catch (error) {
    if (isNotFound(error)) return { kind: "gone" };
    if (isConflict(error) || isPatchMismatch(error)) return { kind: "conflict" };
    throw error;
  }
}

async function readOrGone(client: ApiClient, path: string): Promise<KubeObject | undefined> {
  try {
    return await client.get(path);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** In a merge patch, limits the write to this object in this version; otherwise the answer is 409. */
function asSeen(pod: PodFacts): { uid: string; resourceVersion: string } {
  return { uid: pod.uid, resourceVersion: pod.resourceVersion };
}

function podPath({ namespace, name }: PodFacts): string {
  return `/api/v1/namespaces/${namespace}/pods/${name}`;
}
