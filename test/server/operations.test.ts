/** Probes, metrics and status. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { FastifyBaseLogger } from "fastify";
import { describe, expect, it } from "vitest";
import { allowReasons, holdReasons, liftReasons, releaseReasons } from "../../src/api/reasons.ts";
import { nodeName } from "../../src/core/ids.ts";
import { countRelease } from "../../src/server/metrics.ts";
import { testApp } from "../support/app.ts";
import { reportFailedStarts, reportLimitMoves } from "../../src/server/reports.ts";
import { aNode, anOldNode, aPod, bound, changed, START_MS } from "../support/core-facts.ts";

describe("/readyz", () => {
  it("is ready when the caches are synced and a policy is in force", async () => {
    const answer = await testApp().app.inject("/readyz");
    expect([answer.statusCode, answer.json()]).toEqual([200, { ready: true, missing: [] }]);
  });

  it("lists everything that is missing", async () => {
    const state = { replica: () => ({ synced: false, leaderAlive: true }), policy: () => undefined };
    const answer = await testApp({ state }).app.inject("/readyz");
    expect(answer.statusCode).toBe(503);
    expect(answer.json<{ missing: string[] }>().missing).toHaveLength(2);
  });

  it("is not ready while its certificate is missing or has expired, since it could not be called", async () => {
    for (const [endMs, status] of [
      [undefined, 503],
      [START_MS, 503],
      [START_MS + 1, 200],
    ] as const) {
      const span = endMs === undefined ? undefined : { beginMs: endMs - 7_000, endMs };
      const { app } = testApp({ state: { certificateSpan: () => span } });
      expect((await app.inject("/readyz")).statusCode).toBe(status);
      const { body } = await app.inject("/metrics");
      expect(body).toContain(`paceline_certificate_begin_timestamp_seconds ${(span?.beginMs ?? 0) / 1_000}`);
      expect(body).toContain(`paceline_certificate_end_timestamp_seconds ${(span?.endMs ?? 0) / 1_000}`);
    }
  });

  it("is not ready once it is about to end, so that callers go elsewhere", async () => {
    const { app } = testApp({ dependencies: { isLeaving: () => true } });
    expect((await app.inject("/healthz")).headers.connection).toBe("close");
  });

  it("does not depend on a leader: webhooks fail open without one", async () => {
    const state = { replica: () => ({ synced: true, leaderAlive: false }) };
    expect((await testApp({ state }).app.inject("/readyz")).statusCode).toBe(200);
  });
});

it("/healthz answers even before anything is synced", async () => {
  const state = { replica: () => ({ synced: false, leaderAlive: false }), policy: () => undefined };
  expect((await testApp({ state }).app.inject("/healthz")).statusCode).toBe(200);
});

it("an unknown path gets 404", async () => {
  expect((await testApp().app.inject("/nowhere")).statusCode).toBe(404);
});

describe("/status/pods and /status/nodes", () => {
  it("answer about names as long as Kubernetes allows them, 253 characters", async () => {
    const name = "n".repeat(253);
    const { app, pacer } = testApp({ nodes: [aNode(name)] });
    pacer.upsertPod(bound(aPod(name), name), START_MS);
    expect((await app.inject(`/status/nodes/${name}`)).json()).toMatchObject({ node: name });
    expect((await app.inject(`/status/pods/default/${name}`)).json()).toMatchObject({ node: name });
  });
});

describe("/status.json", () => {
  it("shows the paced nodes, the leader and the version", async () => {
    const { app, pacer } = testApp({ nodes: [aNode("young"), anOldNode("old")] });
    pacer.upsertPod(bound(aPod("a"), "young"), START_MS);
    expect((await app.inject("/status.json")).json()).toMatchObject({
      version: "0.0.0-test",
      synced: true,
      policyValid: true,
      leader: { holder: "me", alive: true, leading: true },
      mode: "enforce",
      nodes: [{ name: "young", state: "young", inStartup: 1 }],
      settledNodes: 1,
    });
  });
});

describe("/status.json of a replica that does not lead", () => {
  it("shows the limits that the leader has published", async () => {
    const leader = (leading: boolean) => () => ({ holder: "other", alive: true, leading });
    const leaderFigures = () => new Map([["young", { limit: 77, sampledMs: START_MS - 60_000 }]]);
    const shown = async (leading: boolean) => {
      const { app } = testApp({
        nodes: [aNode("young"), aNode("new")],
        state: { leader: leader(leading), leaderFigures },
      });
      return (await app.inject("/status.json")).json<{ nodes: object[] }>().nodes;
    };
    const [own] = await shown(true);
    expect(own).not.toMatchObject({ limit: 77 });
    expect(await shown(false)).toMatchObject([
      { ...own, limit: 77, limitMove: expect.stringContaining("published") as string },
      { name: "new" },
    ]);
  });
});

describe("/metrics", () => {
  it("says for how long new pods have come about which no replica was asked, on the leader only", async () => {
    for (const [leading, seconds] of [
      [true, 400],
      [false, 0],
    ] as const) {
      const state = { leader: () => ({ holder: "me", alive: true, leading }) };
      const { app, pacer } = testApp({ state });
      const createdAtMs = START_MS - 400_000;
      pacer.upsertPod(aPod("a", { createdAtMs }), createdAtMs);
      expect((await app.inject("/metrics")).body).toContain(`paceline_webhook_silence_seconds ${seconds}\n`);
      expect((await app.inject("/status.json")).json()).toMatchObject({ silentSeconds: 400 });
    }
  });

  it("has the age of every node's figures, also of settled nodes", async () => {
    const state = { telemetryAgesMs: () => new Map([[nodeName("old"), 250]]) };
    const { app } = testApp({ nodes: [anOldNode("old")], state });
    expect((await app.inject("/metrics")).body).toContain('paceline_telemetry_age_seconds{node="old"} 0.25');
  });

  it("has figures of the paced nodes and forgets nodes that are gone", async () => {
    const young = aNode("young");
    const { app, pacer } = testApp({ nodes: [young, anOldNode("old")] });
    pacer.upsertPod(bound(aPod("a"), "young"), START_MS);
    const before = (await app.inject("/metrics")).body;
    expect(before).toContain('paceline_node_in_startup_pods{node="young"} 1');
    expect(before).toContain('paceline_nodes{state="young"} 1');
    expect(before).toContain('paceline_nodes{state="settled"} 1');
    expect(before).toContain('paceline_watch_age_seconds{resource="pods"} 1.5');
    expect(before).not.toContain('{node="old"}');
    pacer.deleteNode(young.name, START_MS);
    expect((await app.inject("/metrics")).body).not.toContain('{node="young"}');
  });

  it("counts releases by reason and measures how long pods were held", async () => {
    const { app, metrics } = testApp();
    countRelease(metrics, { reason: "SlotFree" }, 1_500);
    countRelease(metrics, { reason: "NearHoldCap", overLimit: true }, undefined);
    const { body } = await app.inject("/metrics");
    expect(body).toContain("paceline_releases_over_limit_total 1");
    expect(body).toContain('paceline_releases_total{reason="SlotFree"} 1');
    expect(body).toContain('paceline_hold_duration_seconds_bucket{le="1"} 0');
    expect(body).toContain('paceline_hold_duration_seconds_bucket{le="2"} 1');
  });

  it("counts each change of a limit, and the log says why it changed", async () => {
    const { app, metrics, pacer } = testApp({ nodes: [aNode("n1")] });
    const pod = bound(aPod("a"), "n1");
    pacer.upsertPod(pod, START_MS);
    pacer.upsertPod(changed(pod, { overloadFailures: 1 }), START_MS);
    const lines: unknown[] = [];
    const moves = pacer.takeMoves();
    reportLimitMoves(moves, metrics, {
      info: (...line: unknown[]) => lines.push(line),
    } as unknown as FastifyBaseLogger);
    expect(lines).toEqual([[{ node: "n1", from: 32, to: 16 }, "limit cut to 16: a container of a failed to start"]]);
    expect((await app.inject("/metrics")).body).toContain('paceline_limit_moves_total{direction="down"} 1');
    expect((await app.inject("/status.json")).json()).toMatchObject({
      nodes: [{ limit: 16, limitMove: "cut to 16: a container of a failed to start" }],
    });
    expect(pacer.takeMoves()).toEqual([]);
  });

  it("counts each start that failed, by reason", async () => {
    const { app, metrics, pacer } = testApp({ nodes: [aNode("n1")] });
    const pod = bound(aPod("a"), "n1");
    pacer.upsertPod(pod, START_MS);
    pacer.observeSandboxFailure({ pod: pod.uid, node: nodeName("n1"), cause: "NoAddress" }, START_MS);
    pacer.upsertPod(changed(pod, { overloadFailures: 1 }), START_MS);
    const lines: unknown[] = [];
    const log = { debug: (fields: unknown) => lines.push(fields) } as unknown as FastifyBaseLogger;
    reportFailedStarts(pacer.takeFailedStarts(), metrics, log);
    const { body } = await app.inject("/metrics");
    expect(body).toContain('paceline_failed_starts_total{reason="SandboxNoAddress"} 1');
    expect(body).toContain('paceline_failed_starts_total{reason="Container"} 1');
    expect(lines[0]).toEqual({ node: "n1", pod: "default/a", reason: "SandboxNoAddress" });
  });

  it("times every handler", async () => {
    const { app } = testApp();
    await app.inject({ method: "POST", url: "/scheduler/filter", payload: {} });
    expect((await app.inject("/metrics")).body).toContain(
      'paceline_handler_duration_seconds_count{handler="filter"} 1',
    );
  });
});

describe("documentation", () => {
  /** The rows of a page's tables, without prettier's padding. */
  const squeezed = (row: string) => row.replace(/\s+/g, " ");
  const rowsOf = (page: string) =>
    readFileSync(join(import.meta.dirname, "../../docs", page), "utf8")
      .split("\n")
      .filter((line) => line.startsWith("| `"))
      .map(squeezed);

  it("docs/metrics.md lists the metrics that exist, with type, labels and help, and no others", () => {
    const metrics = testApp().metrics.registry.getMetricsAsArray() as unknown as MetricDescription[];
    const rows = metrics
      .filter(({ name }) => name.startsWith("paceline_"))
      .map(({ name, type, labelNames = [], help }) => {
        const labels = labelNames.filter((label) => label !== "le").join(", ");
        return squeezed(`| \`${name}\` | ${type} | ${labels} | ${help} |`);
      });
    expect(rowsOf("metrics.md").toSorted()).toEqual(rows.toSorted());
  });

  it("docs/reasons.md lists the reasons that exist, with their sentences, and no others", () => {
    const rows = [holdReasons, releaseReasons, liftReasons, allowReasons].flatMap((reasons) =>
      Object.entries(reasons).map(([reason, sentence]) => `| \`${reason}\` | ${sentence} |`),
    );
    expect(rowsOf("reasons.md")).toEqual(rows);
  });
});

/** A metric as prom-client stores it. */
interface MetricDescription {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labelNames?: readonly string[];
}
