/** One suite for all telemetry sources. It runs against each of them with a real server. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { NodeSample } from "../../../src/core/facts.ts";
import { nodeName } from "../../../src/core/ids.ts";
import { longestWaitMs, threadCpuMs } from "../../support/thread-cpu.ts";
import type {
  TelemetryFailure,
  TelemetrySink,
  TelemetrySource,
  TelemetryTarget,
} from "../../../src/telemetry/source.ts";

/** How the server behind a source answers. */
export type Behaviour = "well" | "hangs" | "endless" | "refuses" | "garbage" | "cut" | "drips";

/** A source, as the suite needs it. */
export interface SourceCase {
  readonly name: TelemetrySource["name"];
  /** Answers one request like a healthy server. */
  readonly answer: (request: IncomingMessage, response: ServerResponse) => void;
  /** A source that asks the server at this port of 127.0.0.1; interval 250 ms. */
  readonly create: (port: number, sink: TelemetrySink, timeoutMs: number) => TelemetrySource;
  /** The figures that it has of a healthy node after some rounds. */
  readonly knows: readonly (keyof NodeSample)[];
}

/** The time-out for tests that wait for one. */
const TIMEOUT_MS = 200;
/** The time-out for all other tests, so long that a busy machine does not cause one. */
const PATIENT_MS = 20_000;
const MIB = 1_048_576;
/**
 * The most that an endless answer may send, in bytes: what a source reads (64 MiB) and what sockets hold on both sides.
 */
const MOST_SENT = 128 * MIB;
const filler = Buffer.alloc(MIB, "# filling\n");

/** Sends as fast as it is read, without end. */
function sendEndlessly(response: ServerResponse): void {
  for (let sent = 0; sent < 64; sent += 1) {
    if (response.destroyed) return;
    if (!response.write(filler)) {
      response.once("drain", () => sendEndlessly(response));
      return;
    }
  }
}

/** Sends one byte each 20 ms: every byte is in time, but the answer never is. */
function drip(response: ServerResponse): void {
  const timer = setInterval(() => response.write("#"), 20);
  response.on("close", () => clearInterval(timer));
}

const misbehave: Record<Exclude<Behaviour, "well">, (response: ServerResponse) => void> = {
  hangs: () => undefined,
  endless: sendEndlessly,
  refuses: (response) => void response.writeHead(503).end("busy"),
  garbage: (response) => void response.end('<html>{"[\u0000 ]} not what you came for</html>\n'.repeat(50)),
  cut(response) {
    response.writeHead(200, { "content-length": "100000" });
    response.write("# half");
    setTimeout(() => response.destroy(), 5);
  },
  drips: drip,
};

