/** One lane of requests: asks a round's targets evenly over a time, with a bounded number in flight. */
import type { NodeName } from "../core/ids.ts";
import type { TelemetryRound, TelemetryTarget } from "./source.ts";

export interface LaneRound {
  /** Its number. */
  readonly round: number;
  readonly targets: readonly TelemetryTarget[];
  /** Time over which the requests are spread, in ms. */
  readonly overMs: number;
  readonly onEnd: ((round: TelemetryRound) => void) | undefined;
}

export interface Lane {
  /** Starts a new round; targets left from the one before are dropped. */
  begin(round: LaneRound): void;
  /** Asks the targets that are due, as long as there is room in flight. */
  startDue(): void;
  /** True if every target of the round has been asked; answers may be missing. */
  readonly isDrained: boolean;
  isAsking(name: NodeName): boolean;
  /** Sends no more requests; resolves when nothing is in flight. */
  stop(): Promise<void>;
}

export interface LaneOptions {
  readonly maxInFlight: number;
  /** A monotonic clock, in ms. */
  readonly steadyNow: () => number;
  /** Must not reject. */
  readonly ask: (target: TelemetryTarget, round: number) => Promise<void>;
  /** True if a node's last request is still in flight; the node misses its turn. */
  readonly isBusy: (name: NodeName) => boolean;
}

/** A round under way. `next` is the index of the next target. */
type Current = LaneRound & { readonly startMs: number; next: number; asked: number; over: number };

/** Makes an idle lane. */
export function createLane({ maxInFlight, steadyNow, ask, isBusy }: LaneOptions): Lane {
  const inFlight = new Map<NodeName, Promise<void>>();
  let current: Current | undefined;
  let stopped = false;

  /** How many of the round should have been asked by now. */
  const quota = () => {
    if (current === undefined) return 0;
    const { targets, startMs, overMs } = current;
    const passed = overMs <= 0 ? 1 : (steadyNow() - startMs) / overMs;
    return Math.min(targets.length, Math.floor(passed * targets.length) + 1);
  };
  /** Counts one target as answered or skipped. */
  const finish = (of: Current) => {
    of.over += 1;
    if (of.over === of.targets.length) of.onEnd?.({ asked: of.asked, durationMs: steadyNow() - of.startMs });
  };
  const start = (target: TelemetryTarget, of: Current) => {
    of.asked += 1;
    const answered = ask(target, of.round).finally(() => {
      inFlight.delete(target.name);
      if (stopped) return;
      finish(of);
      startDue();
    });
    inFlight.set(target.name, answered);
  };
  const startDue = () => {
    if (stopped || current === undefined) return;
    for (const due = quota(); current.next < due && inFlight.size < maxInFlight; current.next += 1) {
      const target = current.targets[current.next];
      if (target === undefined || isBusy(target.name)) finish(current);
      else start(target, current);
    }
  };

  return {
    begin(round) {
      current = { ...round, startMs: steadyNow(), next: 0, asked: 0, over: 0 };
    },
    startDue,
    get isDrained() {
      return current === undefined || current.next >= current.targets.length;
    },
    isAsking: (name) => inFlight.has(name),
    async stop() {
      stopped = true;
      await Promise.allSettled(inFlight.values());
    },
  };
}
