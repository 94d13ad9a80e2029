/**
 * The API server's time, as this process can tell it. All times that Paceline compares (creation, Ready, its notes) are
 * of that clock, and the machine's own may be set wrong, or be set anew, at any moment.
 */
import type { Clock } from "./clock.ts";

/** A machine's clock that is off by less is not worth a line in the log, ms. */
const WORTH_TELLING_MS = 5_000;

/** HTTP dates are whole seconds, cut off. Source: RFC 9110, 5.6.7. */
const DATE_STEP_MS = 1_000;

/** Epoch, in ms. Until the first answer it is the machine's wall clock. */
export interface ServerClock extends Clock {
  /**
   * A request is about to be sent. @returns what is to be called with the answer's `Date` header as soon as it is
   * there; a header that is missing or no date changes nothing
   */
  asked(): (date: string | undefined) => void;
}

export interface ServerClockOptions {
  readonly wall: Clock;
  readonly steady: Clock;
  /** Called when the machine's clock turns out to be off by other seconds than before; positive: it is ahead. */
  readonly onOff?: ((seconds: number) => void) | undefined;
}

/**
 * The steady clock, moved no further than the last answer demands: the server wrote its date after the request was
 * sent, and before the answer was there. So a machine's clock that is right stays in force unchanged.
 */
export function createServerClock({ wall, steady, onOff }: ServerClockOptions): ServerClock {
  let aheadOfSteadyMs = wall.now() - steady.now();
  let toldOffMs = 0;
  const now = () => steady.now() + aheadOfSteadyMs;
  const tellIfOff = () => {
    const offMs = wall.now() - now();
    if (Math.abs(offMs - toldOffMs) < WORTH_TELLING_MS) return;
    toldOffMs = offMs;
    onOff?.(Math.round(offMs / 1_000));
  };
  return {
    now,
    setTimer: (fn, ms) => steady.setTimer(fn, ms),
    asked() {
      const sentMs = steady.now();
      return (date) => {
        const dateMs = date === undefined ? Number.NaN : Date.parse(date);
        if (Number.isNaN(dateMs)) return;
        const leastMs = dateMs - steady.now();
        const mostMs = dateMs + DATE_STEP_MS - sentMs;
        aheadOfSteadyMs = Math.min(Math.max(aheadOfSteadyMs, leastMs), mostMs);
        tellIfOff();
      };
    },
  };
}
