/**
 * Certificates over many rotations: every caller trusts the served certificate, even if the API server or a replica
 * lags.
 */
import { X509Certificate } from "node:crypto";
import fastJsonPatch, { type Operation } from "fast-json-patch";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { ApiClient } from "../../../src/kube/client/api-client.ts";
import { ApiError } from "../../../src/kube/client/api-error.ts";
import { startCertificateKeeper } from "../../../src/certificates/keeper.ts";
import { pemBlocks } from "../../../src/certificates/rotation.ts";
import { textMapOf, type KubeObject } from "../../../src/kube/parse/kube-json.ts";
import { silentLog } from "../../../src/kube/log.ts";
import { fakeClock, type FakeClock } from "../../support/fake-clock.ts";

const MINUTE_MS = 60_000;
const LOOK_MS = 4 * MINUTE_MS;
const OVERLAP_MS = 20 * MINUTE_MS;
/** A year is compressed to a day: the authority is due after 16 h, the server certificate after 4 h. */
const TIMES = { authorityDays: 1, serverDays: 0.25, overlapMs: OVERLAP_MS };
/** An API server that lags behind the newest bundle by this long still trusts the served certificate. */
const API_SERVER_LAG_MS = OVERLAP_MS - LOOK_MS;
const DAYS = 2;
/** Hours during which one replica or none leads, and during which one replica is cut off. */
const SPELL_HOURS = 1;
const SPELLS = (DAYS * 24) / SPELL_HOURS;
const REPLICAS = 3;

/** The Secret and the webhooks of an API server in memory. */
class Objects {
  secret: KubeObject = { metadata: { name: "tls", uid: "1", resourceVersion: "1" } };
  webhooks: KubeObject = { metadata: { name: "paceline" }, webhooks: [{ name: "pods", clientConfig: {} }] };

  get(path: string): KubeObject {
    if (path.includes("/secrets/")) return structuredClone(this.secret);
    if (path.includes("/mutating")) return structuredClone(this.webhooks);
    throw new ApiError(404, "NotFound", path);
  }

  patch(path: string, body: unknown): KubeObject {
    if (path.includes("/mutating")) {
      fastJsonPatch.applyPatch(this.webhooks, body as Operation[]);
      return this.webhooks;
    }
    const { metadata, data } = body as KubeObject;
    if (metadata?.resourceVersion !== this.secret.metadata?.resourceVersion) {
      throw new ApiError(409, "Conflict", "somebody was quicker");
    }
    const resourceVersion = String(Number(this.secret.metadata?.resourceVersion) + 1);
    return (this.secret = { metadata: { ...this.secret.metadata, resourceVersion }, data });
  }

  get bundle(): string {
    const [first] = this.webhooks["webhooks"] as { clientConfig: Record<string, unknown> }[];
    return Buffer.from(textMapOf(first?.clientConfig)["caBundle"] ?? "", "base64").toString();
  }
}

/**
 * The leader, and the replica that is cut off from the API server, in each spell. No fault lasts for two spells in a
 * row, because a fault longer than a third of a certificate's life may end the certificate.
 */
interface Spell {
  readonly leader: number | undefined;
  readonly cutOff: number | undefined;
}
const spell: fc.Arbitrary<Spell> = fc.record({
  leader: fc.option(fc.nat(REPLICAS - 1), { nil: undefined, freq: 4 }),
  cutOff: fc.option(fc.nat(REPLICAS - 1), { nil: undefined, freq: 2 }),
});
const spells = fc.array(spell, { minLength: SPELLS, maxLength: SPELLS });
const calm: Spell = { leader: 0, cutOff: undefined };
function spellAt(all: readonly Spell[], index: number): Spell {
  const { leader, cutOff } = all[index] ?? calm;
  if (index % 2 === 0) return { leader: leader ?? 0, cutOff: undefined };
  return { leader, cutOff: leader === cutOff ? undefined : cutOff };
}

