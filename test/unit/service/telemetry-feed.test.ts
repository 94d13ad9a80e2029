/**
 * The feed between policy, source and decision core: live changes of the policy, and bad servers, which must not block
 * decisions.
 */
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createTelemetryFeed } from "../../../src/service/telemetry-feed.ts";
import { createApiClient } from "../../../src/kube/client/api-client.ts";
import { systemClock } from "../../../src/kube/clock.ts";
import type { Log } from "../../../src/kube/log.ts";
import type { NodeSample } from "../../../src/core/facts.ts";
import { createPacer } from "../../../src/core/pacer.ts";
import { nodeName, type NodeName } from "../../../src/core/ids.ts";
import { defaultPolicy } from "../../../src/policy/parse.ts";
import type { PacingPolicyInput } from "../../../src/policy/schema.ts";
import type { Telemetry } from "../../../src/policy/telemetry.ts";
import type { TelemetryFailureKind, TelemetryTarget } from "../../../src/telemetry/source.ts";
import { aDaemonPod, aGatedPod, aNode, anOldNode } from "../../support/core-facts.ts";
import { longestWaitMs, threadCpuMs } from "../../support/thread-cpu.ts";
import {
  answerExporter,
  answerKubelet,
  answerPrometheus,
  exporterPage,
  promAnswer,
  promNode,
} from "../telemetry/source-answers.ts";

async function serve(listener: RequestListener, host = "127.0.0.1", port = 0): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const settings = (telemetry: NonNullable<PacingPolicyInput["telemetry"]>): Telemetry =>
  defaultPolicy({ telemetry }).telemetry;
const usual = { intervalMs: 250, timeoutMs: 200 };
/** The time-out is longer than a policy allows, so that a busy machine does not cause one. */
const patient = (of: Telemetry) => ({ ...of, ...("timeoutMs" in of && { timeoutMs: 20_000 }) }) as Telemetry;

function feedFor(
  apiPort: number,
  targets: readonly TelemetryTarget[] | (() => readonly TelemetryTarget[]),
  onSample?: (sample: NodeSample, node: NodeName) => void,
) {
  const lines: string[] = [];
  const say = (_fields: object, message: string) => void lines.push(message);
  const log: Log = { debug: say, info: say, warn: say, error: say };
  const client = createApiClient({ url: `http://127.0.0.1:${apiPort}` });
  const samples: { node: string; sample: NodeSample }[] = [];
  const failures: string[] = [];
  const rounds: number[] = [];
  const feed = createTelemetryFeed({
    client,
    clock: systemClock,
    random: Math.random,
    log,
    targets: typeof targets === "function" ? targets : () => targets,
    onSample(node, sample) {
      samples.push({ node, sample });
      onSample?.(sample, node);
    },
    onFailure: ({ kind }) => failures.push(kind),
    onRound: ({ durationMs }) => rounds.push(durationMs),
  });
  onTestFinished(async () => {
    await feed.stop();
    await client.close();
  });
  return { feed, samples, failures, rounds, lines };
}

const here: TelemetryTarget = { name: nodeName("a"), address: "127.0.0.1", paced: true };
const soon = (holds: () => void) => vi.waitFor(holds, { timeout: 50_000, interval: 10 });

describe("a change of policy", () => {
  it("switches the source live: later answers of the old one no longer count", async () => {
    const waiting: ServerResponse[] = [];
    const slow = await serve((_request, response) => void waiting.push(response));
    const exporter = await serve(answerExporter);
    const prometheus = await serve(answerPrometheus);
    const kubelet = await serve(answerKubelet);
    const { feed, samples, failures } = feedFor(kubelet, [here]);

    feed.use(patient(settings({ source: "prometheus", url: `http://127.0.0.1:${slow}`, ...usual })));
    await soon(() => expect(waiting.length).toBe(1));
    feed.use(patient(settings({ source: "node-exporter", port: exporter, ...usual })));
    waiting[0]?.end(promAnswer(promNode(1)));
    await soon(() => expect(samples.length).toBeGreaterThanOrEqual(2));
    expect(samples[0]?.sample.ioPressure).toBeUndefined(); // a first scrape knows no rate; Prometheus' answer would
    expect(failures).toEqual([]);

    feed.use(patient(settings({ source: "kubelet", ...usual })));
    await soon(() => expect(samples.at(-1)?.sample.cpuPressure).toBe(0.5));
    feed.use(patient(settings({ source: "prometheus", url: `http://127.0.0.1:${prometheus}`, ...usual })));
    await soon(() => expect(samples.at(-1)?.sample.cores).toBe(4));
    feed.use(settings({ source: "none" }));
    const told = samples.length;
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect([samples.length, failures]).toEqual([told, []]);
    expect(feed.agesMs(Date.now()).get(here.name)).toBeGreaterThanOrEqual(600);
  });

  it("that changes nothing of telemetry leaves the source alone", async () => {
    let asked = 0;
    const port = await serve(() => void (asked += 1));
    const { feed } = feedFor(port, [here]);
    const same = () => settings({ source: "prometheus", url: `http://127.0.0.1:${port}`, intervalMs: 5_000 });
    for (let turn = 0; turn < 5; turn += 1) feed.use(same());
    await soon(() => expect(asked).toBe(1));
  });
});

