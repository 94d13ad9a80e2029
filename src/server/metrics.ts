/** Every metric of Paceline, in its own registry; docs/metrics.md lists the same ones (a test keeps both equal). */
import { LONGEST_HOLD_SECONDS } from "../policy/caps.ts";
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";
import type { FailedStart, LimitMove, Release, Verdict } from "../core/verdict.ts";
import { nodeGauges } from "./node-gauges.ts";

/** Which lever a verdict belongs to. */
export type Lever = "gate" | "extender";

/** The HTTP handlers that are timed. */
const HANDLERS = [
  "mutate-pods",
  "mutate-annotations",
  "mutate-nodes",
  "mutate-scheduler",
  "validate-policy",
  "filter",
  "prioritize",
  "preempt",
] as const;
export type Handler = (typeof HANDLERS)[number];

/** Upper bounds in s: handlers have budgets of 2 and 5 ms, webhooks a time-out of 2 s. */
const HANDLER_BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2];
/** Upper bounds in s: a hold may last an instant, or as long as any policy allows. */
const HOLD_BUCKETS = [0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 180, 300, LONGEST_HOLD_SECONDS];

/** Upper bounds in s: a start takes a second on an idle node, and minutes in a herd. */
const READY_BUCKETS = [1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1_200];

/** Upper bounds in s: a plan should stay well under the 100 ms from a free slot to a release. */
const PLAN_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

/** Upper bounds in s: a round should stay within its interval, 1.5 s by default. */
const ROUND_BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 5, 10, 30];

const FAILED_STARTS = [
  "Container",
  "SandboxNoAddress",
  "SandboxRateLimited",
  "SandboxTimedOut",
  "SandboxOther",
] as const satisfies readonly FailedStart["reason"][];

interface Beginning {
  readonly handlerFailures: Counter<"handler">;
  readonly writeFailures: Counter<"kind">;
  readonly failedStarts: Counter<"reason">;
}

/** So that the first failure is a rise: a series that begins at 1 has none. */
function beginAtZero({ handlerFailures, writeFailures, failedStarts }: Beginning): void {
  for (const handler of HANDLERS) handlerFailures.inc({ handler }, 0);
  for (const reason of FAILED_STARTS) failedStarts.inc({ reason }, 0);
  for (const kind of ["release", "fence", "hold"]) writeFailures.inc({ kind }, 0);
}

/** Gauges that are named as counters; `nodejs_active_handles` and so on have the same figures by kind. */
const MISNAMED = ["handles", "requests", "resources"].map((what) => `nodejs_active_${what}_total`);

