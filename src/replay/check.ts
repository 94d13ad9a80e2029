/** The self-check: does the model give what was recorded, when it does what the recording did? */
import type { Figures } from "./figures.ts";

/** Farther off than this, a forecast is not to be trusted. */
export const TRUSTED_SHARE = 0.25;
/** Seconds by which a short herd may be off, whatever their share: dumps have whole seconds. The mean half of them. */
const SMALL_SECONDS = 2;

/** Pods for which the model may find no place: rules about places are not in it. */
const LOST_SHARE = 0.05;

export interface SelfCheck {
  /** Model ÷ recorded − 1. */
  readonly allReadyOff: number;
  readonly meanReadyOff: number;
  /** The larger of both, without its sign. */
  readonly off: number;
  /** Share of the pods that are not Ready in the end in the model, and were. */
  readonly lostShare: number;
  readonly isTrusted: boolean;
}

/** @param model what the strategy `none` gave */
export function selfCheck(recorded: Figures, model: Figures): SelfCheck {
  const allReadyOff = offBy(recorded.allReadySeconds, model.allReadySeconds);
  const meanReadyOff = offBy(recorded.meanReadySeconds, model.meanReadySeconds);
  const off = Math.max(Math.abs(allReadyOff), Math.abs(meanReadyOff));
  const lostShare = Math.max(0, model.notReady - recorded.notReady) / Math.max(1, recorded.pods);
  const isNear =
    (Math.abs(allReadyOff) <= TRUSTED_SHARE ||
      Math.abs(model.allReadySeconds - recorded.allReadySeconds) <= SMALL_SECONDS) &&
    (Math.abs(meanReadyOff) <= TRUSTED_SHARE ||
      Math.abs(model.meanReadySeconds - recorded.meanReadySeconds) <= SMALL_SECONDS / 2);
  return { allReadyOff, meanReadyOff, off, lostShare, isTrusted: isNear && lostShare <= LOST_SHARE };
}

const offBy = (recorded: number, model: number) =>
  model === recorded ? 0 : recorded > 0 ? model / recorded - 1 : Infinity;
