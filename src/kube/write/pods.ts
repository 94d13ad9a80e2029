/** Paceline's writes to pods: releases, and notes on those that wait. */
import type { Operation } from "fast-json-patch";
import { FENCE_TAINT_KEY, GATE, HOLD_ANNOTATION, RELEASE_ANNOTATION, RESERVATION_ANNOTATION } from "../../api/names.ts";
import type { HoldNote, PodFacts } from "../../core/facts.ts";
import type { NodeName } from "../../core/ids.ts";
import { fenceValue } from "../../core/rules/node-fence.ts";
import { EVERY_FENCE, type Opening, type Release } from "../../core/verdict.ts";
import { formatHold, formatRelease, formatReservation, parseReservation } from "../parse/annotations.ts";
import type { ApiClient } from "../client/api-client.ts";
import { isRefusal } from "../client/api-error.ts";
import { preferredTerms } from "../parse/facts.ts";
import { type KubeObject, recordOf, recordsOf, textMapOf } from "../parse/kube-json.ts";
import type { Clock } from "../clock.ts";
import { attempt, BY_US, readOrGone, rewrite, type Write } from "./conditional.ts";
import { youngTaint } from "./nodes.ts";
import { changesBetween } from "./patch-operations.ts";

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

const youngToleration = (node: NodeName) => ({ operator: "Equal", ...youngTaint(fenceValue(node)) });

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

/** In a merge patch, limits the write to this object in this version; otherwise the answer is 409. */
function asSeen(pod: PodFacts): { uid: string; resourceVersion: string } {
  return { uid: pod.uid, resourceVersion: pod.resourceVersion };
}

function podPath({ namespace, name }: PodFacts): string {
  return `/api/v1/namespaces/${namespace}/pods/${name}`;
}
