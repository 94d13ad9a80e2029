/** Returns the next random number in [0, 1). It is passed as an argument, so that runs can be repeated. */
export type Random = () => number;

/**
 * A seeded generator (mulberry32: 32 bits of state, good enough for jitter). Equal seeds give equal sequences.
 * @param seed any integer; only its low 32 bits count
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
