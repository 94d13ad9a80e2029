/**
 * Routes of the scheduler extender. They fail open: with `ignorable: true` kube-scheduler goes on after an error
 * status. Filter uses slots by offering them, so with TLS and a client CA it demands a client certificate.
 */
import type { FastifyInstance } from "fastify";
import { parseExtenderArgs, parseExtenderPreemptionArgs } from "../api/extender.ts";
import { schedulerFilter } from "../extender/filter.ts";
import { schedulerPreempt } from "../extender/preempt.ts";
import { schedulerPrioritize } from "../extender/prioritize.ts";
import type { AppDependencies } from "./dependencies.ts";
import { demandClientCertificate } from "./client-certificate.ts";
import type { Reporters } from "./reports.ts";
import { timed } from "./timed.ts";

/** Adds `/scheduler/filter`, `/scheduler/prioritize` and `/scheduler/preempt`. */
export function schedulerRoutes(app: FastifyInstance, dependencies: AppDependencies, reports: Reporters): void {
  const { pacer, toPodFacts, state, now, metrics, tls } = dependencies;
  const replica = () => state.replica();
  const filter = schedulerFilter({ pacer, toPodFacts, replica, now, report: reports.filter });
  const preempt = schedulerPreempt({ pacer, toPodFacts, replica, now, report: reports.preempt });
  const prioritize = schedulerPrioritize({ pacer, toPodFacts, now, report: reports.prioritize });

  app.register((scope, _options, done) => {
    if (tls?.ca !== undefined) demandClientCertificate(scope);
    scope.post(
      "/scheduler/filter",
      timed(metrics, "filter", (body) => filter(parseExtenderArgs(body))),
    );
    scope.post(
      "/scheduler/prioritize",
      timed(metrics, "prioritize", (body) => prioritize(parseExtenderArgs(body))),
    );
    scope.post(
      "/scheduler/preempt",
      timed(metrics, "preempt", (body) => preempt(parseExtenderPreemptionArgs(body))),
    );
    done();
  });
}
