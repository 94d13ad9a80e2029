/** Makes the core's facts from the API server's JSON, for lists, watches and admission. No function here throws. */
import {
  FENCED_AT_ANNOTATION,
  GATE,
  HOLD_ANNOTATION,
  OPENED_ANNOTATION,
  RELEASE_ANNOTATION,
  RESERVATION_ANNOTATION,
} from "../../api/names.ts";
import type { NodeFacts, PodFacts } from "../../core/facts.ts";
import { imageName, nodeName, podUID } from "../../core/ids.ts";
import type { ImageName } from "../../core/ids.ts";
import { parseHold, parseOpened, parseRelease, parseReservation } from "./annotations.ts";
import { gangOf } from "./gang.ts";
import { recordOf, recordsOf, textMapOf, textOf, textsOf, timeOf } from "./kube-json.ts";
import type { KubeObject } from "./kube-json.ts";
import { fenceTaint, isYoungTaint, rollCallOf } from "./roll-call.ts";
import { podProgress } from "./pod-status.ts";
import { shapePod } from "./pod-shape.ts";
import { quantity, resources } from "./quantity.ts";
import type { ShapeInterner } from "./shape-interner.ts";
import { otherTaints } from "./tolerations.ts";

/** Values for fields that a pod under admission does not have yet. */
export interface PodDefaults {
  readonly namespace?: string | undefined;
  readonly createdAtMs?: number | undefined;
}

/** Facts of a pod. A pod under admission has uid, name and resourceVersion "". */
export function podFacts(raw: KubeObject, interner: ShapeInterner, defaults: PodDefaults = {}): PodFacts {
  const metadata = recordOf(raw.metadata);
  const spec = recordOf(raw["spec"]);
  const annotations = textMapOf(metadata["annotations"]);
  const gates = recordsOf(spec["schedulingGates"]).map((gate) => gate["name"]);
  const node = textOf(spec["nodeName"]);
  const { shape: fresh, pinnedTo, fencesTolerated } = shapePod(raw, defaults.namespace);
  const shape = interner.shape(fresh);
  const release = parseRelease(annotations[RELEASE_ANNOTATION]);
  const progress = podProgress(spec, recordOf(raw["status"]), metadata["generation"]);
  const gang = gangOf(spec, shape.labels, annotations, shape.namespace);
  return {
    uid: podUID(textOf(metadata["uid"])),
    namespace: shape.namespace,
    name: textOf(metadata["name"]),
    resourceVersion: textOf(metadata["resourceVersion"]),
    shape,
    givenShape: undefined, // the ledger fills it in: all pods keep one layout in memory
    pinnedTo: pinnedTo === undefined ? undefined : interner.text(pinnedTo),
    node: node === "" ? undefined : interner.text(nodeName(node)),
    createdAtMs: timeOf(metadata["creationTimestamp"]) ?? defaults.createdAtMs ?? 0,
    gated: gates.includes(GATE),
    gatedByOthers: gates.some((gate) => gate !== GATE),
    hold: parseHold(annotations[HOLD_ANNOTATION]),
    reservation: parseReservation(annotations[RESERVATION_ANNOTATION]),
    release,
    fencesTolerated: fencesTolerated.length === 0 ? NO_FENCES : fencesTolerated,
    ...(gang !== undefined && { gang: interner.text(gang) }),
    ...(preferredTerms(spec).length > 0 && { prefersNodes: true }),
    deleting: metadata["deletionTimestamp"] != null,
    ...progress,
    refused: progress.refused || (progress.unschedulable && release?.ungated === true),
  };
}

/** The terms of a pod's preferred node affinity. */
export const preferredTerms = (spec: Readonly<Record<string, unknown>>) =>
  recordsOf(recordOf(recordOf(spec["affinity"])["nodeAffinity"])["preferredDuringSchedulingIgnoredDuringExecution"]);

/** One shared list, because nearly every pod tolerates no fence. */
const NO_FENCES: readonly string[] = [];

