/** What the HTTP surface shows of the service besides the pacer's own status. The composition root provides it. */
import type { NodeName } from "../core/units.ts";
import type { ReplicaState } from "../core/pacer.ts";
import type { PacingPolicy } from "../policy/schema.ts";

/** Who leads. */
export interface LeaderState {
  /** Identity in the Lease; undefined while nobody has ever led. */
  readonly holder: string | undefined;
  /** The Lease is fresh: what is held will be released. */
  readonly alive: boolean;
  /** This replica is the leader. */
  readonly leading: boolean;
}

/** Asked anew for every request; answers from memory. */
export interface ServiceState {
  replica(): ReplicaState;
  leader(): LeaderState;
  /** The policy in force; undefined until one has been read. */
  policy(): PacingPolicy | undefined;
  /** False while the cluster holds a policy with errors and an earlier one is kept. */
  policyValid(): boolean;
  /** Time since the API server was last heard, by resource, in ms. */
  watchAgesMs(nowMs: number): Readonly<Record<string, number>>;
  /** Age of the latest figures of each node that has given some, in ms. */
  telemetryAgesMs(nowMs: number): ReadonlyMap<NodeName, number>;
  /** Events that were given up since the start. */
  eventsDropped(): number;
  /** False while the server still shows its stopgap certificate, which nobody trusts; absent where it needs none. */
  certified?(): boolean;
}

/** What keeps the service from being ready, in words; empty when it is. */
export function missingForReady(state: ServiceState): readonly string[] {
  return [
    ...(state.replica().synced ? [] : ["the cluster has not been listed in full yet"]),
    ...(state.policy() === undefined ? ["no policy has been read yet"] : []),
    ...(state.certified?.() === false ? ["the certificate has not been read from its Secret yet"] : []),
  ];
}
