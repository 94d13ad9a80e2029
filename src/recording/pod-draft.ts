/** A pod while its records are read. */
import { imageName } from "../core/ids.ts";
import { GATE } from "../api/names.ts";
import { isRecord, type Json, ownerOf, recordOf, recordsOf, textOf, timeOf } from "../diagnose/json.ts";
import { shapePod } from "../kube/parse/pod-shape.ts";
import type { RecordedShape } from "./recording.ts";

export type Moment = "createdMs" | "boundMs" | "runningMs" | "startedMs" | "readyMs" | "endedMs";

/** Kubelets date Events and statuses so. */
export const wholeSecond = (ms: number) => Math.floor(ms / 1_000) * 1_000;

export class PodDraft {
  readonly namespace: string;
  readonly name: string;
  uid = "";
  shape: RecordedShape | undefined;
  node = "";
  createdMs: number | undefined;
  boundMs: number | undefined;
  runningMs: number | undefined;
  startedMs: number | undefined;
  /** A status told that it was not started yet, so that the next one is news. */
  wasUnstarted = false;
  readyMs: number | undefined;
  isEnded = false;
  endedMs: number | undefined;
  initSeconds: number | undefined;
  gated = false;
  isDone = false;
  /** Moments that are known to the ms, and not to the second. */
  readonly #exact = new Set<Moment>();

  constructor(namespace: string, name: string) {
    this.namespace = namespace;
    this.name = name;
  }

  /** The earliest time counts, and an exact one more than one in whole seconds. */
  at(moment: Moment, ms: number | undefined, isExact: boolean): void {
    if (ms === undefined) return;
    const before = this[moment];
    const wasExact = this.#exact.has(moment);
    if (before !== undefined && (wasExact === isExact ? before <= ms : wasExact)) return;
    this[moment] = ms;
    if (isExact) this.#exact.add(moment);
    if (this.#endIsAnother()) {
      this.endedMs = undefined;
      this.#exact.delete("endedMs");
    }
  }

  /** It ended before it was created: that was an earlier pod of the name, of which another file tells. */
  #endIsAnother(): boolean {
    const { createdMs, endedMs } = this;
    if (createdMs === undefined || endedMs === undefined) return false;
    return endedMs < (this.#exact.has("endedMs") ? createdMs : wholeSecond(createdMs));
  }

  /** Whether a further status can tell anything. */
  get isSettled(): boolean {
    return (this.readyMs !== undefined || this.isDone) && this.shape !== undefined && this.node !== "";
  }
}

/** Makes equal shapes one object: a template has many pods. */
export class Shapes {
  readonly #known = new Map<string, RecordedShape>();

  of(pod: Json): RecordedShape | undefined {
    const spec = recordOf(pod["spec"]);
    if (recordsOf(spec["containers"]).length === 0) return undefined;
    const shape = shapeOf(pod, spec);
    const key = JSON.stringify(shape);
    const known = this.#known.get(key);
    if (known) return known;
    // A part of a text keeps all of its line in memory.
    const own = JSON.parse(key) as RecordedShape;
    this.#known.set(key, own);
    return own;
  }
}

function shapeOf(pod: Json, spec: Json): RecordedShape {
  const metadata = recordOf(pod["metadata"]);
  const name = textOf(metadata["name"]) || textOf(metadata["generateName"]);
  const containers = recordsOf(spec["containers"]);
  const inits = recordsOf(spec["initContainers"]);
  const sidecars = inits.filter((one) => one["restartPolicy"] === "Always");
  const imagesOf = (some: readonly Json[]) => some.map((one) => textOf(one["image"])).filter((one) => one !== "");
  const { requests, priority, interPodRules } = shapePod(pod).shape;
  return {
    owner: ownerOf(metadata) || `Pod/${name}`,
    images: imagesOf([...sidecars, ...containers]).map(imageName),
    initImages: imagesOf(inits.filter((one) => !sidecars.includes(one))).map(imageName),
    requests,
    priority,
    toleratesEverything: recordsOf(spec["tolerations"]).some(isForEverything),
    hasStartupProbe: [...sidecars, ...containers].some((one) => isRecord(one["startupProbe"])),
    hasPlacementRules: interPodRules,
  };
}

const isForEverything = (toleration: Json) =>
  toleration["operator"] === "Exists" &&
  textOf(toleration["key"]) === "" &&
  ["", "NoSchedule"].includes(textOf(toleration["effect"]));

