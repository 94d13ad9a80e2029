/**
 * What only the leader knows of a paced node: its limit, which moved as pods started there, and when its disk was last
 * measured. It publishes them with its Lease, so that other replicas and `paceline status` show the same.
 */
import type { PacingPolicy } from "../policy/schema.ts";
import { SECOND_MS } from "./measures.ts";
import { isPaced } from "./placement/known-node.ts";
import { isSaturated } from "./placement/settled-nodes.ts";
import type { ClusterState } from "./state/cluster-state.ts";
import type { NodeStatus } from "./verdict.ts";

export interface LeaderFigure {
  readonly limit: number;
  /** When its latest sample was taken, epoch ms; undefined: there is none. */
  readonly sampledMs: number | undefined;
}

/** By name of the node. */
export type LeaderFigures = ReadonlyMap<string, LeaderFigure>;

/** A node as it is shown where not everything is known. */
export interface ShownNode extends Omit<NodeStatus, "limit"> {
  /** Undefined: the leader has not published it. */
  readonly limit: number | undefined;
}

/**
 * Nodes that are published, in the order of the ledger. About 60 bytes each, in an object that is written every 1.5 s
 * and read by every replica: 30 KB at most.
 */
const MOST_PUBLISHED = 500;

/** The figures of the nodes that the status page lists. */
export function leaderFigures(state: ClusterState, nowMs: number): LeaderFigures {
  const figures = new Map<string, LeaderFigure>();
  for (const entry of state.ledger.nodes.values()) {
    const { facts } = entry;
    if (!facts || !(isPaced(state, facts, nowMs) || isSaturated(state, { entry, facts }, nowMs))) continue;
    figures.set(facts.name, {
      limit: state.limitOf(facts).slots,
      sampledMs: state.sampleOf(facts.name)?.atMs,
    });
    if (figures.size === MOST_PUBLISHED) break;
  }
  return figures;
}

/** What is known of a disk whose latest sample is of this time. */
export function sampleState(
  { source, staleSeconds, absentSeconds }: PacingPolicy["telemetry"],
  sampledMs: number | undefined,
  nowMs: number,
): NodeStatus["sample"] {
  if (source === "none") return "notAsked";
  const ageMs = nowMs - (sampledMs ?? -Infinity);
  if (ageMs < staleSeconds * SECOND_MS) return "fresh";
  return ageMs < absentSeconds * SECOND_MS ? "stale" : "absent";
}

/** The node with what the leader knows of it. */
export function withFigure(
  node: ShownNode,
  figure: LeaderFigure,
  telemetry: PacingPolicy["telemetry"],
  nowMs: number,
): ShownNode {
  const { limit, sampledMs } = figure;
  const limitMove = limit === node.limit ? node.limitMove : "as the leader has published it";
  return { ...node, limit, limitMove, sample: sampleState(telemetry, sampledMs, nowMs) };
}

/** The node as a program shows it that has asked neither the leader nor any disk. */
export const withoutFigure = (node: ShownNode): ShownNode => ({
  ...node,
  limit: undefined,
  limitMove: "not published",
  sample: "notAsked",
});
