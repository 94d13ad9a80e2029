/** Herds: pods that came to one node together. */
import type { FailureReport } from "./sink.ts";
import { shortName } from "./merge.ts";
import type { NodeTimes, PodStart } from "./tally.ts";

export interface Herd {
  readonly node: string;
  /** When the first of its pods came. Epoch ms. */
  readonly startMs: number;
  /** When the last of them came. Epoch ms. */
  readonly lastMs: number;
  readonly podsStarted: number;
  readonly failures: number;
  readonly nodeAgeSeconds: number | null;
  /** How the node's age is known. */
  readonly nodeAgeFrom: "creation" | "firstAppearance" | null;
}

/** Pods that come within this of the one before belong together: images are still being pulled then. Assumed. */
const TOGETHER_MS = 30_000;
/** A pod's failed start comes within this of its herd: several time-outs of 2 min, and back-offs. Assumed. */
const AFTERMATH_MS = 15 * 60_000;
/** Groups without a failure are told from this size on; smaller ones are a node's everyday life. Assumed. */
const LARGE_HERD = 20;
/** Herds told; the worst. */
const MOST_HERDS = 200;

interface Group {
  readonly node: string;
  readonly startMs: number;
  lastMs: number;
  pods: number;
  failures: number;
}

/** The herds with failures, and large ones without; by time. */
export function findHerds(
  starts: ReadonlyMap<string, PodStart>,
  failures: readonly FailureReport[],
  nodes: ReadonlyMap<string, NodeTimes>,
): Herd[] {
  const groups = groupStarts(startsWithFailed(starts, failures));
  for (const failure of failures) assign(failure, groups, starts);
  return [...groups.values()]
    .flat()
    .filter((group) => (group.failures > 0 && group.pods > 1) || group.pods >= LARGE_HERD)
    .sort((a, b) => b.failures - a.failures || b.pods - a.pods)
    .slice(0, MOST_HERDS)
    .sort((a, b) => a.startMs - b.startMs)
    .map((group) => herdOf(group, nodes));
}

function herdOf({ node, startMs, lastMs, pods, failures }: Group, nodes: ReadonlyMap<string, NodeTimes>): Herd {
  return { node, startMs, lastMs, podsStarted: pods, failures, ...ageAt(nodes.get(node), startMs) };
}

/** Age of a node at a time. Seen before is the least age it can have; seen first at that very time tells nothing. */
export function ageAt(times: NodeTimes | undefined, atMs: number): Pick<Herd, "nodeAgeSeconds" | "nodeAgeFrom"> {
  const seconds = (sinceMs: number) => Math.max(0, Math.round((atMs - sinceMs) / 1_000));
  // A creation after the event is a later node of the same name, unless clocks differ a little.
  const createdMs = times?.createdMs;
  if (createdMs !== undefined && createdMs <= atMs + 5_000)
    return { nodeAgeSeconds: seconds(createdMs), nodeAgeFrom: "creation" };
  if (times === undefined || times.firstSeenMs >= atMs) return { nodeAgeSeconds: null, nodeAgeFrom: null };
  return { nodeAgeSeconds: seconds(times.firstSeenMs), nodeAgeFrom: "firstAppearance" };
}

/** Pods whose start nobody told, but whose failure did, came before it. */
function startsWithFailed(starts: ReadonlyMap<string, PodStart>, failures: readonly FailureReport[]): PodStart[] {
  const all = new Map(starts);
  for (const { namespace, pod, node, atMs, fingerprint, misconfigured } of failures) {
    const key = `${namespace}/${pod}`;
    if (fingerprint === "Unrelated" || misconfigured || pod === "" || node === "" || all.has(key)) continue;
    all.set(key, { node, atMs, from: "event" });
  }
  return [...all.values()];
}

function groupStarts(starts: readonly PodStart[]): Map<string, Group[]> {
  const groups = new Map<string, Group[]>();
  for (const { node, atMs } of starts.toSorted((a, b) => a.atMs - b.atMs)) {
    const ofNode = groups.get(node) ?? [];
    const last = ofNode.at(-1);
    if (last && atMs - last.lastMs <= TOGETHER_MS) {
      last.lastMs = atMs;
      last.pods++;
    } else ofNode.push({ node, startMs: atMs, lastMs: atMs, pods: 1, failures: 0 });
    groups.set(node, ofNode);
  }
  return groups;
}

/** To the herd that its pod came with, else to the last one before it on the node. */
function assign(
  failure: FailureReport,
  groups: ReadonlyMap<string, Group[]>,
  starts: ReadonlyMap<string, PodStart>,
): void {
  if (failure.fingerprint === "Unrelated" || failure.misconfigured) return;
  const start = starts.get(`${failure.namespace}/${failure.pod}`);
  const node = failure.node || (start?.node ?? "");
  const fromMs = start?.atMs ?? failure.atMs;
  const group = (groups.get(node) ?? []).findLast((one) => one.startMs <= fromMs + 1_000);
  if (group && failure.atMs - group.lastMs <= AFTERMATH_MS) group.failures++;
}

/** The API's name of a node by the host's short one that journals have. */
export function nodeNames(nodes: Iterable<string>): (host: string) => string {
  const all = new Set(nodes);
  const full = new Map<string, string>();
  for (const node of all) if (node.includes(".")) full.set(shortName(node), node);
  return (host) => (host.includes(".") ? host : (full.get(host) ?? host));
}
