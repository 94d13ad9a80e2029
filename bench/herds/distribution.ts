/** What many ratios come to. */
import { percentile } from "../figures.ts";

export interface Distribution {
  readonly geometricMean: number;
  readonly median: number;
  readonly p90: number;
  readonly worst: number;
}

/** NaN of none. */
export function geometricMean(ratios: readonly number[]): number {
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
}

/** A high ratio is a bad one. */
export function distribution(ratios: readonly number[]): Distribution {
  return {
    geometricMean: geometricMean(ratios),
    median: percentile(ratios, 0.5),
    p90: percentile(ratios, 0.9),
    worst: percentile(ratios, 1),
  };
}
