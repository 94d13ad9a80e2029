/** The longest that Paceline may keep pods back, whatever a policy says. */

/** The most that `maxHoldSeconds` may be: below the 600 s of a Deployment's default progressDeadlineSeconds. */
export const LONGEST_HOLD_SECONDS = 540;

/** Default of `youngForSeconds`. */
export const DEFAULT_YOUNG_SECONDS = 600;

/** Default of `fence.maxSeconds`: a fence is of use while its node is young. */
export const DEFAULT_FENCE_SECONDS = DEFAULT_YOUNG_SECONDS;

/** After how many seconds held pods are released and fences are lifted. */
export interface Caps {
  readonly holdSeconds: number;
  readonly fenceSeconds: number;
}

/** Where no policy can be read: no pod is released, and no fence lifted, too early. */
export const CAPS_WITHOUT_POLICY: Caps = { holdSeconds: LONGEST_HOLD_SECONDS, fenceSeconds: DEFAULT_FENCE_SECONDS };
