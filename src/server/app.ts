/** The HTTP surface: webhooks, extender and operations on one port. Composes the edges, decides nothing, does not listen. */
import { setTimeout as delay } from "node:timers/promises";
import { fastify, LogController, type FastifyError, type FastifyInstance, type FastifyServerOptions } from "fastify";
import type { AppDependencies } from "./dependencies.ts";
import { operationsRoutes } from "./operations.ts";
import { reporters } from "./reports.ts";
import { schedulerRoutes } from "./scheduler.ts";
import type { TlsMaterial } from "./tls.ts";
import { webhookRoutes } from "./webhooks.ts";

/** Largest request body, in bytes: above the API server's own limit for an object (about 1.5 MiB in etcd) with its envelope. */
export const BODY_LIMIT_BYTES = 4 * 1_048_576;

/**
 * Idle connections stay open this long, in ms: longer than the 90 s after which Go's clients (API server, scheduler)
 * close theirs, so that it is never us who closes just as a request comes.
 */
const KEEP_ALIVE_MS = 120_000;

/** Builds the app; call `listen` or `inject` on it. */
export function buildApp(dependencies: AppDependencies): FastifyInstance {
  const { log, metrics, tls } = dependencies;
  const options: FastifyServerOptions = {
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // A request that comes on an open connection during shutdown is answered, not refused.
    return503OnClosing: false,
    forceCloseConnections: "idle",
  };
  const app = newServer(options, tls);
  const reports = reporters(metrics, log);
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const code = error.statusCode ?? 500;
    if (code >= 500) log.error({ err: error, url: request.url }, "request failed");
    else log.warn({ url: request.url, code, error: error.message }, "request refused");
    return reply.code(code).send({ error: code >= 500 ? "internal error; see the log" : error.message });
  });
  app.addHook("onRequest", (_request, reply, done) => {
    if (dependencies.isLeaving?.()) reply.header("connection", "close");
    done();
  });
  app.addHook("onResponse", (request, reply, done) => {
    log.debug({ method: request.method, url: request.url, code: reply.statusCode, ms: reply.elapsedTime }, "answered");
    done();
  });
  webhookRoutes(app, dependencies, reports);
  schedulerRoutes(app, dependencies, reports);
  operationsRoutes(app, dependencies);
  return app;
}

/** Between two looks at the number of connections, ms. */
const LOOK_MS = 25;

/** Resolves when nobody is connected, or after so many ms. */
export async function untilUnused(app: FastifyInstance, withinMs: number): Promise<void> {
  const connections = () =>
    new Promise<number>((resolve) => app.server.getConnections((error, count) => resolve(error ? 0 : count)));
  for (let waitedMs = 0; waitedMs < withinMs && (await connections()) > 0; waitedMs += LOOK_MS) await delay(LOOK_MS);
}

/**
 * Requests under way get so long to end when the server closes, ms: more than the webhooks' time-out of 2 s, after which
 * nobody waits for an answer any more.
 */
const CLOSE_WITHIN_MS = 2_500;

/**
 * Stops listening and closes what is idle; resolves when every connection is gone. A connection on which no request has
 * come yet does not count as idle to Node, and Go's clients keep such ones in reserve: they are cut after a while.
 */
export async function closeApp(app: FastifyInstance, withinMs = CLOSE_WITHIN_MS): Promise<void> {
  const cut = setTimeout(() => app.server.closeAllConnections(), withinMs);
  await app.close();
  clearTimeout(cut);
}

/** An app that speaks HTTPS with these certificates, or HTTP. No route depends on which, so one type covers both. */
function newServer(options: FastifyServerOptions, tls: TlsMaterial | undefined): FastifyInstance {
  if (tls === undefined) return fastify(options);
  // A client certificate is asked for, and checked by the routes that demand one: probes never have any.
  const https = { ...tls, requestCert: tls.ca !== undefined, rejectUnauthorized: false };
  // Fastify's overloads do not tell that options for http are options for https as well.
  return fastify({ ...options, https } as FastifyServerOptions);
}
