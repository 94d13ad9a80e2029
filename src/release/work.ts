/** The leader's writes, and which of them may begin while others are still on their way. Pure. */
import { podUID, type NodeName, type PodUID } from "../core/ids.ts";
import type { PodFacts } from "../core/facts.ts";
import type { FenceAction, Held, Plan, Release } from "../core/verdict.ts";

export type Work =
  | { readonly kind: "release"; readonly key: string; readonly release: Release }
  | { readonly kind: "fence"; readonly key: string; readonly action: FenceAction }
  | { readonly kind: "hold"; readonly key: string; readonly held: Held };

/** Writes on their way, by {@link Work.key}. */
export type InFlight = ReadonlyMap<string, Work>;

const POD = "pod ";

/** Of which pod a key of {@link Work} is; undefined: of none. */
export const podOfKey = (key: string): PodUID | undefined =>
  key.startsWith(POD) ? podUID(key.slice(POD.length)) : undefined;

/** The key of every write to the pod. */
export const keyOfPod = ({ uid }: Pick<PodFacts, "uid">): string => `${POD}${uid}`;

export const releaseWork = (release: Release): Work => ({ kind: "release", key: keyOfPod(release.pod), release });
export const fenceWork = (action: FenceAction): Work => ({ kind: "fence", key: `node ${action.node.name}`, action });
export const holdWork = (held: Held): Work => ({ kind: "hold", key: keyOfPod(held.pod), held });

/**
 * The plan's releases and fence actions that may begin now. A release whose write is on its way is not in the ledger
 * yet, so its slot looks free to the plan. A node gets as many new releases as the plan has room for, less those on
 * their way to it.
 */
export function startable(plan: Plan, inFlight: InFlight): readonly Work[] {
  const room = roomByNode(plan, inFlight);
  const adopting = new Set(plan.fences.filter(({ kind }) => kind === "adopt").map(({ node }) => node.name));
  const takes = (node: NodeName) => {
    if (adopting.has(node) || inFlight.has(`node ${node}`)) return false; // its fence changes: a roll call may begin
    const left = room.get(node) ?? 0;
    room.set(node, left - 1);
    return left > 0;
  };
  const releases = plan.releases.flatMap((release) => {
    const { pod, node, others } = release;
    if (inFlight.has(keyOfPod(pod))) return [];
    if (node === undefined) return [release];
    if (!takes(node)) return [];
    return [others ? { ...release, others: others.filter((other) => takes(other.node)) } : release];
  });
  const awaited = new Set(
    [...inFlight.values()].flatMap((work) => (work.kind === "release" ? goals(work.release) : [])),
  );
  const fences = plan.fences.filter(
    ({ kind, node }) => !inFlight.has(`node ${node.name}`) && !(kind === "beginRollCall" && awaited.has(node.name)),
  );
  return [...releases.map(releaseWork), ...fences.map(fenceWork)];
}

/** Every node to which a release lets its pod go. */
const goals = ({ node, others = [] }: Release): readonly NodeName[] =>
  node === undefined ? [] : [node, ...others.map((other) => other.node)];

function roomByNode(plan: Plan, inFlight: InFlight): Map<NodeName, number> {
  const room = new Map<NodeName, number>();
  const count = (release: Release, step: 1 | -1) => {
    for (const node of goals(release)) room.set(node, (room.get(node) ?? 0) + step);
  };
  for (const release of plan.releases) count(release, 1);
  for (const work of inFlight.values()) if (work.kind === "release") count(work.release, -1);
  return room;
}
