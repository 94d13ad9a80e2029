/**
 * Routes of the admission webhooks. They fail open: an error status makes the API server go on (failurePolicy Ignore).
 * Every client may call them, unless the service demands the API server's client certificate.
 */
import type { FastifyInstance } from "fastify";
import {
  admissionAnswer,
  parseAdmissionReview,
  type AdmissionRequest,
  type AdmissionResponse,
} from "../api/admission-review.ts";
import { annotationsAdmission } from "../webhooks/annotations.ts";
import { nodeAdmission } from "../webhooks/nodes.ts";
import { podAdmission } from "../webhooks/pods.ts";
import { admitPolicy } from "../webhooks/policy.ts";
import { schedulerNameAdmission } from "../webhooks/scheduler-name.ts";
import type { AppDependencies } from "./dependencies.ts";
import { demandClientCertificate } from "./client-certificate.ts";
import type { Handler } from "./metrics.ts";
import { timed } from "./timed.ts";
import type { Reporters } from "./reports.ts";

type Admit = (request: AdmissionRequest) => AdmissionResponse;

/** Adds the routes of all webhooks; `/mutate/scheduler` if it is configured. */
export function webhookRoutes(app: FastifyInstance, dependencies: AppDependencies, reports: Reporters): void {
  app.register((scope, _options, done) => {
    if (dependencies.webhookClients) demandClientCertificate(scope);
    addRoutes(scope, dependencies, reports);
    done();
  });
}

function addRoutes(app: FastifyInstance, dependencies: AppDependencies, reports: Reporters): void {
  const { pacer, toPodFacts, formatHold, state, now, metrics, secondScheduler } = dependencies;
  const replica = () => state.replica();
  const policy = () => state.policy();

  const route = (path: string, handler: Handler, admit: Admit) =>
    app.post(
      path,
      timed(metrics, handler, (body) => admissionAnswer(admit(parseAdmissionReview(body)))),
    );
  route(
    "/mutate/pods",
    "mutate-pods",
    podAdmission({ pacer, toPodFacts, formatHold, replica, now, report: reports.pod }),
  );
  route("/mutate/annotations", "mutate-annotations", annotationsAdmission({ policy, report: reports.annotations }));
  route("/mutate/nodes", "mutate-nodes", nodeAdmission({ policy, replica, now, report: reports.node }));
  route("/validate/policy", "validate-policy", admitPolicy);
  if (secondScheduler !== undefined) {
    const admit = schedulerNameAdmission({ ...secondScheduler, report: reports.schedulerName });
    route("/mutate/scheduler", "mutate-scheduler", admit);
  }
}
