/**
 * The API server's time, as this process can tell it. All times that Paceline compares (creation, Ready, its notes) are
 * of that clock, and the machine's own may be set wrong, or be set anew, at any moment.
 */
import type { Clock } from "./clock.ts";

/** A machine's clock that is off by less is not worth a line in the log, ms. */
const WORTH_TELLING_MS = 5_000;
/** One line of it in so long, ms. */
const TOLD_EVERY_MS = 600_000;

/**
 * After the first answer, what moves the time by more than this is believed only once so many answers in a row agree:
 * one may be a proxy's, or of one API server of several whose clock is wrong, ms. No request lasts as long.
 */
const JUMP_MS = 30_000;
const AGREEING = 3;

/** HTTP dates are whole seconds, cut off. Source: RFC 9110, 5.6.7. */
const DATE_STEP_MS = 1_000;
const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** Epoch, in ms. Until answers have told it, it is the machine's wall clock. */
export interface ServerClock extends Clock {
  /**
   * A request is about to be sent. @returns what is to be called with the answer's `Date` header as soon as it is
   * there; a header that is missing or no HTTP date changes nothing
   */
  asked(): (date: string | undefined) => void;
}

export interface ServerClockOptions {
  readonly wall: Clock;
  readonly steady: Clock;
  /** Called when the machine's clock turns out to be off by other seconds than before; positive: it is ahead. */
  readonly onOff?: ((seconds: number) => void) | undefined;
}

/** By how much the server is ahead of the steady clock, as answers bound it, ms. */
interface Bounds {
  readonly leastMs: number;
  readonly mostMs: number;
}

/**
 * The steady clock, moved no further than the answers demand: the server wrote its date after the request was sent, and
 * before the answer was there. So a machine's clock that is right stays in force unchanged.
 */
export function createServerClock({ wall, steady, onOff }: ServerClockOptions): ServerClock {
  let aheadMs = wall.now() - steady.now();
  let [toldOffMs, toldAtMs] = [0, -Infinity];
  let hasHeard = false;
  let doubted: Bounds & { readonly answers: number } = { leastMs: Infinity, mostMs: -Infinity, answers: 0 };
  const now = () => steady.now() + aheadMs;

  const tellIfOff = () => {
    const offMs = wall.now() - now();
    const isNews = Math.abs(offMs - toldOffMs) >= WORTH_TELLING_MS && steady.now() >= toldAtMs + TOLD_EVERY_MS;
    if (!isNews) return;
    [toldOffMs, toldAtMs] = [offMs, steady.now()];
    onOff?.(Math.round(offMs / 1_000));
  };
  const take = ({ leastMs, mostMs }: Bounds) => {
    const wantedMs = Math.min(Math.max(aheadMs, leastMs), mostMs);
    if (!hasHeard || Math.abs(wantedMs - aheadMs) <= JUMP_MS) {
      hasHeard = true;
      doubted = { leastMs: Infinity, mostMs: -Infinity, answers: 0 };
      aheadMs = wantedMs;
      return;
    }
    const both = { leastMs: Math.max(leastMs, doubted.leastMs), mostMs: Math.min(mostMs, doubted.mostMs) };
    const agrees = doubted.answers > 0 && both.leastMs <= both.mostMs + DATE_STEP_MS;
    doubted = agrees ? { ...both, answers: doubted.answers + 1 } : { leastMs, mostMs, answers: 1 };
    if (doubted.answers >= AGREEING) aheadMs = wantedMs;
  };

  return {
    now,
    setTimer: (fn, ms) => steady.setTimer(fn, ms),
    asked() {
      const sentMs = steady.now();
      return (date) => {
        if (date === undefined || !HTTP_DATE.test(date)) return;
        const dateMs = Date.parse(date);
        if (Number.isNaN(dateMs)) return;
        take({ leastMs: dateMs - steady.now(), mostMs: dateMs + DATE_STEP_MS - sentMs });
        tellIfOff();
      };
    },
  };
}