/** Takes in an object or a patch of a pod, as it was at `atMs`; `isExact`: the API server's own clock tells it. */
export function readPod(draft: PodDraft, pod: Json, atMs: number, isExact: boolean, shapes: Shapes): void {
  const metadata = recordOf(pod["metadata"]);
  const spec = recordOf(pod["spec"]);
  const status = recordOf(pod["status"]);
  draft.uid ||= copied(textOf(metadata["uid"]));
  draft.shape ??= shapes.of(pod);
  draft.node ||= copied(textOf(spec["nodeName"]));
  draft.at("createdMs", timeOf(metadata["creationTimestamp"]), false);
  draft.gated ||= recordsOf(spec["schedulingGates"]).some(({ name }) => name === GATE);
  draft.isDone ||= status["phase"] === "Succeeded";
  const conditions = recordsOf(status["conditions"]);
  readEnd(draft, metadata, status, isExact ? atMs : undefined);
  draft.at("boundMs", sinceTrue(conditions, "PodScheduled"), false);
  readRunning(draft, spec, status, atMs, isExact);
  draft.initSeconds ??= initSeconds(status);
  const readySince = sinceTrue(conditions, "Ready");
  if (isTrue(conditions, "Ready")) draft.at("readyMs", readySince, false);
  // A write that tells of a Ready that is older is no news of when.
  if (isExact && isTrue(conditions, "Ready") && isNews(readySince, atMs)) draft.at("readyMs", atMs, true);
}

/** An end that the pod did not come to by itself. `atMs`: when the API server had it, undefined for a dump. */
function readEnd(draft: PodDraft, metadata: Json, status: Json, atMs: number | undefined): void {
  const askedSince = sinceTrue(recordsOf(status["conditions"]), "DisruptionTarget");
  const goneMs = timeOf(metadata["deletionTimestamp"]);
  const graceMs = 1_000 * Number(metadata["deletionGracePeriodSeconds"] ?? 0);
  draft.at("endedMs", askedSince, false);
  draft.at("endedMs", goneMs === undefined ? undefined : goneMs - graceMs, false);
  // A pod whose containers failed by themselves has no reason of its own. Where its time ran out, that may be why.
  const isCutShort = status["phase"] === "Failed" && !["", "DeadlineExceeded"].includes(textOf(status["reason"]));
  if (isCutShort) draft.at("endedMs", atMs, true);
  draft.isEnded ||= isCutShort;
}

/** From the kubelet's clock, in whole seconds, until its write arrives. */
const NEWS_MS = 5_000;
const isNews = (sinceMs: number | undefined, atMs: number) => sinceMs === undefined || atMs - sinceMs < NEWS_MS;

/** Undefined until all of them have ended. */
function initSeconds(status: Json): number | undefined {
  const inits = recordsOf(status["initContainerStatuses"]).filter(({ state }) => !isRecord(recordOf(state)["running"]));
  const spans = inits.map(({ state }) => {
    const { startedAt, finishedAt } = recordOf(recordOf(state)["terminated"]);
    return (timeOf(finishedAt) ?? NaN) - (timeOf(startedAt) ?? NaN);
  });
  const sum = spans.reduce((total, ms) => total + ms, 0);
  return spans.length > 0 && sum >= 0 ? sum / 1_000 : undefined;
}

/** The moment at which the last of its containers ran; restarts of a container hide the first one. */
function readRunning(draft: PodDraft, spec: Json, status: Json, atMs: number, isExact: boolean): void {
  const statuses = recordsOf(status["containerStatuses"]);
  const wanted = Math.max(recordsOf(spec["containers"]).length, statuses.length);
  if (wanted === 0) return;
  const starts = statuses.map((one) => timeOf(recordOf(recordOf(one["state"])["running"])["startedAt"]));
  if (starts.length < wanted || starts.some((ms) => ms === undefined)) return;
  const lastMs = starts.reduce<number>((last, ms = 0) => Math.max(last, ms), -Infinity);
  draft.at("runningMs", lastMs, false);
  if (!isExact) return;
  if (isNews(lastMs, atMs)) draft.at("runningMs", atMs, true);
  const isStarted = statuses.every(({ started }) => started === true);
  draft.wasUnstarted ||= !isStarted;
  if (isStarted && (draft.wasUnstarted || isNews(lastMs, atMs))) draft.at("startedMs", atMs, true);
}

const conditionOf = (conditions: readonly Json[], type: string) =>
  conditions.find((one) => one["type"] === type && one["status"] === "True");
const isTrue = (conditions: readonly Json[], type: string) => conditionOf(conditions, type) !== undefined;
const sinceTrue = (conditions: readonly Json[], type: string) =>
  timeOf(conditionOf(conditions, type)?.["lastTransitionTime"]);

/** A part of a text keeps all of it in memory. */
export const copied = (text: string) => Buffer.from(text, "utf8").toString("utf8");