function startReplica(objects: Objects, clock: FakeClock, isLeader: () => boolean, isCutOff: () => boolean) {
  const answer = <T>(effect: () => T) =>
    new Promise<T>((resolve) => {
      if (isCutOff()) throw new ApiError(0, "Timeout", "no answer");
      resolve(effect());
    });
  const client: Pick<ApiClient, "get" | "patch"> = {
    get: (path) => answer(() => objects.get(path)),
    patch: (path, body) => answer(() => objects.patch(path, body)),
  };
  const replica = { served: undefined as X509Certificate | undefined, stop: () => Promise.resolve() };
  const keeper = startCertificateKeeper({
    client: client as ApiClient,
    namespace: "paceline",
    secret: "tls",
    names: ["paceline.paceline.svc"],
    webhookConfiguration: "paceline",
    isLeader,
    clock,
    log: silentLog,
    times: TIMES,
    intervalMs: LOOK_MS,
    onCertificate: ({ cert }) => void (replica.served = new X509Certificate(cert)),
  });
  replica.stop = () => keeper.stop();
  return replica;
}

/**
 * Waits until every replica is idle again. Making keys takes real time, during which the test's clock must stand still.
 */
async function atRest(clock: FakeClock): Promise<void> {
  while (clock.pending() < REPLICAS) await new Promise((resolve) => setImmediate(resolve));
}

const parsed = new Map<string, X509Certificate>();
function certificateOf(pem: string): X509Certificate {
  const found = parsed.get(pem) ?? new X509Certificate(pem);
  parsed.set(pem, found);
  return found;
}

/** True if Go and OpenSSL would trust it: an authority of the bundle signed it, and both are valid now. */
function isTrusted(cert: X509Certificate, bundle: string, nowMs: number): boolean {
  const isValid = (one: X509Certificate) => Date.parse(one.validFrom) <= nowMs && nowMs < Date.parse(one.validTo);
  const authorities = pemBlocks(bundle).map(certificateOf);
  return isValid(cert) && authorities.some((one) => isValid(one) && cert.verify(one.publicKey));
}

it("every served certificate is trusted at every moment, with any leader and any replica cut off", async () => {
  await fc.assert(
    fc.asyncProperty(spells, async (all) => {
      const clock = fakeClock();
      const startMs = clock.now();
      const spellNow = () => spellAt(all, Math.floor((clock.now() - startMs) / (SPELL_HOURS * 60 * MINUTE_MS)));
      const objects = new Objects();
      const replicas = Array.from({ length: REPLICAS }, (_, index) =>
        startReplica(
          objects,
          clock,
          () => spellNow().leader === index,
          () => spellNow().cutOff === index,
        ),
      );
      const bundles: { readonly atMs: number; readonly bundle: string }[] = [];
      const seen = new Set<string>();
      for (let tick = 0; tick < (DAYS * 24 * 60 * MINUTE_MS) / LOOK_MS; tick += 1) {
        await clock.advance(LOOK_MS);
        await atRest(clock);
        const nowMs = clock.now();
        if (objects.bundle !== (bundles.at(-1)?.bundle ?? "")) bundles.push({ atMs: nowMs, bundle: objects.bundle });
        const lagging = bundles.findLast(({ atMs }) => atMs <= nowMs - API_SERVER_LAG_MS);
        if (lagging === undefined) continue; // there is no trust before the first bundle has arrived
        for (const { served } of replicas) {
          if (served === undefined) continue; // not ready, because it has been cut off since its start
          seen.add(served.fingerprint256);
          expect(isTrusted(served, objects.bundle, nowMs), `now, look ${tick}`).toBe(true);
          expect(isTrusted(served, lagging.bundle, nowMs), `by who lags, look ${tick}`).toBe(true);
        }
      }
      // At least three authorities, each of which signs certificates for some hours.
      expect(new Set(bundles.flatMap(({ bundle }) => pemBlocks(bundle))).size).toBeGreaterThanOrEqual(3);
      expect(seen.size).toBeGreaterThanOrEqual(9);
      expect(pemBlocks(objects.bundle).length).toBeLessThanOrEqual(2);
      await Promise.all(replicas.map((replica) => replica.stop()));
    }),
    { numRuns: 2, endOnFailure: true },
  );
}, 120_000);
