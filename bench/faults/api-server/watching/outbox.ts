/** The lines that are on their way to one watcher. They arrive in order, each after its lag. */
import type { Clock } from "../../../../src/kube/clock.ts";

export interface Outbox {
  send(line: string): void;
  /** Drops what is on its way. */
  close(): void;
}

/** `lagMs` is asked for each line; `deliver` is called by the clock, never from within `send`. */
export function createOutbox(clock: Clock, lagMs: () => number, deliver: (line: string) => void): Outbox {
  let waiting: { readonly line: string; readonly dueMs: number }[] = [];
  let cancel: (() => void) | undefined;
  const arm = () => {
    const [first] = waiting;
    if (cancel !== undefined || first === undefined) return;
    cancel = clock.setTimer(drain, Math.max(first.dueMs - clock.now(), 0));
  };
  const drain = () => {
    cancel = undefined;
    const nowMs = clock.now();
    while (waiting[0] !== undefined && waiting[0].dueMs <= nowMs) {
      const { line } = waiting.shift() as { line: string };
      deliver(line);
    }
    arm();
  };
  return {
    send(line) {
      const dueMs = Math.max(clock.now() + Math.max(lagMs(), 0), waiting.at(-1)?.dueMs ?? 0);
      waiting.push({ line, dueMs });
      arm();
    },
    close() {
      waiting = [];
      cancel?.();
      cancel = undefined;
    },
  };
}
