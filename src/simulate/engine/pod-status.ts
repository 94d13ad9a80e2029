/** A pod's status as its kubelet writes it, for the function that reads a real pod's. */
import { SECOND_MS } from "../model/constants.ts";
import type { ContainerStateView, ContainerView, PodView, TerminatedView } from "../model/types.ts";

/** The status of the API server's JSON. @param sandboxSinceMs when the sandbox last became ready, or ceased to be */
export function statusOf(view: PodView, sandboxSinceMs: number): Readonly<Record<string, unknown>> {
  const { sandboxReady, initialized, ready } = view;
  return {
    phase: view.phase,
    conditions: [
      { ...condition("PodReadyToStartContainers", sandboxReady), lastTransitionTime: timeText(sandboxSinceMs) },
      condition("Initialized", initialized),
      condition("ContainersReady", ready),
      condition("Ready", ready),
    ],
    initContainerStatuses: view.initContainers.map(containerStatus),
    containerStatuses: view.containers.map(containerStatus),
  };
}

const condition = (type: string, holds: boolean) => ({ type, status: holds ? "True" : "False" });

function containerStatus({ name, started, ready, restartCount, state, lastTerminated }: ContainerView): object {
  return {
    name,
    started,
    ready,
    restartCount,
    state: stateOf(state),
    lastState: lastTerminated ? { terminated: terminated(lastTerminated) } : {},
  };
}

function stateOf(state: ContainerStateView): object {
  if (state.kind === "waiting") return { waiting: state };
  if (state.kind === "running") return { running: { startedAt: timeText(state.startedAtMs) } };
  return { terminated: terminated(state) };
}

const terminated = (view: TerminatedView) => ({ ...view, finishedAt: timeText(view.finishedAtMs) });

/** The API server's times have whole seconds. */
const timeText = (ms: number) => new Date(Math.floor(ms / SECOND_MS) * SECOND_MS).toISOString();
