/**
 * What a start still needs of its node, read from the pod's own status. Only work holds a slot: a pod that waits for a
 * database, a Secret or its startup probe needs no disk.
 */
import type { PodFacts, PodStartup, StartingContainer } from "../facts.ts";
import { SECOND_MS } from "../measures.ts";

/**
 * `working`: the kubelet sets up its volumes and sandbox, pulls its images or creates its containers. `running`: all of
 * its containers run, a startup probe has yet to pass, and the cores are what it may need. `waiting`: it needs nothing
 * of the node now. `initialising`: it waits, too, but not for long yet, and images come after the init container.
 */
export type StartPhase = "working" | "running" | "initialising" | "waiting";

export interface PhaseAnswer {
  readonly phase: StartPhase;
  /** Until it changes by the mere passing of time, epoch ms; Infinity where only a new status changes it. */
  readonly untilMs: number;
}

/**
 * A start without visible progress counts as work for this long, ms. A volume that cannot be mounted looks the same for
 * ever. Assumed.
 */
const UNSEEN_WORK_MS = 60 * SECOND_MS;

/**
 * The disk serves others meanwhile: a pull takes this many times what its bytes alone need. Assumed, because a real
 * node showed creations of 138 to 166 s under load (shared/real-node.md).
 */
const PULL_SLACK = 2;

/** What the node says about how long unseen work may last. */
export interface Surroundings {
  /** Disk or cores are busy, as far as a fresh sample shows: creation may take long. */
  readonly isBusy: boolean;
  /** May a pod that runs need them? While they are busy, and where the policy counts every pod until it is Ready. */
  readonly cores: "needed" | "free" | "unknown";
  /** How long the disk needs for the image, by what was learnt, ms; 0 for one that is there. */
  readonly writeMs: (image: StartingContainer["image"]) => number;
  /** For so long after an init container began to run, the images that come after it are told of, ms. */
  readonly toldOfMs: number;
}

/** The phase of a pod that is bound and has not started. */
export function startPhase(pod: PodFacts, around: Surroundings, nowMs: number): PhaseAnswer {
  const { startup } = pod;
  const boundMs = pod.scheduledAtMs ?? pod.createdAtMs;
  if (pod.containersStarted) return whileRunning(boundMs, around, nowMs);
  if (!startup) return unseen(boundMs + UNSEEN_WORK_MS, around, nowMs);
  const turn = inTurn(startup.containers);
  if (!hasSandbox(startup)) return unseen(boundMs + makingMs(turn, around), around, nowMs);
  const beganMs = turnBeganMs(startup, boundMs);
  const unmade = turn.filter(({ state }) => state.kind === "waiting");
  if (unmade.length > 0) return unseen(beganMs + makingMs(unmade, around), around, nowMs);
  const alive = turn.find(({ state }) => state.kind !== "terminated");
  if (!alive) return answer("waiting"); // ended, and to be run again after a back-off
  // An init container that runs decides itself how long it takes.
  return alive.role === "app"
    ? whileRunning(beganMs, around, nowMs)
    : whileInitialising(beganMs + around.toldOfMs, nowMs);
}

/** How long these containers may be made without a sign of it, ms. */
function makingMs(containers: readonly StartingContainer[], { writeMs }: Surroundings): number {
  const images = new Set(containers.map(({ image }) => image));
  return [...images].reduce((sumMs, image) => sumMs + PULL_SLACK * writeMs(image), UNSEEN_WORK_MS);
}

const answer = (phase: StartPhase): PhaseAnswer => ({ phase, untilMs: Infinity });

function unseen(untilMs: number, { isBusy }: Surroundings, nowMs: number): PhaseAnswer {
  if (isBusy) return answer("working"); // a new sample asks again
  return nowMs < untilMs ? { phase: "working", untilMs } : answer("waiting");
}

const whileInitialising = (untilMs: number, nowMs: number): PhaseAnswer =>
  nowMs < untilMs ? { phase: "initialising", untilMs } : answer("waiting");

/** Cores of which nothing is known are taken for needed while most programs come up. */
function whileRunning(sinceMs: number, { cores }: Surroundings, nowMs: number): PhaseAnswer {
  if (cores !== "unknown") return answer(cores === "free" ? "waiting" : "running");
  const untilMs = sinceMs + UNSEEN_WORK_MS;
  return nowMs < untilMs ? { phase: "running", untilMs } : answer("waiting");
}

/**
 * Kubelets 1.29 to 1.35 say so late: with the first status after the containers whose turn it was were handled, images
 * and all. One before 1.29 does not say so, but a container with any state beyond waiting has one.
 */
export const hasSandbox = ({ sandboxReady, containers }: PodStartup) =>
  sandboxReady ?? containers.some(({ state }) => state.kind !== "waiting");

/** The containers whose turn it is: the first init container or sidecar that holds up the others, or all app ones. */
function inTurn(containers: readonly StartingContainer[]): readonly StartingContainer[] {
  const blocking = containers.find(({ role, state }) => {
    if (role === "init") return state.kind !== "terminated" || state.exitCode !== 0;
    return role === "sidecar" && state.kind !== "started";
  });
  return blocking ? [blocking] : containers.filter(({ role }) => role === "app");
}

/** When the turn began, as far as the status tells, epoch ms: the sandbox was made, or the container before ended. */
function turnBeganMs({ sandboxSinceMs, containers }: PodStartup, boundMs: number): number {
  let beganMs = Math.max(boundMs, sandboxSinceMs ?? -Infinity);
  for (const { state } of containers) {
    if (state.kind === "terminated") beganMs = Math.max(beganMs, state.atMs ?? -Infinity);
    else if (state.kind !== "waiting") beganMs = Math.max(beganMs, state.sinceMs ?? -Infinity);
  }
  return beganMs;
}
