/**
 * Decides when to ask which node: every young or hot node in each round, all others once in a rotation. The requests of
 * a round are spread evenly over most of its interval, always in the same order. So there is no storm, and each node is
 * asked at even intervals. At most one request for each node is in flight, and a bounded number in all. Nodes that
 * failed lately are asked less and less often and in a separate lane, so a thousand dead nodes delay no living one.
 */
import type { NodeName } from "../core/ids.ts";
import { type Lane, createLane } from "./round-lane.ts";
import type { TelemetryRound, TelemetryTarget } from "./source.ts";

/**
 * Requests in flight at a time. Assumed: at 5 ms each enough for 50,000 a second, and few enough sockets for a process.
 */
const MAX_IN_FLIGHT = 256;
/** Of these, requests to nodes that failed twice or more in a row; each may wait for its whole time-out. */
const MAX_AILING_IN_FLIGHT = 64;
/** The start of a round differs by up to this share of the interval, so that replicas do not act in step. */
const JITTER = 0.1;
/** Share of the interval over which the requests are spread; the rest is for the last answers. */
const SPREAD = 0.75;
/** Time between two checks of what is due, in ms; short compared with the shortest interval (250 ms). */
const TICK_MS = 20;
/** A node that failed is left out for up to so many rounds: with the usual 1.5 s for 6 s at most. */
const MAX_ROUNDS_LEFT_OUT = 4;

export interface RoundsOptions {
  readonly intervalMs: number;
  /** Time in which every node that is not paced is asked once, in ms. */
  readonly rotationMs: number;
  /** Requests in flight at a time. */
  readonly maxInFlight?: number;
  /** Share of the interval over which a round is spread, 0 (at once) to 1. */
  readonly spread?: number;
  readonly targets: () => readonly TelemetryTarget[];
  /** Asks one node and returns whether it answered. Must not reject. */
  readonly ask: (target: TelemetryTarget) => Promise<boolean>;
  /** Called at the start of each round with the names that still exist. */
  readonly beforeRound?: (existing: ReadonlySet<NodeName>) => void;
  /** Called when every request of a round has its answer. */
  readonly onRound?: ((round: TelemetryRound) => void) | undefined;
  /** A monotonic clock, in ms. */
  readonly steadyNow: () => number;
  /** 0 to 1, for jitter. */
  readonly random?: () => number;
}

/** The targets of one round: the paced nodes, then the next few of the others from `cursor` on. */
export function roundTargets(targets: readonly TelemetryTarget[], cursor: number, share: number) {
  const paced = targets.filter((target) => target.paced);
  const others = targets.filter((target) => !target.paced);
  const count = Math.min(others.length, Math.ceil(others.length * share));
  const turn = Array.from({ length: count }, (_, index) => others[(cursor + index) % others.length]);
  return { round: [...paced, ...turn.filter((target) => target !== undefined)], cursor: cursor + count };
}

/** How often each node failed in a row, and until which round it is left out. */
type Ailing = Map<NodeName, { readonly failures: number; readonly untilRound: number }>;

function noteAnswer(ailing: Ailing, name: NodeName, answered: boolean, round: number): void {
  if (answered) {
    ailing.delete(name);
    return;
  }
  const failures = (ailing.get(name)?.failures ?? 0) + 1;
  const leftOut = Math.min(MAX_ROUNDS_LEFT_OUT, 2 ** (failures - 1));
  ailing.set(name, { failures, untilRound: round + leftOut });
}

/** Starts the rounds. @returns a function that ends them and resolves when nothing is in flight */
export function startRounds(options: RoundsOptions): () => Promise<void> {
  const { intervalMs, rotationMs, targets, steadyNow, random = Math.random, spread = SPREAD } = options;
  const ailing: Ailing = new Map();
  let [cursor, round] = [0, 0];
  let timer: NodeJS.Timeout | undefined;
  const ask = async (target: TelemetryTarget, inRound: number) => {
    const answered = await options.ask(target);
    noteAnswer(ailing, target.name, answered, inRound);
  };
  // Checked when a node's turn comes, not when the round begins: the last of the round before have answered by then.
  const isBusy = (name: NodeName): boolean => well.isAsking(name) || sick.isAsking(name);
  const { maxInFlight = MAX_IN_FLIGHT } = options;
  const well = createLane({ maxInFlight, steadyNow, ask, isBusy });
  const sick = createLane({ maxInFlight: Math.min(MAX_AILING_IN_FLIGHT, maxInFlight), steadyNow, ask, isBusy });
  const isAiling = ({ name }: TelemetryTarget) => (ailing.get(name)?.failures ?? 0) > 1;
  const dueSince = ({ name }: TelemetryTarget) => ailing.get(name)?.untilRound ?? 0;
  const longestWaiting = (a: TelemetryTarget, b: TelemetryTarget) => dueSince(a) - dueSince(b);
  const isDue = (target: TelemetryTarget) => dueSince(target) <= round;

  const beginRound = () => {
    round += 1;
    const all = targets();
    const existing = new Set(all.map(({ name }) => name));
    for (const name of ailing.keys()) if (!existing.has(name)) ailing.delete(name);
    options.beforeRound?.(existing);
    const next = roundTargets(all, cursor, intervalMs / rotationMs);
    ({ cursor } = next);
    const due = next.round.filter(isDue);
    const overMs = spread * intervalMs;
    const laneOf = (lane: Lane, those: TelemetryTarget[], onEnd: RoundsOptions["onRound"]) =>
      lane.begin({ round, targets: those, overMs, onEnd });
    laneOf(
      well,
      due.filter((target) => !isAiling(target)),
      options.onRound,
    );
    // The lane drops targets that it cannot manage in one round. So nodes that have waited longest come first:
    // otherwise the last in order would never be asked again.
    laneOf(sick, due.filter(isAiling).toSorted(longestWaiting), undefined);
    waitFor(steadyNow() + intervalMs * (1 + JITTER * (2 * random() - 1)));
  };
  // A round that takes longer than its interval is finished first. Otherwise the last in order would never be asked.
  const waitFor = (endMs: number) => {
    well.startDue();
    sick.startDue();
    if (well.isDrained && steadyNow() >= endMs) beginRound();
    else
      timer = setTimeout(waitFor, well.isDrained && sick.isDrained ? Math.max(0, endMs - steadyNow()) : TICK_MS, endMs);
  };
  beginRound();

  return async () => {
    clearTimeout(timer);
    await Promise.all([well.stop(), sick.stop()]);
  };
}
