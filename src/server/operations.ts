/** Routes for people and probes: health, readiness, metrics, status. */
import type { FastifyInstance } from "fastify";
import { nodeAnswer, statusAnswer } from "./answers.ts";
import type { AppDependencies } from "./dependencies.ts";
import { pageRoutes } from "./page.ts";
import { missingForReady } from "./state.ts";

const flag = (on: boolean) => (on ? 1 : 0);

/** Sets the gauges. Counters and histograms are up to date already. */
function refreshGauges({ pacer, state, now, metrics }: AppDependencies): void {
  const nowMs = now();
  const { alive, leading } = state.leader();
  metrics.leading.set(flag(leading));
  metrics.leaderAlive.set(flag(alive));
  metrics.webhookSilence.set(leading ? pacer.silence.silentMs(nowMs) / 1_000 : 0);
  metrics.synced.set(flag(state.replica().synced));
  metrics.policyValid.set(flag(state.policyValid()));
  metrics.holdCap.set(state.policy()?.maxHoldSeconds ?? 0);
  const span = state.certificateSpan?.();
  metrics.certificateBegin.set((span?.beginMs ?? 0) / 1_000);
  metrics.certificateEnd.set((span?.endMs ?? 0) / 1_000);
  metrics.eventsDropped.reset();
  metrics.eventsDropped.inc(state.eventsDropped());
  for (const [resource, ageMs] of Object.entries(state.watchAgesMs(nowMs))) {
    metrics.watchAge.set({ resource }, ageMs / 1_000);
  }
  metrics.nodes.set(pacer.status(nowMs), state.telemetryAgesMs(nowMs));
}

/** Adds `/healthz`, `/readyz`, `/metrics`, `/status.json`, `/status/…`, and the page at `/` that shows them. */
export function operationsRoutes(app: FastifyInstance, dependencies: AppDependencies): void {
  app.get("/healthz", () => ({ ok: true }));
  app.get("/readyz", (_request, reply) => {
    const missing = missingForReady(dependencies.state, dependencies.now());
    return reply.code(missing.length === 0 ? 200 : 503).send({ ready: missing.length === 0, missing });
  });
  app.get("/metrics", async (_request, reply) => {
    refreshGauges(dependencies);
    const { registry } = dependencies.metrics;
    return reply.type(registry.contentType).send(await registry.metrics());
  });
  app.get("/status.json", () => statusAnswer(dependencies));
  app.get<{ Params: { namespace: string; name: string } }>("/status/pods/:namespace/:name", ({ params }) =>
    dependencies.pacer.podAnswer(params.namespace, params.name, dependencies.now()),
  );
  app.get<{ Params: { name: string } }>("/status/nodes/:name", ({ params: { name } }, reply) => {
    const answer = nodeAnswer(dependencies, name);
    return answer ?? reply.code(404).send({ error: `no node ${name} is known here` });
  });
  pageRoutes(app, dependencies);
}
