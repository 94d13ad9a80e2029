/** The state of the service that the HTTP server shows, besides the pacer's own status. service.ts provides it. */
import type { NodeName } from "../core/ids.ts";
import type { LeaderFigures } from "../core/leader-figures.ts";
import type { ReplicaState } from "../core/verdict.ts";
import type { PacingPolicy } from "../policy/schema.ts";

/** The leader. */
export interface LeaderState {
  /** Identity in the Lease; undefined if no replica has ever led. */
  readonly holder: string | undefined;
  /** The Lease is fresh: held pods will be released. */
  readonly alive: boolean;
  /** This replica is the leader. */
  readonly leading: boolean;
}

/** Asked for every request; answers from memory. */
export interface ServiceState {
  replica(): ReplicaState;
  leader(): LeaderState;
  /** What the living leader last published; undefined without one. */
  leaderFigures?(): LeaderFigures | undefined;
  /** The policy in force; undefined until one has been read. */
  policy(): PacingPolicy | undefined;
  /** False while the cluster holds a policy with errors and an earlier one is kept. */
  policyValid(): boolean;
  /** Time since the API server was last heard, by resource, in ms. */
  watchAgesMs(nowMs: number): Readonly<Record<string, number>>;
  /** Age of the latest figures of each node that has given some, in ms. */
  telemetryAgesMs(nowMs: number): ReadonlyMap<NodeName, number>;
  /** Events that were dropped since the start. */
  eventsDropped(): number;
  /**
   * From when until when the certificate is valid that the server shows, epoch ms. Undefined while it is the temporary
   * one, which no client trusts. Absent if the server shows none.
   */
  certificateSpan?(): { readonly beginMs: number; readonly endMs: number } | undefined;
}

/** The reasons why the service is not ready, in words; empty when it is ready. */
export function missingForReady(state: ServiceState, nowMs: number): readonly string[] {
  return [
    ...(state.replica().synced ? [] : ["the cluster has not been listed in full yet"]),
    ...(state.policy() === undefined ? ["no policy has been read yet"] : []),
    ...certificateTrouble(state, nowMs),
  ];
}

/** A replica without a valid certificate cannot be called, so it is not ready. */
function certificateTrouble(state: ServiceState, nowMs: number): readonly string[] {
  if (state.certificateSpan === undefined) return [];
  const { endMs } = state.certificateSpan() ?? {};
  if (endMs === undefined) return ["the certificate has not been read from its Secret yet"];
  return nowMs < endMs ? [] : [`the certificate ended at ${new Date(endMs).toISOString()}`];
}
