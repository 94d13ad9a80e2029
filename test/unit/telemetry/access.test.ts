/**
 * Credentials and connections of a source: files are read again, so that they can rotate, and nothing outlives its
 * source.
 */
import { rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { expect, it, onTestFinished, vi } from "vitest";
import { createApiClient } from "../../../src/kube/client/api-client.ts";
import { issueServerCertificate, makeAuthority } from "../../../src/certificates/certificates.ts";
import { nodeName } from "../../../src/core/ids.ts";
import { defaultPolicy } from "../../../src/policy/parse.ts";
import type { PacingPolicyInput } from "../../../src/policy/schema.ts";
import { createSource } from "../../../src/telemetry/create-source.ts";
import { temporaryFolder } from "../../support/telemetry-programs.ts";
import { answerExporter, answerPrometheus } from "./source-answers.ts";

const soon = (holds: () => void) => vi.waitFor(holds, { timeout: 50_000, interval: 10 });
const usual = { intervalMs: 250, timeoutMs: 250 };

async function serve(listener: RequestListener, tls?: { cert: string; key: string }): Promise<number> {
  const server = tls
    ? createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: false }, listener)
    : createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function folderOf(files: Record<string, string>) {
  const { path, remove } = await temporaryFolder();
  onTestFinished(remove);
  const write = (name: string, text: string) => writeFile(join(path, name), text);
  await Promise.all(Object.entries(files).map(([name, text]) => write(name, text)));
  return { file: (name: string) => join(path, name), write };
}

/** A running source of one node, and its output. */
function running(telemetry: NonNullable<PacingPolicyInput["telemetry"]>) {
  const told = { samples: 0, failures: [] as string[] };
  const client = createApiClient({ url: "http://127.0.0.1:9" });
  const source = createSource({
    ...{ settings: defaultPolicy({ telemetry }).telemetry, client, now: () => Date.now() },
    sink: {
      targets: () => [{ name: nodeName("a"), address: "127.0.0.1", paced: true }],
      sample: () => void (told.samples += 1),
      failure: (_node, { kind, message }) => void told.failures.push(`${kind}: ${message}`),
    },
  });
  source.start();
  onTestFinished(async () => {
    await source.stop();
    await client.close();
  });
  return { source, told };
}

/** Servers of both sources with credentials. Each requires the current value of `wanted`. */
const sources = [
  {
    source: "node-exporter",
    answer: answerExporter,
    at: (port: number) => ({ source: "node-exporter", port }) as const,
  },
  {
    source: "prometheus",
    answer: answerPrometheus,
    at: (port: number) => ({ source: "prometheus", url: `http://127.0.0.1:${port}/base/` }) as const,
  },
];

it.each(sources)(
  "$source sends the token of its file, and the next one after the file changes",
  async ({ answer, at }) => {
    const { file, write } = await folderOf({ token: "first\n" });
    const wanted = { token: "first" };
    const port = await serve((request, response) => {
      if (request.headers.authorization === `Bearer ${wanted.token}`) answer(request, response);
      else response.writeHead(401).end();
    });
    const { told } = running({ ...at(port), ...usual, bearerTokenFile: file("token") });
    await soon(() => expect(told.samples).toBeGreaterThan(0));
    wanted.token = "second";
    await soon(() => expect(told.failures.some((failure) => failure.includes("answers 401"))).toBe(true));
    await write("token", "second");
    const before = told.samples;
    await soon(() => expect(told.samples).toBeGreaterThan(before));
  },
);

it.each(sources)("$source names a missing token file, and continues when it is back", async ({ answer, at }) => {
  const { file, write } = await folderOf({ token: "t" });
  const port = await serve(answer);
  await rm(file("token"));
  const { told } = running({ ...at(port), ...usual, bearerTokenFile: file("token") });
  await soon(() => expect(told.failures[0]).toMatch(/^Internal: .*token/));
  expect(told.samples).toBe(0);
  await write("token", "t");
  await soon(() => expect(told.samples).toBeGreaterThan(0));
});

it("Prometheus gets name and password, and a path before its API stays", async () => {
  const { file } = await folderOf({ password: "open sesame\n" });
  const seen: (string | undefined)[] = [];
  const port = await serve((request, response) => {
    seen.push(request.headers.authorization, request.url);
    answerPrometheus(request, response);
  });
  const basicAuth = { username: "paceline", passwordFile: file("password") };
  const { told } = running({ source: "prometheus", url: `http://127.0.0.1:${port}/base/`, ...usual, basicAuth });
  await soon(() => expect(told.samples).toBeGreaterThan(0));
  const pair = Buffer.from("paceline:open sesame").toString("base64");
  expect(seen.slice(0, 2)).toEqual([`Basic ${pair}`, "/base/api/v1/query"]);
});

it("a client certificate is presented, and the next one after its files change", async () => {
  const nowMs = Date.now();
  const authority = await makeAuthority({ commonName: "test", days: 1, nowMs });
  const issue = (name: string) => issueServerCertificate(authority, { names: [name], days: 1, nowMs });
  const [server, first, second] = await Promise.all([issue("exporter"), issue("first"), issue("second")]);
  const { file, write } = await folderOf({ ca: authority.cert, cert: first.cert, key: first.key });
  const shown: string[] = [];
  const port = await serve((request, response) => {
    if (request.socket instanceof TLSSocket) shown.push(request.socket.getPeerCertificate().subjectaltname ?? "");
    answerExporter(request, response);
  }, server);
  const tls = { caFile: file("ca"), certFile: file("cert"), keyFile: file("key"), serverName: "exporter" };
  const { told } = running({ source: "node-exporter", port, ...usual, scheme: "https", tls });
  await soon(() => expect(shown).toContain("DNS:first"));
  await Promise.all([write("cert", second.cert), write("key", second.key)]);
  await soon(() => expect(shown).toContain("DNS:second"));
  await soon(() => expect(told.samples).toBeGreaterThan(0));
});

it("a source that is stopped while it reads its files sends no more requests", async () => {
  const { file } = await folderOf({ token: "t" });
  let asked = 0;
  const port = await serve((request, response) => {
    asked += 1;
    answerExporter(request, response);
  });
  const { source, told } = running({ source: "node-exporter", port, ...usual, bearerTokenFile: file("token") });
  await source.stop();
  // The server has taken in all that was sent before this answer.
  await (await fetch(`http://127.0.0.1:${port}`)).text();
  expect([asked, told]).toEqual([1, { samples: 0, failures: [] }]);
});
