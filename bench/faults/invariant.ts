/** What must hold in every run. */
import type { Witness } from "./witness.ts";

export interface Invariant {
  readonly name: string;
  readonly sentence: string;
  /** @returns what breaks it now */
  readonly check: (witness: Witness) => string | undefined;
}
