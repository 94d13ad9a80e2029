/** Scraping real HTTP servers on loopback: slow, huge, broken and gone ones must not hurt the others. */
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { NodeSample } from "../../../src/core/facts.ts";
import { nodeName } from "../../../src/core/ids.ts";
import { defaultPolicy } from "../../../src/policy/parse.ts";
import {
  longestWindowMs,
  nodeExporterSource,
  type NodeExporterOptions,
  type NodeExporterSettings,
} from "../../../src/telemetry/node-exporter.ts";
import { MAX_BODY_BYTES } from "../../../src/telemetry/scrape.ts";
import { roundTargets } from "../../../src/telemetry/rounds.ts";
import type { TelemetryFailure, TelemetryTarget } from "../../../src/telemetry/source.ts";

let ios = 0;
/** A page on which every scrape finds 10 more writes of 50 ms each. */
function page(): string {
  ios += 10;
  const disk = (family: string, value: number) => `node_disk_${family}{device="nvme0n1"} ${value}\n`;
  return [
    disk("reads_completed_total", 0),
    disk("read_time_seconds_total", 0),
    disk("read_bytes_total", 0),
    disk("writes_completed_total", ios),
    disk("write_time_seconds_total", ios * 0.05),
    disk("written_bytes_total", ios * 4096),
    disk("io_time_seconds_total", ios / 1e6),
    "node_memory_Dirty_bytes 12345\n",
    'node_cpu_seconds_total{cpu="0",mode="idle"} 1\nnode_cpu_seconds_total{cpu="0",mode="user"} 1\n',
  ].join("");
}

const healthy = (_request: unknown, response: ServerResponse) => void response.end(page());
const never = () => undefined;
/** More bytes than are read. */
const padding = "# padding\n".repeat(Math.ceil(MAX_BODY_BYTES / 10) + 100_000);

/** One address of 127.0.0.0/8 per behaviour, all on one port, as in a cluster. */
async function exporters(behaviours: Record<string, RequestListener>) {
  let port = 0;
  for (const [address, behaviour] of Object.entries(behaviours)) {
    const server = createServer(behaviour);
    await new Promise<void>((resolve) => server.listen(port, address, resolve));
    port = (server.address() as AddressInfo).port;
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
  }
  return port;
}

/** Longer than a policy allows, so that a busy machine does not cause a time-out. */
const PATIENT_MS = 20_000;

function scraping(
  port: number,
  targets: readonly TelemetryTarget[],
  settings: Partial<NodeExporterSettings> = {},
  more: Partial<Pick<NodeExporterOptions, "steadyNow" | "bounds">> = {},
) {
  const samples = new Map<string, NodeSample[]>();
  const failures = new Map<string, TelemetryFailure[]>();
  const add = <T>(map: Map<string, T[]>, name: string, value: T) => map.set(name, [...(map.get(name) ?? []), value]);
  const { telemetry } = defaultPolicy();
  if (telemetry.source !== "node-exporter") throw new Error("the default source has changed");
  const source = nodeExporterSource({
    settings: { ...telemetry, port, intervalMs: 250, timeoutMs: PATIENT_MS, ...settings },
    ...{ now: () => performance.now(), ...more },
    sink: {
      targets: () => targets,
      sample: (node, sample) => add(samples, node, sample),
      failure: (node, failure) => add(failures, node ?? "", failure),
    },
  });
  source.start();
  onTestFinished(() => source.stop());
  return { source, samples, failures };
}

const soon = (holds: () => void) => vi.waitFor(holds, { timeout: 50_000, interval: 10 });
const target = (name: string, address: string | undefined, paced = true) => ({ name: nodeName(name), address, paced });