async function serve(of: SourceCase) {
  const state: { behaviour: Behaviour; requests: number; readonly sockets: Socket[] } = {
    ...{ behaviour: "well", requests: 0, sockets: [] },
  };
  const server = createServer((request, response) => {
    state.requests += 1;
    request.resume();
    if (state.behaviour === "well") of.answer(request, response);
    else misbehave[state.behaviour](response);
  });
  server.on("connection", (socket) => state.sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { state, port: (server.address() as AddressInfo).port };
}

/** Behaviours that only a limit ends. */
const withoutEnd: readonly Behaviour[] = ["hangs", "endless", "drips"];
const timeoutOf = (behaviour: Behaviour) => (withoutEnd.includes(behaviour) ? TIMEOUT_MS : PATIENT_MS);

/** A running source of one node `a`, and all its output. */
async function running(of: SourceCase, behaviour: Behaviour = "well", timeoutMs = timeoutOf(behaviour)) {
  const { state, port } = await serve(of);
  state.behaviour = behaviour;
  const samples: { node: string; sample: NodeSample; atMs: number }[] = [];
  const failures: TelemetryFailure[] = [];
  const cluster: { targets: TelemetryTarget[] } = {
    targets: [{ name: nodeName("a"), address: "127.0.0.1", paced: true }],
  };
  const sink: TelemetrySink = {
    targets: () => cluster.targets,
    sample: (node, sample) => void samples.push({ node, sample, atMs: Date.now() }),
    failure: (_node, failure) => void failures.push(failure),
  };
  const source = of.create(port, sink, timeoutMs);
  source.start();
  onTestFinished(() => source.stop());
  return { state, source, samples, failures, cluster };
}

const soon = (holds: () => void) => vi.waitFor(holds, { timeout: 50_000, interval: 10 });

/** The possible failures of each behaviour; they depend on which limit is reached first. */
const failuresOf: Record<Exclude<Behaviour, "well">, readonly string[]> = {
  hangs: ["TimedOut"],
  endless: ["TooLarge", "BadAnswer", "TimedOut"],
  refuses: ["BadStatus"],
  garbage: ["BadAnswer"],
  cut: ["Unreachable", "BadAnswer"],
  drips: ["TimedOut"],
};

/** Defines the suite for a source that sends requests. */
export function describeSource(of: SourceCase): void {
  describe(`as a source, ${of.name}`, () => {
    it("has the name that the policy uses", async () => expect((await running(of)).source.name).toBe(of.name));

    it("reports a node's figures with a time that is not in the future", async () => {
      const { samples, failures } = await running(of);
      await soon(() =>
        expect(samples.some(({ sample }) => of.knows.every((of) => sample[of] !== undefined))).toBe(true),
      );
      for (const { sample, atMs } of samples) expect(sample.atMs).toBeLessThanOrEqual(atMs);
      expect(failures).toEqual([]);
    });

    it.each(Object.entries(failuresOf))(
      "fails, and invents no figure, when the server %s",
      async (behaviour, kinds) => {
        const { samples, failures } = await running(of, behaviour as Behaviour);
        await soon(() => expect(failures.length).toBeGreaterThan(0));
        expect(kinds).toContain(failures[0]?.kind);
        expect(failures[0]?.message).toMatch(/127\.0\.0\.1|\/stats\/summary/);
        expect(samples).toEqual([]);
      },
    );

    it.each(["hangs", "refuses", "garbage", "drips"] as const)(
      "comes back by itself after a server that %s",
      async (behaviour) => {
        const { state, samples, failures } = await running(of, behaviour);
        await soon(() => expect(failures.length).toBeGreaterThan(0));
        state.behaviour = "well";
        await soon(() => expect(samples.length).toBeGreaterThan(0));
      },
    );

    it("does not read a gigabyte, and does not block decisions", async () => {
      const { state, failures } = await running(of, "endless");
      const waits: number[] = [];
      while (failures.length < 2) {
        const asked = threadCpuMs();
        await new Promise((resolve) => setTimeout(resolve, 5));
        waits.push(threadCpuMs() - asked);
      }
      expect(Math.max(...waits)).toBeLessThan(longestWaitMs());
      const sent = state.sockets.map(({ bytesWritten }) => bytesWritten);
      expect(Math.max(...sent)).toBeGreaterThan(0);
      expect(Math.max(...sent)).toBeLessThan(MOST_SENT);
    });

    it("reports nothing after it was stopped in the middle of an answer", async () => {
      const { state, source, samples, failures } = await running(of, "hangs");
      await soon(() => expect(state.requests).toBeGreaterThan(0));
      const told = samples.length + failures.length;
      await source.stop();
      await new Promise((resolve) => setTimeout(resolve, TIMEOUT_MS + 100));
      expect(samples.length + failures.length - told).toBeLessThanOrEqual(0);
    });

    it("sends each request once although it was started twice", async () => {
      const { state, source } = await running(of, "hangs", PATIENT_MS);
      source.start();
      await soon(() => expect(state.requests).toBeGreaterThan(0));
      expect(state.requests).toBe(1);
    });

    it("follows the cluster: no samples without a node, and samples again with a node", async () => {
      const { samples, cluster } = await running(of);
      await soon(() => expect(samples.length).toBeGreaterThan(0));
      const { targets } = cluster;
      cluster.targets = [];
      // Answers to earlier requests may still arrive.
      await vi.waitFor(
        async () => {
          const told = samples.length;
          await new Promise((resolve) => setTimeout(resolve, 600));
          expect(samples.length).toBe(told);
        },
        { timeout: 20_000 },
      );
      const told = samples.length;
      cluster.targets = targets;
      await soon(() => expect(samples.length).toBeGreaterThan(told));
    });
  });
}
