/** The HTTP server: webhooks, extender and operations on one port. It decides nothing and does not listen by itself. */
import { setTimeout as delay } from "node:timers/promises";
import { fastify, LogController, type FastifyError, type FastifyInstance, type FastifyServerOptions } from "fastify";
import type { AppDependencies } from "./dependencies.ts";
import { operationsRoutes } from "./operations.ts";
import { reporters } from "./reports.ts";
import { schedulerRoutes } from "./scheduler.ts";
import type { TlsMaterial } from "./tls.ts";
import { webhookRoutes } from "./webhooks.ts";

/**
 * Largest request body, in bytes: more than the API server's limit for an object (about 1.5 MiB in etcd) and its
 * envelope.
 */
export const BODY_LIMIT_BYTES = 4 * 1_048_576;

/**
 * Idle connections stay open this long, in ms. Go's clients (API server, scheduler) close theirs after 90 s, so the
 * server never closes a connection just as a request comes.
 */
const KEEP_ALIVE_MS = 120_000;

/**
 * Longest part of a path that stands for a name, in characters: Kubernetes' names have at most 253, and each may be
 * escaped as three.
 */
const MAX_NAME_LENGTH = 3 * 253;

/** Builds the app; call `listen` or `inject` on it. */
export function buildApp(dependencies: AppDependencies): FastifyInstance {
  const { log, metrics, tls } = dependencies;
  const options: FastifyServerOptions = {
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    routerOptions: { maxParamLength: MAX_NAME_LENGTH },
    // During shutdown, requests on open connections are answered, not refused.
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

/** Resolves when no client is connected, or after `withinMs`. */
export async function untilUnused(app: FastifyInstance, withinMs: number): Promise<void> {
  const connections = () =>
    new Promise<number>((resolve) => app.server.getConnections((error, count) => resolve(error ? 0 : count)));
  for (let waitedMs = 0; waitedMs < withinMs && (await connections()) > 0; waitedMs += LOOK_MS) await delay(LOOK_MS);
}

/**
 * Time that open requests get to end when the server closes, ms. It is longer than the webhooks' time-out of 2 s, after
 * which no client waits for an answer.
 */
const CLOSE_WITHIN_MS = 2_500;

/**
 * Stops listening and closes idle connections; resolves when every connection is gone. To Node, a connection without
 * any request is not idle, and Go's clients keep such connections in reserve. They are cut after `withinMs`.
 */
export async function closeApp(app: FastifyInstance, withinMs = CLOSE_WITHIN_MS): Promise<void> {
  const cut = setTimeout(() => app.server.closeAllConnections(), withinMs);
  await app.close();
  clearTimeout(cut);
}

/** An app that speaks HTTPS with these certificates, or HTTP. No route depends on that, so one type covers both. */
function newServer(options: FastifyServerOptions, tls: TlsMaterial | undefined): FastifyInstance {
  if (tls === undefined) return fastify(options);
  // A client certificate is requested, and the routes that demand one check it: probes never have one.
  const https = { ...tls, requestCert: tls.ca !== undefined, rejectUnauthorized: false };
  // Fastify's overloads do not say that options for http are also options for https.
  return fastify({ ...options, https } as FastifyServerOptions);
}
