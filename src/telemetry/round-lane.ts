/** One lane of questions: a round's targets, asked evenly over a time, a bounded number in flight. */
import type { NodeName } from "../core/units.ts";
import type { TelemetryRound, TelemetryTarget } from "./source.ts";

export interface LaneRound {
  /** Its number. */
  readonly round: number;
  readonly targets: readonly TelemetryTarget[];
  /** Time over which the questions are spread, in ms. */
  readonly overMs: number;
  readonly onEnd: ((round: TelemetryRound) => void) | undefined;
}

export interface Lane {
  /** Takes up a new round; what was left of the one before is dropped. */
  begin(round: LaneRound): void;
  /** Asks those whose time has come, as far as there is room in flight. */
  startDue(): void;
  /** Every target of the round has been asked; answers may be missing. */
  readonly isDrained: boolean;
  isAsking(name: NodeName): boolean;
  /** Asks nobody any more; resolves when nothing is in flight. */
  stop(): Promise<void>;
}

/** An idle lane. */
export function createLane(
  maxInFlight: number,
  steadyNow: () => number,
  ask: (target: TelemetryTarget, round: number) => Promise<void>,
): Lane {
  const inFlight = new Map<NodeName, Promise<void>>();
  let current: (LaneRound & { readonly startMs: number; answered: number }) | undefined;
  let asked = 0;
  let stopped = false;

  const isDrained = () => current === undefined || asked >= current.targets.length;
  /** How many of the round should have been asked by now. */
  const quota = () => {
    if (current === undefined) return 0;
    const { targets, startMs, overMs } = current;
    const passed = overMs <= 0 ? 1 : (steadyNow() - startMs) / overMs;
    return Math.min(targets.length, Math.floor(passed * targets.length) + 1);
  };
  const start = (target: TelemetryTarget, of: NonNullable<typeof current>) => {
    const answered = ask(target, of.round).finally(() => {
      inFlight.delete(target.name);
      of.answered += 1;
      if (stopped) return;
      if (of.answered === of.targets.length) of.onEnd?.({ asked: of.answered, durationMs: steadyNow() - of.startMs });
      startDue();
    });
    inFlight.set(target.name, answered);
  };
  const startDue = () => {
    if (stopped || current === undefined) return;
    for (const due = quota(); asked < due && inFlight.size < maxInFlight; asked += 1) {
      const target = current.targets[asked];
      if (target !== undefined) start(target, current);
    }
  };

  return {
    begin(round) {
      current = { ...round, startMs: steadyNow(), answered: 0 };
      asked = 0;
    },
    startDue,
    get isDrained() {
      return isDrained();
    },
    isAsking: (name) => inFlight.has(name),
    async stop() {
      stopped = true;
      await Promise.allSettled(inFlight.values());
    },
  };
}
