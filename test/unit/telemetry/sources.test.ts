/** Every source against the one suite of source.common.ts. */
import { describe, expect, it, onTestFinished } from "vitest";
import { createApiClient } from "../../../src/kube/client/api-client.ts";
import { parsePolicy } from "../../../src/policy/parse.ts";
import type { Telemetry } from "../../../src/policy/telemetry.ts";
import { createSource } from "../../../src/telemetry/create-source.ts";
import type { TelemetrySink } from "../../../src/telemetry/source.ts";
import { answerExporter, answerKubelet, answerPrometheus } from "./source-answers.ts";
import { describeSource } from "./source.common.ts";

/** Settings as a policy has them. */
function settingsOf(telemetry: object): Telemetry {
  const head = { apiVersion: "paceline.dev/v1alpha1", kind: "PacingPolicy" };
  const parsed = parsePolicy(JSON.stringify({ ...head, telemetry }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.policy.telemetry;
}

/** @param timeoutMs may be longer than the interval, which no policy allows */
function create(port: number, sink: TelemetrySink, telemetry: object, timeoutMs: number) {
  const client = createApiClient({ url: `http://127.0.0.1:${port}`, token: "t" });
  onTestFinished(() => client.close());
  const usual = settingsOf({ ...telemetry, intervalMs: 250, timeoutMs: 250 });
  return createSource({ settings: { ...usual, timeoutMs } as Telemetry, sink, client, now: () => Date.now() });
}

describeSource({
  name: "node-exporter",
  answer: answerExporter,
  create: (port, sink, timeoutMs) => create(port, sink, { source: "node-exporter", port }, timeoutMs),
  knows: ["awaitMs", "iops", "device", "utilisation", "writeBytesPerSecond", "dirtyBytes", "ioPressure", "cores"],
});

describeSource({
  name: "prometheus",
  answer: answerPrometheus,
  create: (port, sink, timeoutMs) =>
    create(port, sink, { source: "prometheus", url: `http://127.0.0.1:${port}` }, timeoutMs),
  knows: ["awaitMs", "iops", "device", "utilisation", "writeBytesPerSecond", "dirtyBytes", "ioPressure", "cores"],
});

describeSource({
  name: "kubelet",
  answer: answerKubelet,
  create: (port, sink, timeoutMs) => create(port, sink, { source: "kubelet" }, timeoutMs),
  knows: ["ioPressure", "cpuPressure", "memoryBytes", "writeBytesPerSecond"],
});

describe("as a source, none", () => {
  it("sends no requests and reports nothing", async () => {
    const told: unknown[] = [];
    const tell = (...what: unknown[]) => void told.push(what);
    const sink: TelemetrySink = { targets: () => [], sample: tell, failure: tell };
    const client = createApiClient({ url: "http://127.0.0.1:1" });
    onTestFinished(() => client.close());
    const source = createSource({ settings: settingsOf({ source: "none" }), sink, client, now: () => Date.now() });
    source.start();
    await source.stop();
    expect([source.name, told]).toEqual(["none", []]);
  });
});
