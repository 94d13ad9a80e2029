/**
 * A workload's own place in the order, among the pods of its namespace that have its priority: while one that it puts
 * first may go, those after it wait. The first one gains nothing over other namespaces, with whose pods it competes by
 * its own rank: were it given its namespace's best rank, a tenant could have one light pod stand in line for all its
 * heavy ones.
 */
import type { PodFacts } from "../facts.ts";

const placeOf = ({ shape: { order } }: PodFacts) => (order === "first" ? 0 : order === "last" ? 2 : 1);

/** A node's own agents come first, whatever they say. Undefined for these. */
const groupOf = ({ shape: { namespace, ownerKind, priority } }: PodFacts) =>
  ownerKind === "DaemonSet" ? undefined : `${namespace} ${priority}`;

/**
 * The candidates, without those that wait for another one of their own namespace.
 * @param mayGo could this one go now? One that cannot keeps none waiting, so no slot stays empty.
 */
export function withoutPreceded<Candidate extends { readonly pod: PodFacts }>(
  candidates: readonly Candidate[],
  mayGo: (candidate: Candidate) => boolean,
): readonly Candidate[] {
  if (candidates.every(({ pod }) => pod.shape.order === undefined)) return candidates;
  const firstPlaces = new Map<string, number>();
  const isPreceded = ({ pod }: Candidate) => (firstPlaces.get(groupOf(pod) ?? "") ?? Infinity) < placeOf(pod);
  for (const candidate of candidates.toSorted((a, b) => placeOf(a.pod) - placeOf(b.pod))) {
    const group = groupOf(candidate.pod);
    if (group === undefined || firstPlaces.has(group) || !mayGo(candidate)) continue;
    firstPlaces.set(group, placeOf(candidate.pod));
  }
  return candidates.filter((candidate) => !isPreceded(candidate));
}
