/** The service's time in this browser: the clocks may differ. */

/** A smaller difference is the way of the answer. */
const SAME_MS = 5_000;

let aheadMs = 0;

export const clock = {
  /** The service's time was this a moment ago, epoch ms. */
  set(serviceMs) {
    const difference = Date.now() - serviceMs;
    if (Math.abs(difference - aheadMs) > SAME_MS) aheadMs = Math.abs(difference) > SAME_MS ? difference : 0;
  },
  /** The service's time now, epoch ms. */
  nowMs: () => Date.now() - aheadMs,
  /** A time of the service in words, by the browser's own clock and in its time zone. */
  at: (serviceMs) => new Date(serviceMs + aheadMs).toLocaleTimeString(),
};
