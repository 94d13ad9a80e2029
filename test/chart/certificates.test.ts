/** Certificates that the service makes for itself, rotated while the API server calls; and rolling upgrades likewise. */
import { request as httpsRequest } from "node:https";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import Fastify from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findHelm } from "../../dev/chart/helm.ts";
import { startControlPlane, type ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { startService, type Service } from "../../src/cli/service.ts";
import { issueClientCertificate, makeAuthority, type KeyPairPem } from "../../src/cluster/certificates.ts";
import type { KubeObject } from "../../src/cluster/kube-json.ts";
import { eventually } from "../support/control-plane.ts";
import {
  accountToken,
  applyAll,
  callingAt,
  chartObjects,
  NAMESPACE,
  startBalancer,
  startReplica,
} from "../support/installed.ts";

const helm = await findHelm();

const SECOND_DAYS = 1 / 86_400;
/** A year in half a minute: authority due after 12 s, server certificate after 6 s. */
const TIMES = { authorityDays: 18 * SECOND_DAYS, serverDays: 9 * SECOND_DAYS, overlapMs: 1_500 };
const RUN_MS = 22_000;
const ADMISSIONS_PER_SECOND = 200;
const quietLog = Fastify({ logger: false }).log;

describe("certificates", () => {
  let cp: ControlPlane;
  let objects: KubeObject[];
  let clientAuthority: Awaited<ReturnType<typeof makeAuthority>>;
  let clientCaFile: string;

  beforeAll(async () => {
    cp = await startControlPlane({ scheduler: false, controllerManager: false, auditLog: false });
    await cp.client.create("/api/v1/namespaces", { metadata: { name: NAMESPACE } });
    objects = await chartObjects(helm);
    // The webhooks come with each test: what they would judge cannot be applied while they fail closed and nobody answers.
    await applyAll(cp, objects.filter(isNoWebhook));
    clientAuthority = await makeAuthority({ commonName: "clients", days: 1, nowMs: Date.now() });
    clientCaFile = join(cp.folder, "client-ca.crt");
    await writeFile(clientCaFile, clientAuthority.cert);
  });
  afterAll(() => cp.stop());

  async function installWebhooks(url: string): Promise<void> {
    const webhooks = objects.filter((object) => !isNoWebhook(object));
    await applyAll(cp, callingAt(url, webhooks, "Fail"));
  }

  async function startOne(identity: string, times = TIMES): Promise<Service> {
    const service = await startService({
      access: { url: cp.url, token: await accountToken(cp.client, "paceline"), ca: cp.caCert },
      ...{ namespace: NAMESPACE, host: "127.0.0.1", port: 0, identity, log: quietLog },
      certificates: {
        ...{ secret: "paceline-tls", names: ["127.0.0.1"], webhookConfiguration: "paceline" },
        ...{ times, intervalMs: 300, clientCaFile },
      },
    });
    await service.ready;
    return service;
  }

  it("rotate under 200 admissions a second without one error", async () => {
    await using balancer = await startBalancer();
    // Fail instead of Ignore, so that an admission that does not reach the service is an error that is seen.
    await installWebhooks(balancer.url);
    const services = await Promise.all([startOne("one"), startOne("two")]);
    balancer.use(services.map(({ url }) => Number(new URL(url).port)));
    await eventually("an admission passes", () => admit(cp));
    const seen = { bundles: new Set<string>(), certificates: new Set<string>(), handshakes: 0 };
    const errors: string[] = [];
    let admissions = 0;
    const endMs = performance.now() + RUN_MS;
    const handshakes = (async () => {
      while (performance.now() < endMs) {
        const bundle = await currentBundle(cp);
        seen.bundles.add(bundle);
        await call(balancer.url, "/healthz", { ca: bundle }).then(
          ({ fingerprint }) => seen.certificates.add(fingerprint),
          (error: unknown) => errors.push(`handshake: ${String(error)}`),
        );
        seen.handshakes += 1;
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
    })();
    const startMs = performance.now();
    const underWay = new Set<Promise<void>>();
    while (performance.now() < endMs) {
      const due = ((performance.now() - startMs) / 1_000) * ADMISSIONS_PER_SECOND;
      while (admissions < due) {
        admissions += 1;
        const one: Promise<void> = admit(cp)
          .then(() => undefined)
          .catch((error: unknown) => void errors.push(String(error)))
          .finally(() => underWay.delete(one));
        underWay.add(one);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await Promise.all([...underWay, handshakes]);
    console.log(
      `${admissions} admissions in ${RUN_MS / 1_000} s, ${seen.handshakes} new connections, ${seen.bundles.size} CA bundles, ` +
        `${seen.certificates.size} server certificates, ${errors.length} errors`,
    );
    expect(errors).toEqual([]);
    expect(seen.bundles.size).toBeGreaterThanOrEqual(3);
    expect(seen.certificates.size).toBeGreaterThanOrEqual(3);
    await Promise.all(services.map((service) => service.stop()));
  });

  it("of clients are demanded by the extender: none, an expired one and a stranger's are refused", async () => {
    const service = await startOne("extender", { ...TIMES, authorityDays: 1, serverDays: 1 });
    const nowMs = Date.now();
    const commonName = "kube-scheduler";
    const good = await issueClientCertificate(clientAuthority, { commonName, days: 1, nowMs });
    const expired = await issueClientCertificate(clientAuthority, {
      commonName,
      days: 1,
      nowMs: nowMs - 3 * 86_400_000,
    });
    const strangers = await makeAuthority({ commonName: "strangers", days: 1, nowMs });
    const stranger = await issueClientCertificate(strangers, { commonName, days: 1, nowMs });
    const status = async (pair?: KeyPairPem) => {
      const body = JSON.stringify({ Pod: { metadata: { name: "a" }, spec: {} }, NodeNames: [] });
      return (await call(service.url, "/scheduler/filter", { ...pair, body })).status;
    };
    const answers = { none: await status(), expired: await status(expired), stranger: await status(stranger) };
    console.log(`extender: ${JSON.stringify({ ...answers, good: await status(good) })}`);
    expect(answers).toEqual({ none: 403, expired: 403, stranger: 403 });
    expect(await status(good)).toBe(200);
    await service.stop();
  });

  it("stay good through a rolling upgrade under load: not one failed admission", async () => {
    await using balancer = await startBalancer();
    await installWebhooks(balancer.url);
    const old = await Promise.all(["old-a", "old-b"].map((name) => startReplica(cp, objects, name)));
    balancer.use(old.map(({ port }) => port));
    await eventually("an admission passes", () => admit(cp));
    const errors: string[] = [];
    let admissions = 0;
    let over = false;
    const load = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!over) {
          await admit(cp).catch((error: unknown) => errors.push(String(error)));
          admissions += 1;
        }
      }),
    );
    // As the chart's Deployment rolls: the new one is ready, the old one leaves the Service, and ends a moment later.
    const running = [...old];
    for (const name of ["new-a", "new-b"]) {
      running.push(await startReplica(cp, objects, name));
      const leaving = running.shift();
      balancer.use(running.map(({ port }) => port));
      leaving?.process.signal("SIGTERM");
      await eventually("the old replica ended", () => leaving?.process.ending() !== undefined);
    }
    over = true;
    await load;
    console.log(`upgrade: ${admissions} admissions, ${errors.length} failed`);
    expect(errors).toEqual([]);
    await Promise.all(running.map(({ process: child }) => child.kill()));
  });
});

const isNoWebhook = (object: KubeObject) => object["webhooks"] === undefined;

let count = 0;

/** Creates a pod in a dry run, which calls the webhook. */
async function admit({ client }: ControlPlane): Promise<boolean> {
  const pod = { metadata: { name: `dry-${count++}` }, spec: { containers: [{ name: "main", image: "app:1" }] } };
  await client.create("/api/v1/namespaces/default/pods", pod, { dryRun: "All" });
  return true;
}

async function currentBundle({ client }: ControlPlane): Promise<string> {
  const raw = await client.get("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/paceline");
  const [first] = raw["webhooks"] as { clientConfig: { caBundle: string } }[];
  return Buffer.from(first?.clientConfig.caBundle ?? "", "base64").toString();
}

interface CallOptions {
  /** Whom to trust; without it anybody. */
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
  const options = { method, headers, agent: false, rejectUnauthorized: tls.ca !== undefined, ...tls };
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
