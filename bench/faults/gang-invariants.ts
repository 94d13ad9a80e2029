/** What must hold of gangs in every run. */
import type { Invariant } from "./invariant.ts";

/** What writes, retries and the watch of a new leader take, ms. */
const SOON_MS = 12_000;
/** Watches run and refused writes are tried again so long after the last fault, ms. */
const RECOVERED_MS = 45_000;

const splitSince = new WeakMap<object, Map<string, number>>();

export const aGangIsWhole: Invariant = {
  name: "aGangIsWhole",
  sentence: "Gates keep no part of a gang back once the rest has gone.",
  check(witness) {
    const since = splitSince.get(witness) ?? new Map<string, number>();
    splitSince.set(witness, since);
    const gangs = Map.groupBy(
      witness.pods.filter((pod) => !pod.terminal && !pod.deleting && !pod.gatedByOthers),
      ({ gang }) => gang,
    );
    for (const [gang, pods] of gangs) {
      const gated = pods.filter((pod) => pod.gated && !witness.isStubborn(pod));
      if (gang === undefined || gated.length === 0 || gated.length === pods.length) {
        since.delete(gang ?? "");
        continue;
      }
      const sinceMs = since.get(gang) ?? witness.nowMs;
      since.set(gang, sinceMs);
      if (witness.nowMs < witness.blindUntilMs + RECOVERED_MS || witness.nowMs < sinceMs + SOON_MS) continue;
      return `${gated.length} of ${pods.length} pods of gang ${gang} are still gated`;
    }
    return undefined;
  },
};
