/** Turns reports of the handlers into metrics and log lines: one line at info for each hold, all others at debug. */
import type { FastifyBaseLogger } from "fastify";
import type { AnnotationsReport } from "../webhooks/annotations.ts";
import type { NodeAdmissionReport } from "../webhooks/nodes.ts";
import type { PodAdmissionReport } from "../webhooks/pods.ts";
import type { SchedulerNameReport } from "../webhooks/scheduler-name.ts";
import type { PodFacts } from "../core/facts.ts";
import type { FilterReport } from "../extender/filter.ts";
import type { PreemptReport } from "../extender/preempt.ts";
import type { FailedStart, LimitMove, ReadyPod } from "../core/verdict.ts";
import { countLimitMove, countVerdict, type Handler, type Metrics } from "./metrics.ts";

/** How a log line names a pod; on CREATE it may have no name yet. */
export const podLabel = ({ namespace, name, shape }: PodFacts) =>
  `${namespace}/${name === "" ? `${shape.ownerName}-*` : name}`;

/** Where each handler's reports go. */
export interface Reporters {
  readonly pod: (report: PodAdmissionReport) => void;
  readonly annotations: (report: AnnotationsReport) => void;
  readonly node: (report: NodeAdmissionReport) => void;
  readonly schedulerName: (report: SchedulerNameReport) => void;
  readonly filter: (report: FilterReport) => void;
  readonly preempt: (report: PreemptReport) => void;
  readonly prioritize: (report: { readonly error: unknown }) => void;
}

/** Makes the reporters of all handlers. */
export function reporters(metrics: Metrics, log: FastifyBaseLogger): Reporters {
  const failed = (handler: Handler, error: unknown) => {
    metrics.handlerFailures.inc({ handler });
    log.error({ err: error, handler }, "failed inside; answered as if paceline were not there");
  };
  const warnedOfWholeNodes = { done: false };

  return {
    pod(report: PodAdmissionReport): void {
      if (report.kind === "failure") {
        failed("mutate-pods", report.error);
        return;
      }
      const { pod, verdict, dryRun, ignored } = report;
      if (!dryRun) countVerdict(metrics, "gate", verdict);
      const fields = { pod: podLabel(pod), reason: verdict.reason, dryRun, ...(ignored.length > 0 && { ignored }) };
      if (verdict.kind === "hold") log.info({ ...fields, node: verdict.node, message: verdict.message }, "held");
      else log.debug({ ...fields, would: verdict.would?.reason }, "allowed");
    },
    annotations(report: AnnotationsReport): void {
      if (report.kind === "failure") {
        failed("mutate-annotations", report.error);
        return;
      }
      const { pod, user, dryRun } = report;
      log.info({ pod, user, dryRun }, "took annotations off a new pod that only paceline may set");
    },
    node(report: NodeAdmissionReport): void {
      if (report.kind === "failure") {
        failed("mutate-nodes", report.error);
        return;
      }
      const { node, dryRun } = report;
      if (report.kind === "observed") {
        if (!dryRun) metrics.wouldFence.inc();
        log.info({ node, dryRun }, "would be fenced, were the mode enforce");
        return;
      }
      if (!dryRun) metrics.fencesRaised.inc();
      log.info({ node, value: report.value, dryRun }, "fenced");
    },
    schedulerName(report: SchedulerNameReport): void {
      if (report.kind === "failure") failed("mutate-scheduler", report.error);
      else if (!report.dryRun) metrics.redirected.inc();
    },
    filter(report: FilterReport): void {
      if (report.kind === "failure") {
        failed("filter", report.error);
        return;
      }
      countOffer(metrics, report);
      if (report.wholeNodes && !warnedOfWholeNodes.done) {
        warnedOfWholeNodes.done = true;
        log.warn("kube-scheduler sends whole nodes: set nodeCacheCapable: true for this extender, it costs much less");
      }
      const { pod, offer, asked } = report;
      log.debug({ pod: podLabel(pod), asked, accepted: offer.accepted.length, reason: offer.reason }, "filtered");
    },
    preempt(report: PreemptReport): void {
      if (report.kind === "failure") {
        failed("preempt", report.error);
        return;
      }
      const { pod, roomOn, nodes } = report;
      log.debug({ pod: podLabel(pod), roomOn, nodes }, roomOn === undefined ? "may evict" : "evicts nothing");
    },
    prioritize(report: { readonly error: unknown }): void {
      failed("prioritize", report.error);
    },
  };
}

/** Logs and counts each move of a limit, with its reason. */
export function reportLimitMoves(moves: readonly LimitMove[], metrics: Metrics, log: FastifyBaseLogger): void {
  for (const move of moves) {
    countLimitMove(metrics, move);
    log.info({ node: move.node, from: move.from, to: move.to }, `limit ${move.why}`);
  }
}

/** Counts each start that failed. */
export function reportFailedStarts(failed: readonly FailedStart[], { failedStarts }: Metrics, log: FastifyBaseLogger) {
  for (const { node, pod, reason } of failed) {
    failedStarts.inc({ reason });
    log.debug({ node, pod, reason }, "a start failed");
  }
}

/** Counts each pod that was Ready for the first time. */
export function countReady(ready: readonly ReadyPod[], { readySeconds }: Metrics): void {
  for (const { state, tookMs } of ready) readySeconds.observe({ state }, tookMs / 1_000);
}

/** An offer counts as a hold when it refused every node. */
function countOffer({ holds, allows }: Metrics, { offer, asked }: Extract<FilterReport, { kind: "offer" }>): void {
  const labels = { lever: "extender", reason: offer.reason };
  if (asked > 0 && offer.accepted.length === 0) holds.inc(labels);
  else allows.inc(labels);
}
