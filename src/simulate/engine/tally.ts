/** Counts failed starts by their fingerprint. */
import type { Fingerprint } from "../model/types.ts";

/** A container that crashes by itself is not a failed start, because the node did not cause it. */
const ITS_OWN_FAULT: Fingerprint = "Crash";

export class Tally {
  readonly failures: Partial<Record<Fingerprint, number>> = {};

  failed(fingerprint: Fingerprint): void {
    this.failures[fingerprint] = (this.failures[fingerprint] ?? 0) + 1;
  }

  /** All failed starts. */
  get startErrors(): number {
    let sum = 0;
    for (const [fingerprint, count] of Object.entries(this.failures)) if (fingerprint !== ITS_OWN_FAULT) sum += count;
    return sum;
  }
}
