/**
 * Says what a long piece of work does, on stderr, whatever that is. On a terminal it is one line that overwrites
 * itself; elsewhere a line when the work begins and one every {@link LINE_EVERY_MS}, so that it does not look dead.
 */
import { type Clock, steadyClock } from "../kube/clock.ts";

/** 20 s of silence at most is promised; the rest is for a busy machine (timers came 4 s late beside a Go build). */
const LINE_EVERY_MS = 10_000;
/** Most herds are simulated, and most recordings read, by then: a script that keeps stderr sees nothing of those. */
export const QUIET_MS = 15_000;
/** The seconds on the terminal's line. */
const REDRAW_EVERY_MS = 1_000;
/** The width of a terminal that does not tell it. */
const COLUMNS = 80;
const CLEAR = "\r\x1b[2K";

/** What is needed of `process.stderr`. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface ProgressOptions {
  /** What the first line adds, for example how long the work usually takes. */
  readonly detail?: string;
  /** Work that is done by then prints no line at all where there is no terminal, ms; default 0. */
  readonly quietForMs?: number;
  readonly output?: ProgressOutput;
  readonly clock?: Clock;
}

/** Tells how far the work is; cheap enough to be called for every item. */
export type Tell = (detail: string) => void;

/**
 * Runs `work` and shows its name, how long it has run, and what it last told.
 * @throws what `work` throws
 */
export async function withProgress<T>(
  name: string,
  work: (tell: Tell) => Promise<T>,
  options: ProgressOptions = {},
): Promise<T> {
  const progress = options.output ?? process.stderr;
  const show = progress.isTTY === true ? overwriting(name, progress, options) : lines(name, progress, options);
  try {
    const result = await work(show.tell);
    show.end(true);
    return result;
  } catch (error) {
    show.end(false);
    throw error;
  }
}

interface Show {
  readonly tell: Tell;
  end(succeeded: boolean): void;
}

/** Draws at once what is told, and every second for the time. */
function overwriting(name: string, output: ProgressOutput, options: ProgressOptions): Show {
  const { clock = steadyClock } = options;
  const beganMs = clock.now();
  let detail = options.detail;
  let drawn = "";
  const draw = () => {
    const line = lineOf(name, clock.now() - beganMs, detail).slice(0, (output.columns ?? COLUMNS) - 1);
    if (line !== drawn) output.write(`${CLEAR}${line}`);
    drawn = line;
  };
  draw();
  const stop = every(clock, REDRAW_EVERY_MS, draw);
  return {
    tell: (text) => {
      detail = text;
      draw();
    },
    end: () => {
      stop();
      output.write(CLEAR);
    },
  };
}

/**
 * Prints what was told last when a line is due: by the timer, or by the next call while the event loop is kept busy.
 */
function lines(name: string, output: ProgressOutput, options: ProgressOptions): Show {
  const { clock = steadyClock, quietForMs = 0 } = options;
  const beganMs = clock.now();
  let detail = options.detail;
  let dueMs = beganMs + quietForMs;
  let printed = 0;
  const printIfDue = () => {
    if (clock.now() < dueMs) return;
    output.write(`${lineOf(name, clock.now() - beganMs, detail)}\n`);
    dueMs = clock.now() + LINE_EVERY_MS;
    printed++;
  };
  printIfDue();
  const stop = every(clock, quietForMs > 0 ? Math.min(quietForMs, LINE_EVERY_MS) : LINE_EVERY_MS, printIfDue);
  return {
    tell: (text) => {
      detail = text;
      printIfDue();
    },
    end: (succeeded) => {
      stop();
      if (succeeded && printed > 1) output.write(`${name}: done after ${duration(clock.now() - beganMs)}\n`);
    },
  };
}

function lineOf(name: string, tookMs: number, detail: string | undefined): string {
  const time = tookMs < 1_000 ? "" : `, ${duration(tookMs)} so far`;
  return detail === undefined ? `${name}${time} …` : `${name}${time}: ${detail}`;
}

/** `40 s`, `4 min 5 s`. */
function duration(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Calls `fn` every `ms` until the answer is called. */
function every(clock: Clock, ms: number, fn: () => void): () => void {
  let cancel = clock.setTimer(tick, ms);
  function tick(): void {
    cancel = clock.setTimer(tick, ms);
    fn();
  }
  return () => cancel();
}
