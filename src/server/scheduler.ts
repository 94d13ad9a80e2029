/**
 * Routes of the scheduler extender. They fail open: with `ignorable: true` kube-scheduler goes on after an error status.
 * Filter spends slots by offering, so with TLS and a client CA it is for holders of a client certificate only.
 */
import { TLSSocket } from "node:tls";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { parseExtenderArgs } from "../api/extender.ts";
import { schedulerFilter } from "../extender/filter.ts";
import { schedulerPrioritize } from "../extender/prioritize.ts";
import type { AppDependencies } from "./app.ts";
import type { Reporters } from "./reports.ts";
import { timed } from "./timed.ts";

/** The sender's certificate is missing, or not signed by the client CA. */
class ClientCertificateError extends Error {
  override readonly name = "ClientCertificateError";
  readonly statusCode = 403;
}

/** Refuses requests without a client certificate that the CA has signed. */
function requireClientCertificate({ socket }: FastifyRequest): void {
  if (!(socket instanceof TLSSocket && socket.authorized)) {
    throw new ClientCertificateError("needs a client certificate of --client-ca-file (the extender's tlsConfig)");
  }
}

/** Adds `/scheduler/filter` and `/scheduler/prioritize`. */
export function schedulerRoutes(app: FastifyInstance, dependencies: AppDependencies, reports: Reporters): void {
  const { pacer, toPodFacts, state, now, metrics, tls } = dependencies;
  const filter = schedulerFilter({ pacer, toPodFacts, replica: () => state.replica(), now, report: reports.filter });
  const prioritize = schedulerPrioritize({ pacer, toPodFacts, now, report: reports.prioritize });

  app.register((scope, _options, done) => {
    if (tls?.ca !== undefined) {
      scope.addHook("onRequest", (request, _reply, next) => {
        requireClientCertificate(request);
        next();
      });
    }
    scope.post(
      "/scheduler/filter",
      timed(metrics, "filter", (body) => filter(parseExtenderArgs(body))),
    );
    scope.post(
      "/scheduler/prioritize",
      timed(metrics, "prioritize", (body) => prioritize(parseExtenderArgs(body))),
    );
    done();
  });
}