it("a failing node is logged once, and again when it is back", async () => {
  let ill = true;
  const port = await serve((request, response) => {
    if (ill) response.writeHead(500).end();
    else answerExporter(request, response);
  });
  const { feed, failures, samples, lines } = feedFor(port, [here]);
  feed.use(patient(settings({ source: "node-exporter", port, ...usual })));
  await soon(() => expect(failures.length).toBeGreaterThanOrEqual(2));
  ill = false;
  await soon(() => expect(samples.length).toBeGreaterThan(0));
  expect(lines.filter((line) => line.startsWith("no telemetry"))).toHaveLength(1);
  expect(lines.filter((line) => line === "telemetry is back")).toHaveLength(1);
});

it("exporters behind a Service are found and followed through its EndpointSlices", async () => {
  const exporter = await serve(answerExporter);
  const slice = (nodeName_: string) => ({
    metadata: { name: "s", uid: "u", resourceVersion: "2" },
    endpoints: [{ addresses: ["127.0.0.1"], nodeName: nodeName_, conditions: { ready: true } }],
  });
  const asked: string[] = [];
  let watch: ServerResponse | undefined;
  const api = await serve((request, response) => {
    asked.push(decodeURIComponent(request.url ?? ""));
    response.setHeader("content-type", "application/json");
    if (request.url?.includes("watch=true") === true) {
      watch = response;
      response.flushHeaders();
    } else response.end(JSON.stringify({ metadata: { resourceVersion: "1" }, items: [slice("a")] }));
  });
  const b: TelemetryTarget = { name: nodeName("b"), address: "127.0.0.99", paced: true };
  const { feed, samples, failures } = feedFor(api, [{ ...here, address: undefined }, b]);
  const address = { type: "Endpoints", namespace: "mon", service: "ne" } as const;
  feed.use(settings({ source: "node-exporter", port: exporter, address, ...usual }));
  await soon(() => expect(samples.some(({ node }) => node === "a")).toBe(true));
  expect(asked[0]).toMatch(
    /^\/apis\/discovery.k8s.io\/v1\/namespaces\/mon\/endpointslices\?.*kubernetes.io\/service-name=ne/,
  );
  expect(failures).toContain("NoAddress"); // b's InternalIP is not asked: that is not what the policy says
  await soon(() => expect(watch).toBeDefined());
  watch?.write(JSON.stringify({ type: "MODIFIED", object: { ...slice("b"), kind: "EndpointSlice" } }) + "\n");
  await soon(() => expect(samples.some(({ node }) => node === "b")).toBe(true));
});

const filler = Buffer.from('{"metric":{"instance":"127.0.0.1"},"value":[1,"1"]},'.repeat(20_000));
function sendAGigabyte(response: ServerResponse, sent = 0): void {
  for (let mib = sent; mib < 1_024 && !response.destroyed; mib += 1) {
    if (response.write(filler)) continue;
    response.once("drain", () => sendAGigabyte(response, mib + 1));
    return;
  }
  response.end();
}