describe("node_exporter", () => {
  it("gives gauges at once and rates from the second scrape on", async () => {
    const port = await exporters({ "127.0.0.1": healthy });
    const { samples } = scraping(port, [target("a", "127.0.0.1")]);
    await soon(() => expect(samples.get("a")?.length).toBeGreaterThanOrEqual(2));
    const [first, second] = samples.get("a") ?? [];
    expect(first).toMatchObject({ dirtyBytes: 12345, cores: 1, awaitMs: undefined });
    expect(second?.awaitMs).toBeCloseTo(50, 3);
  });

  it("lets no slow, huge or broken node delay the others", async () => {
    const port = await exporters({
      "127.0.0.1": healthy,
      "127.0.0.2": never,
      "127.0.0.3": (_request, response) => void response.end(padding),
      "127.0.0.4": (_request, response) => void response.writeHead(503).end("busy"),
      "127.0.0.5": (_request, response) => void response.end("node_load1 1\n"),
    });
    const names = {
      a: "127.0.0.1",
      hung: "127.0.0.2",
      huge: "127.0.0.3",
      ill: "127.0.0.4",
      blank: "127.0.0.5",
      gone: "127.0.0.6",
      new: undefined,
    };
    const { samples, failures } = scraping(
      port,
      Object.entries(names).map(([name, address]) => target(name, address)),
      { timeoutMs: 3_000 },
    );
    const kinds = {
      hung: "TimedOut",
      huge: "TooLarge",
      ill: "BadStatus",
      blank: "NoDisk",
      gone: "Unreachable",
      new: "NoAddress",
    };
    for (const [name, kind] of Object.entries(kinds)) {
      await soon(() => expect(failures.get(name)?.map((failure) => failure.kind)).toContain(kind));
    }
    await soon(() => expect(samples.get("a")?.length).toBeGreaterThanOrEqual(3));
    expect([...samples.keys()].toSorted()).toEqual(["a", "blank"]);
  });

  it("keeps a bounded number of connections; the other nodes' are closed after each scrape", async () => {
    const addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];
    const closing = new Set<string>();
    const sockets = new Map<string, Set<unknown>>();
    const seen: RequestListener = (request, response) => {
      const at = request.socket.localAddress ?? "";
      sockets.set(at, (sockets.get(at) ?? new Set()).add(request.socket));
      if (request.headers.connection === "close") closing.add(at);
      healthy(request, response);
    };
    const port = await exporters(Object.fromEntries(addresses.map((address) => [address, seen])));
    const targets = addresses.map((address) => target(address, address));
    const { samples } = scraping(port, targets, {}, { bounds: { maxKept: 2 } });
    for (const address of addresses) await soon(() => expect(samples.get(address)?.length).toBeGreaterThanOrEqual(3));
    expect([...closing].toSorted()).toEqual(["127.0.0.3", "127.0.0.4"]);
    expect(addresses.slice(0, 2).map((address) => sockets.get(address)?.size)).toEqual([1, 1]);
  });

  it("has one request in flight per node", async () => {
    let asked = 0;
    const port = await exporters({ "127.0.0.1": () => void (asked += 1) });
    const { failures } = scraping(port, [target("a", "127.0.0.1")], { timeoutMs: 700 });
    let askedBeforeFailure = 0;
    await soon(() => {
      if (failures.size === 0) askedBeforeFailure = asked;
      expect(failures.size).toBe(1);
    });
    expect(askedBeforeFailure).toBe(1);
  });

  it("does not use a mean over a gap as current figures: after a gap, rates begin anew", async () => {
    const clock = { nowMs: 0 };
    const port = await exporters({ "127.0.0.1": healthy });
    const { samples } = scraping(
      port,
      [target("a", "127.0.0.1")],
      {},
      { steadyNow: () => performance.now() + clock.nowMs },
    );
    const rates = () => (samples.get("a") ?? []).map(({ awaitMs }) => awaitMs !== undefined);
    await soon(() => expect(rates().at(-1)).toBe(true));
    const before = rates().length;
    // The process, or the exporter, was away for a minute.
    clock.nowMs = 60_000;
    await soon(() => expect(rates().slice(before)).toContain(false));
    await soon(() => expect(rates().at(-1)).toBe(true));
  });

  it("allows a longer time between scrapes of nodes that are not paced, which are scraped once per rotation", () => {
    const { telemetry } = defaultPolicy();
    if (telemetry.source !== "node-exporter") throw new Error("the default source has changed");
    expect([longestWindowMs(telemetry, true), longestWindowMs(telemetry, false)]).toEqual([5_000, 120_000]);
    expect(longestWindowMs({ ...telemetry, intervalMs: 60_000 }, true)).toBe(180_000);
  });

  it("stops in the middle of a scrape without reporting a failure", async () => {
    const arrived = Promise.withResolvers<undefined>();
    const port = await exporters({ "127.0.0.1": () => arrived.resolve(undefined) });
    const { source, failures } = scraping(port, [target("a", "127.0.0.1")]);
    await arrived.promise;
    await source.stop();
    expect(failures.size).toBe(0);
  });
});

describe("a round", () => {
  const paced = [target("young", undefined)];
  const others = Array.from({ length: 10 }, (_, index) => target(`old-${index}`, undefined, false));

  it("has every paced node, and all others once per rotation", () => {
    const seen: string[] = [];
    let cursor = 0;
    for (let round = 0; round < 4; round++) {
      const next = roundTargets([...others, ...paced], cursor, 1 / 4);
      ({ cursor } = next);
      expect(next.round.map(({ name }) => name)).toContain("young");
      seen.push(...next.round.filter((one) => !one.paced).map(({ name }) => name));
    }
    expect(new Set(seen).size).toBe(10);
  });

  it("is empty for an empty cluster", () => expect(roundTargets([], 7, 0.5).round).toEqual([]));
});
