/**
 * Certificates: those that the service rotates while the API server calls it, and those that it requires from clients.
 */
import { request as httpsRequest } from "node:https";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import Fastify from "fastify";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { findHelm } from "../../dev/chart/helm.ts";
import { startControlPlane, type ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { startService, type Service } from "../../src/service/service.ts";
import {
  issueClientCertificate,
  makeAuthority,
  type Authority,
  type KeyPairPem,
} from "../../src/certificates/certificates.ts";
import type { KubeObject } from "../../src/kube/parse/kube-json.ts";
import { eventually } from "../support/control-plane.ts";
import {
  accountToken,
  applyAll,
  chartObjects,
  failingClosed,
  kubectl,
  NAMESPACE,
  startReplica,
} from "../support/installed.ts";
import { startServiceProxy, type ServiceProxy } from "../support/service-proxy.ts";

const helm = await findHelm();

const DAY_MS = 86_400_000;
const SECOND_DAYS = 1 / 86_400;
/**
 * A year is compressed to 72 s: an authority is due after 48 s, a server certificate after 24 s. 12 s are left for a
 * busy machine.
 */
const TIMES = { authorityDays: 72 * SECOND_DAYS, serverDays: 36 * SECOND_DAYS, overlapMs: 6_000 };
/** A whole rotation takes 75 s; a guard against hanging. */
const ROTATION_WITHIN_MS = 300_000;
/** Parallel admissions: more than one, but no more than a busy machine can answer. */
const AT_A_TIME = 8;
const SERVER_NAME = `paceline.${NAMESPACE}.svc`;
const quietLog = Fastify({ logger: false }).log;

let cp: ControlPlane;
let proxy: ServiceProxy;
let objects: KubeObject[];
let clients: Authority;
let good: KeyPairPem;
let clientCaFile: string;
const running: Service[] = [];

beforeAll(async () => {
  proxy = await startServiceProxy();
  clients = await makeAuthority({ commonName: "clients", days: 1, nowMs: Date.now() });
  good = await clientOf(clients, "kube-apiserver", Date.now());
  const bare = { scheduler: false, controllerManager: false, auditLog: false } as const;
  cp = await startControlPlane({ ...bare, clusterProxy: proxy.socket, webhookClient: good });
  await cp.client.create("/api/v1/namespaces", { metadata: { name: NAMESPACE } });
  objects = await chartObjects(helm);
  // Each test applies the webhooks itself. They fail closed, so nothing could be applied while no replica answers.
  await applyAll(cp, objects.filter(isNoWebhook));
  clientCaFile = join(cp.folder, "clients.crt");
  await writeFile(clientCaFile, clients.cert);
});
afterEach(async () => {
  await kubectl(cp, "delete", "mutatingwebhookconfigurations,validatingwebhookconfigurations", "--all");
  await Promise.all(running.splice(0).map((service) => service.stop()));
  // As if newly installed: no certificates, and no Lease to wait for.
  await cp.client.patch(`/api/v1/namespaces/${NAMESPACE}/secrets/paceline-tls`, { data: null }, "merge");
  const leases = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases`;
  await cp.client.patch(`${leases}/paceline-leader`, { spec: null }, "merge");
});
afterAll(async () => {
  await cp.stop();
  await proxy[Symbol.asyncDispose]();
});

function clientOf(authority: Authority, commonName: string, nowMs: number): Promise<KeyPairPem> {
  return issueClientCertificate(authority, { commonName, days: 1, nowMs });
}

/** Starts replicas behind the Service, in this process, and webhooks that call them and fail closed. */
async function serve(names: readonly string[], options: { times?: typeof TIMES; webhookClients?: true } = {}) {
  const { times, webhookClients } = options;
  const services = await Promise.all(
    names.map(async (identity) =>
      startService({
        access: { url: cp.url, token: await accountToken(cp.client, "paceline"), ca: cp.caCert },
        namespace: NAMESPACE,
        host: "127.0.0.1",
        port: 0,
        identity,
        log: quietLog,
        webhookClients,
        certificates: {
          secret: "paceline-tls",
          names: [SERVER_NAME],
          webhookConfiguration: "paceline",
          times,
          intervalMs: 300,
          clientCaFile,
        },
      }),
    ),
  );
  running.push(...services);
  await Promise.all(services.map(({ ready }) => ready));
  proxy.use(services.map(portOf));
  await applyAll(cp, failingClosed(objects.filter((object) => !isNoWebhook(object))));
  await eventually("an admission passes", () => admit(cp));
  return services;
}

describe("certificates of the service", () => {
  it("rotate under steady admissions without one error", async () => {
    const services = await serve(["one", "two"], { times: TIMES });
    const seen = { bundles: new Set<string>(), certificates: new Set<string>(), handshakes: 0 };
    const errors: string[] = [];
    const startMs = performance.now();
    const hasRotated = () => seen.bundles.size >= 3 && seen.certificates.size >= 4;
    const isOver = () => hasRotated() || errors.length > 0 || performance.now() > startMs + ROTATION_WITHIN_MS;
    // New connections to each replica in turn, from a client that trusts what the webhooks trust at that moment.
    const handshakes = (async () => {
      while (!isOver()) {
        const bundle = await currentBundle(cp);
        seen.bundles.add(bundle);
        const service = services[seen.handshakes++ % services.length];
        await call(service?.url ?? "", "/healthz", { ca: bundle }).then(
          ({ fingerprint }) => seen.certificates.add(fingerprint),
          (error: unknown) => errors.push(`handshake: ${String(error)}`),
        );
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
    })();
    const admissions = await admitSteadily(isOver, errors);
    await handshakes;
    const seconds = (performance.now() - startMs) / 1_000;
    console.log(
      `rotation: ${admissions} admissions, ${(admissions / seconds).toFixed(0)}/s, ${seen.handshakes} new connections, ` +
        `${seen.bundles.size} CA bundles, ${seen.certificates.size} server certificates, ${errors.length} errors`,
    );
    expect(errors).toEqual([]);
    expect(hasRotated()).toBe(true);
  });

  it("stay valid through a rolling upgrade under load: no admission fails", async () => {
    const old = await Promise.all(["old-a", "old-b"].map((name) => startReplica(cp, objects, name)));
    proxy.use(old.map(({ port }) => port));
    await applyAll(cp, failingClosed(objects.filter((object) => !isNoWebhook(object))));
    await eventually("an admission passes", () => admit(cp));
    const errors: string[] = [];
    let isOver = false;
    const load = admitSteadily(() => isOver, errors);
    // Harder than a rollout of the Deployment: an old replica ends at once, without the pause of its preStop hook.
    const replicas = [...old];
    for (const name of ["new-a", "new-b"]) {
      replicas.push(await startReplica(cp, objects, name));
      const leaving = replicas.shift();
      proxy.use(replicas.map(({ port }) => port));
      leaving?.process.signal("SIGTERM");
      await eventually("the old replica ended", () => leaving?.process.ending() !== undefined);
    }
    isOver = true;
    console.log(`upgrade: ${await load} admissions, ${errors.length} failed`);
    expect(errors).toEqual([]);
    await Promise.all(replicas.map(({ process: child }) => child.kill()));
  });
});

describe("certificates of clients", () => {
  const filter = JSON.stringify({ Pod: { metadata: { name: "a" }, spec: {} }, NodeNames: [] });

  async function statuses(url: string, path: string): Promise<Record<string, number>> {
    const nowMs = Date.now();
    const strangers = await makeAuthority({ commonName: "strangers", days: 1, nowMs });
    const callers = {
      none: undefined,
      expired: await clientOf(clients, "kube-scheduler", nowMs - 3 * DAY_MS),
      stranger: await clientOf(strangers, "kube-scheduler", nowMs),
      good,
    };
    const asked = Object.entries(callers).map(async ([who, pair]) => {
      return [who, (await call(url, path, { ...pair, body: filter })).status] as const;
    });
    return Object.fromEntries(await Promise.all(asked));
  }

  it("are required by the extender: it refuses none, an expired one and one of another authority", async () => {
    const [service] = await serve(["extender"]);
    const answers = await statuses(service?.url ?? "", "/scheduler/filter");
    console.log(`extender: ${JSON.stringify(answers)}`);
    expect(answers).toEqual({ none: 403, expired: 403, stranger: 403, good: 200 });
    // Webhooks require none by default. 400, because that body is not an AdmissionReview.
    expect(await statuses(service?.url ?? "", "/mutate/pods")).toEqual({
      none: 400,
      expired: 400,
      stranger: 400,
      good: 400,
    });
  });

  it("are required by the webhooks if configured; the API server presents the one from webhook-config/api-server", async () => {
    const [service] = await serve(["webhooks"], { webhookClients: true });
    await admit(cp); // fails closed: throws unless the webhook has let it pass
    expect(await statuses(service?.url ?? "", "/mutate/pods")).toEqual({
      none: 403,
      expired: 403,
      stranger: 403,
      good: 400,
    });
    expect((await call(service?.url ?? "", "/readyz", {})).status).toBe(200);
  });

  it("may be signed by a new CA without a restart", async () => {
    const [service] = await serve(["new-clients"]);
    const successors = await makeAuthority({ commonName: "successors", days: 1, nowMs: Date.now() });
    const pair = await clientOf(successors, "kube-scheduler", Date.now());
    const ask = async () => (await call(service?.url ?? "", "/scheduler/filter", { ...pair, body: filter })).status;
    expect(await ask()).toBe(403);
    await writeFile(clientCaFile, `${clients.cert.trimEnd()}\n${successors.cert}`);
    await eventually("the new CA counts", async () => (await ask()) === 200);
  });
});

describe("webhooks that cannot do harm", () => {
  const podWith = (spec: object, labels = {}) => ({
    metadata: { generateName: "pod-", labels },
    spec: { containers: [{ name: "main", image: "app:1" }], ...spec },
  });
  const create = (namespace: string, pod: object) => cp.client.create(`/api/v1/namespaces/${namespace}/pods`, pod);

  it("are not called for pods that are never held: these pass although the webhooks fail closed and nothing answers", async () => {
    proxy.use([]);
    await cp.client.create("/api/v1/namespaces", {
      metadata: { name: "opted-out", labels: { "paceline.dev/pacing": "disabled" } },
    });
    await applyAll(cp, failingClosed(objects.filter((object) => !isNoWebhook(object))));
    await eventually("they are in force", () =>
      create("default", podWith({})).then(
        () => false,
        () => true,
      ),
    );
    await create("kube-system", podWith({}));
    await create(NAMESPACE, podWith({}));
    await create("opted-out", podWith({}));
    await create("default", podWith({ nodeName: "somewhere" }));
    await create("default", podWith({}, { "paceline.dev/pacing": "disabled" }));
    await create("default", podWith({ priorityClassName: "system-node-critical" }));
    await create("default", podWith({ schedulingGates: [{ name: "paceline.dev/startup" }] }));
    await expect(create("default", podWith({}))).rejects.toThrow("pods.paceline.dev");
  });

  it("let the pod pass when the service hangs: the API server gives up on them", async () => {
    await applyAll(
      cp,
      objects.filter((object) => !isNoWebhook(object)),
    );
    proxy.hang();
    // webhook-config and the chart set 2 s; test/server/webhook-config.test.ts checks that.
    const made = await eventually("a webhook is called, and the pod is there all the same", async () => {
      const before = proxy.hung();
      const pod = await create("default", podWith({}));
      return proxy.hung() > before && pod;
    });
    expect(made.metadata?.uid).toBeDefined();
  });
});

const isNoWebhook = (object: KubeObject) => object["webhooks"] === undefined;
const portOf = ({ url }: Service) => Number(new URL(url).port);

let count = 0;

/** Creates a pod in a dry run, which calls the webhook. */
async function admit({ client }: ControlPlane): Promise<boolean> {
  const pod = { metadata: { name: `dry-${count++}` }, spec: { containers: [{ name: "main", image: "app:1" }] } };
  await client.create("/api/v1/namespaces/default/pods", pod, { dryRun: "All" });
  return true;
}

/**
 * Keeps {@link AT_A_TIME} admissions in flight, as fast as the machine allows, until told to end.
 * @returns how many there were
 */
async function admitSteadily(isOver: () => boolean, errors: string[]): Promise<number> {
  let admissions = 0;
  const lane = async () => {
    while (!isOver()) {
      admissions += 1;
      await admit(cp).catch((error: unknown) => void errors.push(String(error)));
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, lane));
  return admissions;
}

async function currentBundle({ client }: ControlPlane): Promise<string> {
  const raw = await client.get("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/paceline");
  const [first] = raw["webhooks"] as { clientConfig: { caBundle: string } }[];
  return Buffer.from(first?.clientConfig.caBundle ?? "", "base64").toString();
}

interface CallOptions {
  /** The authorities to trust; without it, any certificate is accepted. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly body?: string;
}

/** One request on a connection of its own. */
function call(
  base: string,
  path: string,
  { body, ...tls }: CallOptions,
): Promise<{ status: number; fingerprint: string }> {
  const method = body === undefined ? "GET" : "POST";
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const trust = { servername: SERVER_NAME, rejectUnauthorized: tls.ca !== undefined };
  const options = { method, headers, agent: false, ...trust, ...tls };
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest(new URL(path, base), options, (answer) => {
      if (!(answer.socket instanceof TLSSocket)) throw new Error("not a TLS connection");
      const { fingerprint256 } = answer.socket.getPeerCertificate();
      answer.resume();
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, fingerprint: fingerprint256 }));
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