/** Facts of a node. */
export function nodeFacts(raw: KubeObject, interner?: ShapeInterner): NodeFacts {
  const metadata = recordOf(raw.metadata);
  const spec = recordOf(raw["spec"]);
  const status = recordOf(raw["status"]);
  const ready = recordsOf(status["conditions"]).find((one) => one["type"] === "Ready");
  const isReady = ready?.["status"] === "True";
  const transitionMs = timeOf(ready?.["lastTransitionTime"]);
  const bootID = textOf(recordOf(status["nodeInfo"])["bootID"]);
  const openedNote = parseOpened(textMapOf(metadata["annotations"])[OPENED_ANNOTATION]);
  const address = recordsOf(status["addresses"]).find((one) => one["type"] === "InternalIP");
  return {
    name: nodeName(textOf(metadata["name"])),
    uid: textOf(metadata["uid"]),
    resourceVersion: textOf(metadata["resourceVersion"]),
    labels: textMapOf(metadata["labels"]),
    createdAtMs: timeOf(metadata["creationTimestamp"]) ?? 0,
    readySinceMs: isReady ? transitionMs : undefined,
    notReadySinceMs: isReady ? undefined : transitionMs,
    unschedulable: spec["unschedulable"] === true,
    ...(bootID !== "" && { bootID }),
    ...(openedNote && { openedNote }),
    taints: otherTaints(spec["taints"]),
    fence: fenceOf(raw),
    ...(recordsOf(spec["taints"]).some(isYoungTaint) && { steered: true }),
    allocatable: resources(status["allocatable"]),
    address: textOf(address?.["address"]) || undefined,
    images: nodeImages(status, interner),
    ...smallestListed(recordsOf(status["images"])),
    ...(minorOf(recordOf(status["nodeInfo"])["kubeletVersion"]) >= CHECKS_PULLS_MINOR && { checksPulls: true }),
  };
}

function fenceOf(raw: KubeObject): NodeFacts["fence"] {
  const taint = fenceTaint(raw);
  if (taint === undefined) return undefined;
  const sinceMs = timeOf(textMapOf(raw.metadata?.annotations)[FENCED_AT_ANNOTATION]) ?? timeOf(taint["timeAdded"]);
  const rollCall = rollCallOf(raw);
  // A fence with another effect does not work, whatever its value, so the leader must still adopt it. In a roll call a
  // cordon does its work.
  const works = taint["effect"] === "NoSchedule" || rollCall?.state === "open";
  return { value: works ? textOf(taint["value"]) : "", sinceMs, ...(rollCall && { rollCall }) };
}

function nodeImages(
  status: Readonly<Record<string, unknown>>,
  interner: ShapeInterner | undefined,
): ReadonlyMap<ImageName, number> {
  const sizes = new Map<ImageName, number>();
  for (const image of recordsOf(status["images"])) {
    const bytes = quantity(image["sizeBytes"]) ?? 0;
    for (const text of textsOf(image["names"])) {
      const name = imageName(text);
      sizes.set(interner?.text(name) ?? name, bytes);
    }
  }
  return sizes;
}

/** Entries of a full list. Source: kubelet, KubeletConfiguration.nodeStatusMaxImages. */
const MOST_IMAGES = 50;

/** A list of another length has another limit, or shows all there is. */
function smallestListed(images: readonly Readonly<Record<string, unknown>>[]): Partial<NodeFacts> {
  if (images.length !== MOST_IMAGES) return {};
  return { smallestListedBytes: Math.min(...images.map((image) => quantity(image["sizeBytes"]) ?? 0)) };
}

/** The first kubelet with KubeletEnsureSecretPulledImages on by default. Source: pkg/features/kube_features.go. */
const CHECKS_PULLS_MINOR = 35;

const minorOf = (version: unknown) => Number(/^v1\.(\d+)/.exec(textOf(version))?.[1] ?? 0);