describe("Prometheus never blocks a decision", () => {
  const manyNodes = Array.from({ length: 5_000 }, (_, index) => ({
    name: nodeName(`node-${index}`),
    address: `10.0.${index >> 8}.${index & 255}`,
    paced: index < 500,
  }));
  const largeAnswer = Buffer.from(promAnswer(manyNodes.flatMap(({ address }) => promNode(1, `${address}:9100`))));

  it.each<readonly [string, TelemetryFailureKind | "figures", RequestListener]>([
    ["is slow", "TimedOut", () => undefined],
    ["hangs up", "Unreachable", (request) => void request.destroy()],
    ["answers wrongly", "BadAnswer", (_request, response) => void response.end("<html>welcome</html>")],
    ["answers with an error", "BadStatus", (_request, response) => void response.writeHead(422).end("{}")],
    [
      "sends 1 GB of series",
      "TooLarge",
      (_request, response) => {
        response.write('{"status":"success","data":{"resultType":"vector","result":[');
        sendAGigabyte(response);
      },
    ],
    ["sends 1 GB of something else", "BadAnswer", (_request, response) => sendAGigabyte(response)],
    ["answers for 5,000 nodes", "figures", (_request, response) => void response.end(largeAnswer)],
  ])("when it %s", async (_name, outcome, listener) => {
    const port = await serve(listener);
    const pacer = createPacer(defaultPolicy());
    pacer.upsertNode(aNode("a", { createdAtMs: Date.now(), readySinceMs: Date.now() }), Date.now());
    for (let pod = 0; pod < 20; pod += 1)
      pacer.upsertPod(aDaemonPod(`p${pod}`, "a", { createdAtMs: Date.now() }), Date.now());
    const { feed, samples, failures } = feedFor(port, manyNodes);
    const telemetry = settings({ source: "prometheus", url: `http://127.0.0.1:${port}`, ...usual });
    feed.use(outcome === "TimedOut" ? telemetry : ({ ...patient(telemetry), timeoutMs: 10_000 } as Telemetry));
    // On a busy machine the time is over before 64 MiB are read.
    const isOut = () =>
      outcome === "figures"
        ? samples.length > 0
        : failures.includes(outcome) || (outcome === "TooLarge" && failures.includes("TimedOut"));
    const waits: number[] = [];
    const endMs = performance.now() + 1_000;
    while (performance.now() < endMs || !isOut()) {
      const asked = threadCpuMs();
      await new Promise((resolve) => setTimeout(resolve, 5));
      waits.push(threadCpuMs() - asked);
      const replica = { synced: true, leaderAlive: true };
      expect(
        pacer.admit(aGatedPod("q", { pinnedTo: nodeName("a"), gated: false, hold: undefined }), replica, Date.now())
          .kind,
      ).toBe("hold");
      expect(pacer.plan(Date.now()).releases.length).toBeGreaterThan(0);
    }
    expect(Math.max(...waits)).toBeLessThan(longestWaitMs());
  });

  it("when nothing listens at its address", async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const { feed, failures } = feedFor(port, [here]);
    feed.use(settings({ source: "prometheus", url: `http://127.0.0.1:${port}`, ...usual }));
    await soon(() => expect(failures).toContain("Unreachable"));
  });
});

// How closely, in rounds: test/unit/telemetry/rounds.test.ts.
it("an old node with a hot disk is found in rotation, and watched from then on", async () => {
  let hotAsks = 0;
  let waited = 0;
  const port = await serve((_request, response) => {
    hotAsks += 1;
    waited += 20;
    // 10 more writes of 2 s each.
    response.end(exporterPage(waited / 2).replace(/(write_time_seconds_total\{.*\}) .*/, `$1 ${waited}`));
  });
  await serve(answerExporter, "127.0.0.2", port);
  const pacer = createPacer(defaultPolicy());
  const names = ["a", ...Array.from({ length: 39 }, (_, index) => `other-${index}`)].map(nodeName);
  for (const name of names) pacer.upsertNode(anOldNode(name), Date.now());
  const targets = () => {
    const paced = new Set(pacer.watchedNodes(Date.now()));
    return names.map((name) => ({
      name,
      address: name === "a" ? "127.0.0.1" : "127.0.0.2",
      paced: paced.has(name),
    }));
  };
  const { feed } = feedFor(port, targets, (sample, node) => pacer.observeSample(node, sample, Date.now()));
  expect(targets().filter(({ paced }) => paced)).toEqual([]);
  // A quarter of them in each round.
  feed.use({ ...patient(settings({ source: "node-exporter", port, ...usual })), rotationSeconds: 1 } as Telemetry);
  await soon(() => expect(pacer.watchedNodes(Date.now())).toEqual(["a"]));
  const found = hotAsks;
  await soon(() => expect(hotAsks).toBeGreaterThanOrEqual(found + 4));
});
