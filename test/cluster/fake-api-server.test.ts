/**
 * The fake API server of the fault harness (bench/faults/api-server) answers like a real one: the same random requests
 * go to both, and the answers are equal but for uids, times and the numbers of versions.
 */
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { Agent, request } from "undici";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createFakeApiServer } from "../../bench/faults/api-server/api-server.ts";
import { startControlPlane } from "../../dev/control-plane/control-plane.ts";
import type { ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { createApiClient } from "../../src/kube/client/api-client.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { isNotFound } from "../../src/kube/client/api-error.ts";
import { systemClock } from "../../src/kube/clock.ts";
import type { Command } from "../support/conformance/command.ts";
import { record, SEQUENCES, WATCHES } from "../support/conformance/record.ts";
import { createSide, type Side } from "../support/conformance/side.ts";
import { comparable } from "../support/conformance/transcript.ts";

/** Sequences of requests of each kind and seed: 120 in all took 16 s on 2 idle cores, and 29 s on busy ones. */
const RUNS = Number(process.env["PACELINE_CONFORMANCE_RUNS"] ?? 30);

/** The fixed seed is the same every time. The other one is new each time, and is printed on failure. */
const SEEDS = [16, Number(process.env["PACELINE_CONFORMANCE_SEED"] ?? Date.now() % 1_000_000)];

let plane: ControlPlane;
let real: ApiClient;
let serial = 0;

beforeAll(async () => {
  plane = await startControlPlane({ scheduler: false, controllerManager: false, auditLog: false });
  real = createApiClient({ url: plane.url, token: plane.token, ca: plane.caCert });
});
afterAll(async () => {
  await real.close();
  await plane.stop();
});

interface Servers {
  readonly theirs: Side;
  readonly ours: Side;
  readonly fake: ApiClient;
  readonly namespace: string;
}

/** Two servers, empty but for a namespace of their own. */
async function newServers(): Promise<Servers> {
  const namespace = `run-${++serial}`;
  await real.create("/api/v1/namespaces", { metadata: { name: namespace } });
  for (const node of ["n0", "n1"]) {
    await real.remove(`/api/v1/nodes/${node}`).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
  const server = createFakeApiServer({ clock: systemClock, random: Math.random, namespaces: [namespace] });
  const fake = server.client("test");
  return { theirs: createSide(real, namespace), ours: createSide(fake, namespace), fake, namespace };
}

async function sameAnswers(commands: readonly Command[]): Promise<void> {
  const { theirs, ours } = await newServers();
  const expected = comparable(await record(theirs, commands));
  const actual = comparable(await record(ours, commands));
  const at = expected.findIndex((one, index) => !isDeepStrictEqual(one, actual[index]));
  if (at < 0) return;
  const what = commands[at] ?? WATCHES[at - commands.length];
  expect(actual[at], `${JSON.stringify(what)}\nours differs from kube-apiserver's`).toEqual(expected[at]);
}

for (const [what, sequence] of Object.entries(SEQUENCES)) {
  it.each(SEEDS)(`answers like kube-apiserver: ${what}, seed %i`, async (seed) => {
    await fc.assert(fc.asyncProperty(sequence, sameAnswers), { seed, numRuns: RUNS });
  });
}

/** Status and reason of the answers of both to the same request. */
async function bothAnswer(path: string, body: object): Promise<string[]> {
  const { fake, namespace } = await newServers();
  const options = { body: JSON.stringify(body), contentType: "application/json" };
  const answers = [real, fake].map((client) => client.raw("POST", path.replace("$namespace", namespace), options));
  return (await Promise.all(answers)).map(({ status, text }) => {
    const { reason = "" } = JSON.parse(text) as { reason?: string };
    return `${status} ${reason}`.trim();
  });
}

const PODS = "/api/v1/namespaces/$namespace/pods";
const spec = { containers: [{ name: "main", image: "example.com/app:1" }] };

it.each([
  ["a generated name", PODS, { metadata: { generateName: "gen-" }, spec }, "201"],
  [
    "a class of priority",
    PODS,
    { metadata: { name: "a" }, spec: { ...spec, priorityClassName: "system-node-critical" } },
    "201",
  ],
  [
    "an unknown class",
    PODS,
    { metadata: { name: "a" }, spec: { ...spec, priorityClassName: "none" } },
    "403 Forbidden",
  ],
  ["a priority without its class", PODS, { metadata: { name: "a" }, spec: { ...spec, priority: 7 } }, "403 Forbidden"],
  ["a version on create", PODS, { metadata: { name: "a", resourceVersion: "5" }, spec }, "500"],
  ["another namespace", PODS, { metadata: { name: "a", namespace: "other" }, spec }, "400 BadRequest"],
  ["no namespace", "/api/v1/pods", { metadata: { name: "a" }, spec }, "405 MethodNotAllowed"],
  ["another kind", PODS, { kind: "Node", metadata: { name: "a" }, spec }, "400 BadRequest"],
  [
    "annotations that are too long",
    PODS,
    { metadata: { name: "a", annotations: { a: "x".repeat(262_144) } }, spec },
    "422 Invalid",
  ],
])("answers like kube-apiserver to a pod with %s", async (_what, path, body, answer) => {
  expect(await bothAnswer(path, body)).toEqual([answer, answer]);
});

/** Compacts etcd up to its newest version, and starts the API server anew, so that its cache has nothing older. */
async function compactTheirs(version: number): Promise<void> {
  const etcd = new Agent({ connect: { socketPath: join(plane.folder, "etcd.sock") } });
  const body = JSON.stringify({ revision: String(version), physical: true });
  const answer = await request("http://etcd/v3/kv/compaction", { dispatcher: etcd, method: "POST", body });
  expect(await answer.body.text()).toContain("revision");
  await etcd.close();
  await plane.restartApiServer();
}

it("sends watches and pages from before a compaction back to a new list, in the same words", async () => {
  const { namespace } = await newServers();
  const pods = PODS.replace("$namespace", namespace);
  const server = createFakeApiServer({ clock: systemClock, random: Math.random, namespaces: [namespace] });
  const clients = [real, server.client("test")];
  const positions = [];
  for (const client of clients) {
    for (const name of ["a", "b"]) await client.create(pods, { metadata: { name }, spec });
    const { metadata } = await client.list(pods, { limit: 1 });
    const { metadata: after } = await client.create(pods, { metadata: { name: "c" }, spec });
    positions.push({ client, metadata, newest: Number(after?.resourceVersion) });
  }
  await compactTheirs(positions[0]?.newest ?? 0);
  server.compact(server.version);
  const answers = [];
  for (const { client, metadata } of positions) {
    const page = await client.raw("GET", pods, { query: { limit: 1, continue: metadata?.continue } });
    const lines = await createSide(client, namespace).watch(metadata?.resourceVersion ?? "", {}, "c");
    const objects = [page.text, ...lines].map((text) => JSON.parse(text) as { type?: string; object?: object });
    answers.push(objects.map(({ type, object, ...rest }) => ({ type, ...reasonOf(object ?? rest) })));
  }
  const expired = { kind: "Status", code: 410, reason: "Expired" };
  expect(answers[0]).toEqual([
    { type: undefined, ...expired },
    { type: "ERROR", ...expired },
  ]);
  expect(answers[1]).toEqual(answers[0]);
});

const reasonOf = ({ kind, code, reason }: { kind?: string; code?: number; reason?: string }) => ({
  kind,
  code,
  reason,
});
