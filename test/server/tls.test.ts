/**
 * HTTPS with certificates from files: renewed ones are used without a restart. The extender requires client
 * certificates.
 */
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { text } from "node:stream/consumers";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { issueClientCertificate, issueServerCertificate, makeAuthority } from "../../src/certificates/certificates.ts";
import type { Authority, KeyPairPem } from "../../src/certificates/certificates.ts";
import { closeApp, untilUnused } from "../../src/server/app.ts";
import { readTls, reloadTls, type TlsFiles } from "../../src/server/tls.ts";
import { recorded, testApp } from "../support/app.ts";

const days = 1;
let folder: string;
let authority: Authority;
let files: TlsFiles;

const newServerPair = () => issueServerCertificate(authority, { names: ["127.0.0.1"], days, nowMs: Date.now() });

async function writePair({ cert, key }: KeyPairPem) {
  await Promise.all([writeFile(files.certFile, cert), writeFile(files.keyFile, key)]);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-tls-"));
  authority = await makeAuthority({ commonName: "test", days, nowMs: Date.now() });
  files = { certFile: join(folder, "tls.crt"), keyFile: join(folder, "tls.key"), clientCaFile: join(folder, "ca.crt") };
  await writeFile(join(folder, "ca.crt"), authority.cert);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Starts the app on a free port with the files' certificates. */
async function serve() {
  await writePair(await newServerPair());
  const current = await readTls(files);
  const { app } = testApp({ dependencies: { tls: current } });
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  const log = pino({ enabled: false });
  const endReload = reloadTls({ files, current, server: app.server as never, log, intervalMs: 20 });
  onTestFinished(async () => {
    endReload();
    await app.close();
  });
  return { app, url };
}

/** One request on a connection of its own. */
async function ask(url: string, client?: KeyPairPem, body?: object) {
  const call = request(url, {
    method: body === undefined ? "GET" : "POST",
    ca: authority.cert,
    agent: false,
    headers: { "content-type": "application/json" },
    ...client,
  });
  call.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(call, "response")) as [IncomingMessage & { socket: TLSSocket }];
  const { serialNumber } = response.socket.getPeerCertificate();
  return { status: response.statusCode, serialNumber, body: await text(response) };
}

it("uses a renewed certificate without a restart", async () => {
  const { url } = await serve();
  const before = await ask(`${url}/healthz`);
  await writePair(await newServerPair());
  await expect.poll(async () => (await ask(`${url}/healthz`)).serialNumber).not.toBe(before.serialNumber);
});

it("keeps the old certificate while the key does not match the new one", async () => {
  const { url } = await serve();
  const before = await ask(`${url}/healthz`);
  await writeFile(files.certFile, (await newServerPair()).cert);
  await expect(readTls(files)).rejects.toThrow(files.certFile);
  expect((await ask(`${url}/healthz`)).serialNumber).toBe(before.serialNumber);
});

it("says which file cannot be read", async () => {
  await expect(readTls({ ...files, keyFile: "/nowhere/tls.key" })).rejects.toThrow("--key-file /nowhere/tls.key");
});

describe("with a client CA", () => {
  const args = recorded("extender-filter");

  it("the extender requires a client certificate", async () => {
    const { url } = await serve();
    const client = await issueClientCertificate(authority, { commonName: "kube-scheduler", days, nowMs: Date.now() });
    expect((await ask(`${url}/scheduler/filter`, client, args)).status).toBe(200);
    expect((await ask(`${url}/scheduler/filter`, undefined, args)).status).toBe(403);
    const stranger = await makeAuthority({ commonName: "stranger", days, nowMs: Date.now() });
    const forged = await issueClientCertificate(stranger, { commonName: "kube-scheduler", days, nowMs: Date.now() });
    expect((await ask(`${url}/scheduler/filter`, forged, args)).status).toBe(403);
  });

  it("webhooks and probes require none", async () => {
    const { url } = await serve();
    expect((await ask(`${url}/readyz`)).status).toBe(200);
    expect((await ask(`${url}/mutate/pods`, undefined, recorded("review-pod-naked"))).status).toBe(200);
  });
});

it("leaving waits until no client is connected, or until its time is over", async () => {
  const { app } = testApp();
  const { port } = new URL(await app.listen({ host: "127.0.0.1", port: 0 }));
  await untilUnused(app, 60_000);
  const idle = connect(Number(port), "127.0.0.1");
  await once(app.server, "connection");
  await untilUnused(app, 50);
  idle.destroy();
  await untilUnused(app, 60_000);
  await app.close();
});

it("shutting down does not wait for a connection without a request", async () => {
  const { app } = testApp();
  const { port } = new URL(await app.listen({ host: "127.0.0.1", port: 0 }));
  const idle = connect(Number(port), "127.0.0.1");
  const ended = once(idle, "close");
  await once(app.server, "connection");
  await closeApp(app, 20);
  await ended;
});

it("shutting down stops accepting, and frees the port", async () => {
  const { app } = testApp();
  const { port } = new URL(await app.listen({ host: "127.0.0.1", port: 0 }));
  await app.close();
  const successor = createServer().listen(Number(port), "127.0.0.1");
  await once(successor, "listening");
  expect((successor.address() as AddressInfo).port).toBe(Number(port));
  successor.close();
});
