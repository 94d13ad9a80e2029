/** A pod's status as a kubelet writes it. */
import { createHash } from "node:crypto";
import type { ContainerView, PodView, TerminatedView } from "../../src/simulate/model/types.ts";

/** RFC 3339 with whole seconds, as metav1.Time is written. */
export function apiTime(ms: number): string {
  return new Date(Math.floor(ms / 1_000) * 1_000).toISOString().replace(".000Z", "Z");
}

/** The part of a pod's status that the model does not have. */
export interface PodPlace {
  readonly hostIP: string;
  readonly podIP: string;
  readonly startedMs: number;
  /** The API server's clock at a time of the model, epoch ms. */
  readonly wallMs: (modelMs: number) => number;
}

/** The conditions a kubelet keeps; PodScheduled is the scheduler's. */
const conditionTypes = ["PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"] as const;
type ConditionType = (typeof conditionTypes)[number];

/** The time since which each condition is unchanged; kept for each pod over its life. */
export type ConditionTimes = Map<ConditionType, { readonly status: boolean; readonly sinceMs: number }>;

/** Body of a strategic merge patch of pods/status (`conditions` merge by type, both lists of statuses replace). */
export function podStatusPatch(
  uid: string,
  view: PodView,
  place: PodPlace,
  times: ConditionTimes,
  nowMs: number,
): object {
  const { hostIP, podIP } = place;
  const network = view.sandboxReady ? { podIP, podIPs: [{ ip: podIP }] } : {};
  return {
    metadata: { uid },
    status: {
      phase: view.phase,
      hostIP,
      hostIPs: [{ ip: hostIP }],
      ...network,
      startTime: apiTime(place.startedMs),
      conditions: conditionTypes.map((type) => condition(type, view, times, nowMs)),
      initContainerStatuses: view.initContainers.map((container) => containerStatus(container, place)),
      containerStatuses: view.containers.map((container) => containerStatus(container, place)),
    },
  };
}

function condition(type: ConditionType, view: PodView, times: ConditionTimes, nowMs: number): object {
  const status = holds(type, view);
  const before = times.get(type);
  const since = before?.status === status ? before : { status, sinceMs: nowMs };
  times.set(type, since);
  const needsContainers = type === "ContainersReady" || type === "Ready";
  return {
    type,
    status: status ? "True" : "False",
    lastProbeTime: null,
    lastTransitionTime: apiTime(since.sinceMs),
    // Explicit nulls: a strategic merge must remove what an earlier patch set.
    reason: needsContainers && !status ? "ContainersNotReady" : null,
    message: needsContainers && !status ? `containers with unready status: [${unready(view)}]` : null,
  };
}

function holds(type: ConditionType, view: PodView): boolean {
  if (type === "Initialized") return view.initialized;
  return type === "PodReadyToStartContainers" ? view.sandboxReady : view.ready;
}

function unready(view: PodView): string {
  return view.containers
    .filter((container) => !container.ready)
    .map((container) => container.name)
    .join(" ");
}

function containerStatus(view: ContainerView, place: PodPlace): object {
  const { name, image, started, ready, restartCount, containerId, lastTerminated } = view;
  return {
    name,
    image,
    imageID: containerId === "" ? "" : imageId(image),
    ...(containerId === "" ? {} : { containerID: `containerd://${containerId}` }),
    started,
    ready,
    restartCount,
    state: state(view, place),
    lastState: lastTerminated === undefined ? {} : { terminated: terminated(lastTerminated, place) },
  };
}

function state({ state: of }: ContainerView, place: PodPlace): object {
  if (of.kind === "running") return { running: { startedAt: apiTime(place.wallMs(of.startedAtMs)) } };
  if (of.kind === "terminated") return { terminated: terminated(of, place) };
  return { waiting: of.message === undefined ? { reason: of.reason } : { reason: of.reason, message: of.message } };
}

/** A start that failed has no start time: containerd's zero shows as 1970. */
function terminated(view: TerminatedView, place: PodPlace): object {
  const { reason, exitCode, message, startedAtMs, finishedAtMs, containerId } = view;
  return {
    reason,
    exitCode,
    ...(message === undefined ? {} : { message }),
    startedAt: apiTime(startedAtMs === 0 ? 0 : place.wallMs(startedAtMs)),
    finishedAt: apiTime(place.wallMs(finishedAtMs)),
    containerID: `containerd://${containerId}`,
  };
}

/** A reference by digest, as containerd resolves it; the digest is made from the name. */
export function imageId(image: string): string {
  return `${withoutTag(image)}@sha256:${createHash("sha256").update(image).digest("hex")}`;
}

function withoutTag(image: string): string {
  const named = image.split("@")[0] ?? image;
  const colon = named.lastIndexOf(":");
  return colon > named.lastIndexOf("/") ? named.slice(0, colon) : named;
}
