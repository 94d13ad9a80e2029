/**
 * The parts that pace, around one pacer: policy and cluster feed it, the release loop carries out its plans while this
 * replica leads. Clocks, chance and the API client are the caller's, so that the fault harness runs the same parts.
 */
import { LEADER_LEASE } from "../api/names.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import type { Clock } from "../kube/clock.ts";
import type { Log } from "../kube/log.ts";
import { leaderClient } from "../kube/leader/leader-client.ts";
import { startLeaderElection, type LeaderElection, type LeaseTimes } from "../kube/leader/lease.ts";
import { formatLeaderFigures } from "../kube/parse/leader-figures.ts";
import type { ShapeInterner } from "../kube/parse/shape-interner.ts";
import type { EventRecorder } from "../kube/write/events.ts";
import type { Pacer } from "../core/pacer.ts";
import type { ReplicaState } from "../core/verdict.ts";
import type { PacingPolicy } from "../policy/schema.ts";
import { createApply } from "../release/apply.ts";
import { createReleaseLoop, type ReleaseHooks, type ReleaseLoop } from "../release/loop.ts";
import { startClusterFeed, type ClusterFeed } from "./cluster-feed.ts";
import type { OnPolicy, PolicyFeed } from "./policy-feed.ts";

export interface PacingOptions {
  readonly client: ApiClient;
  readonly pacer: Pacer;
  readonly interner: ShapeInterner;
  readonly events: Pick<EventRecorder, "emit">;
  /** The API server's time. */
  readonly clock: Clock;
  /** A clock that never jumps. */
  readonly steady: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Namespace of the Lease. */
  readonly namespace: string;
  /** Unique among the replicas. */
  readonly identity: string;
  readonly leaseTimes?: LeaseTimes | undefined;
  readonly followOnly?: boolean | undefined;
  readonly startPolicy: (onPolicy: OnPolicy) => PolicyFeed | Promise<PolicyFeed>;
  /** Called with every valid policy, after the pacer has it. */
  readonly onPolicy?: ((policy: PacingPolicy) => void) | undefined;
  /** Called after every change of what the pacer knows. */
  readonly onChange?: (() => void) | undefined;
  readonly hooks?: ReleaseHooks | undefined;
}

export interface Pacing {
  readonly policy: PolicyFeed;
  readonly cluster: ClusterFeed;
  readonly election: LeaderElection;
  readonly loop: ReleaseLoop;
  /** For webhooks and extender. */
  readonly replica: () => ReplicaState;
  /** What the pacer knows has changed by another way, such as telemetry. */
  readonly changed: () => void;
}

/**
 * A leader that has not heard of pods or nodes for this long, in ms, decides on what may be long past: it leaves, so
 * that a replica that hears leads. With none that does, nothing new is held.
 */
const BLIND_AFTER_MS = 30_000;

/** Starts all parts. */
export async function startPacing(options: PacingOptions): Promise<Pacing> {
  const { pacer, client, interner, clock, steady, random, log, namespace, identity } = options;
  // The feeds start before the loop that they wake.
  let loop: ReleaseLoop | undefined = undefined as ReleaseLoop | undefined;
  const changed = () => {
    options.onChange?.();
    loop?.poke();
  };
  const policy = await options.startPolicy((inForce) => {
    pacer.setPolicy(inForce, clock.now());
    options.onPolicy?.(inForce);
    changed();
  });
  const cluster = startClusterFeed({ client, pacer, interner, clock, steady, random, log, onChange: changed });
  const { leaseTimes: times, followOnly } = options;
  const isFit = () => Object.values(cluster.watchAgesMs()).every((ageMs) => ageMs < BLIND_AFTER_MS);
  const lease = {
    client,
    namespace,
    name: LEADER_LEASE,
    identity,
    clock: steady,
    wall: clock,
    random,
    log,
    times,
    followOnly,
  };
  const election = startLeaderElection({
    ...lease,
    isFit,
    note: () => formatLeaderFigures(pacer.leaderFigures(clock.now())),
  });
  const mayAct = () => election.isLeader && cluster.isSynced && policy.isRead;
  loop = createReleaseLoop({ ...options, apply: createApply(leaderClient(client, election), interner), mayAct });
  election.onChange(changed);
  return {
    ...{ policy, cluster, election, loop, changed },
    replica: () => ({ synced: cluster.isSynced, leaderAlive: election.leaderAlive() }),
  };
}