/** Makes all metrics. Call it once for each service: nothing is global. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  const metrics = {
    registry,
    ...verdictMetrics(registers),
    ...fenceMetrics(registers),
    ...handlerMetrics(registers),
    ...serviceMetrics(registers),
    ...certificateMetrics(registers),
    nodes: nodeGauges(registers),
  };
  beginAtZero(metrics);
  return metrics;
}

export type Metrics = ReturnType<typeof createMetrics>;

function verdictMetrics(registers: Registry[]) {
  return {
    holds: new Counter({
      name: "paceline_holds_total",
      help: "Pods held by the gate, and questions of the scheduler that a hold refused on every node, by reason.",
      labelNames: ["lever", "reason"] as const,
      registers,
    }),
    allows: new Counter({
      name: "paceline_allows_total",
      help: "Pods let through without being held, by reason.",
      labelNames: ["lever", "reason"] as const,
      registers,
    }),
    wouldHold: new Counter({
      name: "paceline_observed_holds_total",
      help: "Pods that would have been held, had the policy's mode not been observe.",
      labelNames: ["lever", "reason"] as const,
      registers,
    }),
    releases: new Counter({
      name: "paceline_releases_total",
      help: "Held pods that this replica released, by reason.",
      labelNames: ["reason"] as const,
      registers,
    }),
    releasesOverLimit: new Counter({
      name: "paceline_releases_over_limit_total",
      help: "Pods that this replica let go near their hold cap though no slot was free for them.",
      registers,
    }),
    holdSeconds: new Histogram({
      name: "paceline_hold_duration_seconds",
      help: "How long pods had been held when this replica released them.",
      buckets: HOLD_BUCKETS,
      registers,
    }),
    readySeconds: new Histogram({
      name: "paceline_ready_duration_seconds",
      help: "Time until a pod was first Ready, since it was there and its node open, by the state of its node then.",
      labelNames: ["state"] as const,
      buckets: READY_BUCKETS,
      registers,
    }),
    planSeconds: new Histogram({
      name: "paceline_plan_duration_seconds",
      help: "Time that the leader took to decide what to do next.",
      buckets: PLAN_BUCKETS,
      registers,
    }),
    limitMoves: new Counter({
      name: "paceline_limit_moves_total",
      help: "Moves of nodes' limits of slots, as this replica has learnt their disks, by direction: up or down.",
      labelNames: ["direction"] as const,
      registers,
    }),
    failedStarts: new Counter({
      name: "paceline_failed_starts_total",
      help: "Starts that failed as status or Events tell, by reason: a container, or the sandbox and why.",
      labelNames: ["reason"] as const,
      registers,
    }),
    redirected: new Counter({
      name: "paceline_redirected_pods_total",
      help: "Pods that were handed to the second scheduler by spec.schedulerName.",
      registers,
    }),
  };
}

function fenceMetrics(registers: Registry[]) {
  return {
    fencesRaised: new Counter({
      name: "paceline_fences_raised_total",
      help: "Nodes that joined with the fence up.",
      registers,
    }),
    wouldFence: new Counter({
      name: "paceline_observed_fences_total",
      help: "Nodes that would have joined with the fence up, had the policy's mode not been observe.",
      registers,
    }),
    rollCalls: new Counter({
      name: "paceline_roll_calls_total",
      help: "Nodes that this replica cordoned for a moment in the fence's place, so that their DaemonSet pods came first.",
      registers,
    }),
    fencesLifted: new Counter({
      name: "paceline_fences_lifted_total",
      help: "Fences taken down by this replica, by reason.",
      labelNames: ["reason"] as const,
      registers,
    }),
  };
}

function handlerMetrics(registers: Registry[]) {
  return {
    handlerSeconds: new Histogram({
      name: "paceline_handler_duration_seconds",
      help: "Time from a read request body to the answer, by handler.",
      labelNames: ["handler"] as const,
      buckets: HANDLER_BUCKETS,
      registers,
    }),
    handlerFailures: new Counter({
      name: "paceline_handler_failures_total",
      help: "Requests answered as if Paceline were not there, because something went wrong inside (fails open).",
      labelNames: ["handler"] as const,
      registers,
    }),
    malformedRequests: new Counter({
      name: "paceline_malformed_requests_total",
      help: "Requests refused because their body is not what the protocol says.",
      labelNames: ["handler"] as const,
      registers,
    }),
  };
}

function certificateMetrics(registers: Registry[]) {
  return {
    certificateBegin: new Gauge({
      name: "paceline_certificate_begin_timestamp_seconds",
      help: "When the certificate that this replica shows began to be valid, in Unix time; 0 where it shows none.",
      registers,
    }),
    certificateEnd: new Gauge({
      name: "paceline_certificate_end_timestamp_seconds",
      help: "When the certificate that this replica shows ends, in Unix time; 0 where it shows none.",
      registers,
    }),
  };
}

function serviceMetrics(registers: Registry[]) {
  return {
    leading: new Gauge({ name: "paceline_leader", help: "1 while this replica is the leader.", registers }),
    leaderAlive: new Gauge({
      name: "paceline_leader_alive",
      help: "1 while some replica's Lease is fresh; at 0 nothing is gated or fenced.",
      registers,
    }),
    synced: new Gauge({
      name: "paceline_synced",
      help: "1 once this replica has seen the whole cluster.",
      registers,
    }),
    policyValid: new Gauge({
      name: "paceline_policy_valid",
      help: "1 while the policy in the cluster is the one in force; 0 when it has errors and an earlier one is kept.",
      registers,
    }),
    webhookSilence: new Gauge({
      name: "paceline_webhook_silence_seconds",
      help: "Time since the first new pod about which no replica was asked, on the leader; 0 when they are asked.",
      registers,
    }),
    watchAge: new Gauge({
      name: "paceline_watch_age_seconds",
      help: "Time since the API server last told of these objects, by resource.",
      labelNames: ["resource"] as const,
      registers,
    }),
    telemetryFailures: new Counter({
      name: "paceline_telemetry_failures_total",
      help: "Readings of a node's figures that came to nothing, by kind.",
      labelNames: ["kind"] as const,
      registers,
    }),
    telemetryRounds: new Histogram({
      name: "paceline_telemetry_round_duration_seconds",
      help: "Time from the first question to the last answer of one round of telemetry.",
      buckets: ROUND_BUCKETS,
      registers,
    }),
    holdCap: new Gauge({
      name: "paceline_hold_cap_seconds",
      help: "The longest that a pod is held, as the policy's maxHoldSeconds says; pods may have lower caps of their own.",
      registers,
    }),
    apiRequests: new Counter({
      name: "paceline_api_requests_total",
      help: "Requests to the API server, without watches, by method and status code; code 0 had no answer.",
      labelNames: ["method", "code"] as const,
      registers,
    }),
    eventsDropped: new Counter({
      name: "paceline_events_dropped_total",
      help: "Kubernetes Events that were not written, because too many came at a time or the API server refused them.",
      registers,
    }),
    writeFailures: new Counter({
      name: "paceline_write_failures_total",
      help: "Writes to pods and nodes that the API server refused or that failed, by kind; they are tried again.",
      labelNames: ["kind"] as const,
      registers,
    }),
  };
}

/** Counts one verdict of a lever. */
export function countVerdict({ holds, allows, wouldHold }: Metrics, lever: Lever, verdict: Verdict): void {
  if (verdict.kind === "hold") {
    holds.inc({ lever, reason: verdict.reason });
    return;
  }
  allows.inc({ lever, reason: verdict.reason });
  if (verdict.would !== undefined) wouldHold.inc({ lever, reason: verdict.would.reason });
}

/** Counts one release. `heldMs` is undefined for a pod whose hold is unknown. */
export function countRelease(
  { releases, releasesOverLimit, holdSeconds }: Metrics,
  { reason, overLimit }: Pick<Release, "reason" | "overLimit">,
  heldMs: number | undefined,
): void {
  releases.inc({ reason });
  if (overLimit) releasesOverLimit.inc();
  if (heldMs !== undefined) holdSeconds.observe(heldMs / 1_000);
}

/** Counts one move of a limit. */
export function countLimitMove({ limitMoves }: Metrics, { from, to }: LimitMove): void {
  limitMoves.inc({ direction: to > from ? "up" : "down" });
}
