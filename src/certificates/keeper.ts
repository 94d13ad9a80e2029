/**
 * Certificates that the service makes for itself. One Secret that all replicas share keeps them, the leader rotates
 * them, and the `caBundle` of the webhook configurations makes the API server trust them. A rotation has three steps:
 * trust the new authority beside the old one; after the whole overlap, serve a certificate that the new one signed;
 * drop the old authority when it has ended.
 */
import { isConflict } from "../kube/client/api-error.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import {
  CERTIFICATE_TIMES,
  certificateSpan,
  certificateStep,
  joinPem,
  pemBlocks,
  withoutExpired,
  type CertificateMaterial,
  type CertificateStep,
  type CertificateTimes,
} from "./rotation.ts";
import { issueServerCertificate, makeAuthority, type Authority } from "./certificates.ts";
import { pause, type Clock } from "../kube/clock.ts";
import { textMapOf, type KubeObject } from "../kube/parse/kube-json.ts";
import type { Log } from "../kube/log.ts";
import { publishBundle } from "./webhook-trust.ts";

export interface CertificateKeeperOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  /**
   * Name of the Secret. It must exist (chart and manifests make it, empty), so that the service need not create any.
   */
  readonly secret: string;
  /** Every name by which clients call the server. */
  readonly names: readonly string[];
  /** Name of both webhook configurations. */
  readonly webhookConfiguration: string;
  /** True while this replica rotates and publishes. */
  readonly isLeader: () => boolean;
  /** Reports changes of leadership; returns a function that ends it. A new leader looks at once. */
  readonly onLeadership?: ((listener: () => void) => () => void) | undefined;
  /** Called with every new server certificate. */
  readonly onCertificate: (pair: { readonly cert: string; readonly key: string }) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly times?: CertificateTimes | undefined;
  /** Between two looks at the Secret, ms. */
  readonly intervalMs?: number | undefined;
}

export interface CertificateKeeper {
  /** Stops looking; resolves when the last look is over. */
  stop(): Promise<void>;
}

const DAY_MS = 86_400_000;

/**
 * Time between two looks at the Secret, ms; the same as for mounted files. Rotations begin weeks before anything
 * expires.
 */
export const LOOK_INTERVAL_MS = 10_000;

/** The Secret's fields. `ca.crt` is the whole bundle, as kube-scheduler's `caFile` takes it. */
const FIELDS = { bundle: "ca.crt", authorityKey: "ca.key", cert: "tls.crt", key: "tls.key" } as const;

/**
 * Reads the Secret at once and then every {@link LOOK_INTERVAL_MS}. A failure is logged; the certificate in use stays.
 */
export function startCertificateKeeper(options: CertificateKeeperOptions): CertificateKeeper {
  const { clock, log, intervalMs = LOOK_INTERVAL_MS } = options;
  const stopping = new AbortController();
  const trust = newTrust(options);
  let served = "";
  let waiting = new AbortController();
  const unsubscribe = options.onLeadership?.(() => waiting.abort());
  const run = async () => {
    while (!stopping.signal.aborted) {
      waiting = new AbortController();
      try {
        // When another replica wrote first, its certificate is there already.
        const material = (await look(options, trust)) ?? (await look(options, trust));
        if (material !== undefined && material.cert !== served) {
          options.onCertificate(material);
          served = material.cert;
        }
      } catch (error) {
        log.error({ err: error, secret: options.secret }, "kept the certificate in use");
      }
      await pause(clock, intervalMs, AbortSignal.any([stopping.signal, waiting.signal]));
    }
  };
  const running = run();
  return {
    async stop() {
      stopping.abort();
      unsubscribe?.();
      await running;
    },
  };
}

/** Makes the webhooks trust a bundle. @returns for how long they have been seen to trust it, ms */
type Trust = (bundle: string) => Promise<number>;

/** Only the leader remembers the time. A new leader waits for the whole overlap again; months are left for that. */
function newTrust(options: CertificateKeeperOptions): Trust {
  const { clock } = options;
  let seen = { bundle: "", sinceMs: 0 };
  return async (bundle) => {
    const changed = await publishBundle(options, bundle);
    if (changed > 0 || seen.bundle !== bundle) seen = { bundle, sinceMs: clock.now() };
    return clock.now() - seen.sinceMs;
  };
}

/**
 * One look: reads the Secret, publishes the bundle to the API server and takes the step that is due. Undefined: another
 * replica wrote first.
 */
async function look(options: CertificateKeeperOptions, trust: Trust): Promise<CertificateMaterial | undefined> {
  const { client, namespace, secret, isLeader, names, clock, times = CERTIFICATE_TIMES } = options;
  const path = `/api/v1/namespaces/${namespace}/secrets/${secret}`;
  const raw = await client.get(path);
  const found = materialOf(raw);
  const trustedForMs = found !== undefined && isLeader() ? await trust(found.bundle) : 0;
  const step = certificateStep(found, times, { names, trustedForMs, nowMs: clock.now() });
  if (step.kind === "keep" || (step.kind !== "start-over" && !isLeader())) return found;
  const next = await take(step, found, options, times);
  const written = await write(client, path, raw, next);
  if (!written) return undefined;
  options.log.info({ step: step.kind, secret }, "certificates renewed");
  if (isLeader()) await trust(next.bundle);
  return next;
}

function materialOf(raw: KubeObject): CertificateMaterial | undefined {
  const data = textMapOf(raw["data"]);
  const field = (name: string) => Buffer.from(data[name] ?? "", "base64").toString();
  const material = {
    bundle: field(FIELDS.bundle),
    authorityKey: field(FIELDS.authorityKey),
    cert: field(FIELDS.cert),
    key: field(FIELDS.key),
  };
  return Object.values(material).includes("") ? undefined : material;
}

async function take(
  step: Exclude<CertificateStep, { kind: "keep" }>,
  found: CertificateMaterial | undefined,
  options: CertificateKeeperOptions,
  times: CertificateTimes,
): Promise<CertificateMaterial> {
  const nowMs = options.clock.now();
  if (step.kind === "start-over" || found === undefined) {
    const authority = await newAuthority(times, nowMs);
    return issued({ bundle: authority.cert, authorityKey: authority.key }, options, times, nowMs);
  }
  switch (step.kind) {
    case "add-authority": {
      const authority = await newAuthority(times, nowMs);
      return { ...found, bundle: joinPem([authority.cert, found.bundle]), authorityKey: authority.key };
    }
    case "issue":
      return issued(found, options, times, nowMs);
    case "drop-expired-authorities":
      return { ...found, bundle: withoutExpired(found.bundle, nowMs) };
    default:
      return step satisfies never;
  }
}

const newAuthority = ({ authorityDays }: CertificateTimes, nowMs: number) =>
  // Each authority has its own name, so that a client that builds a chain cannot take one for another.
  makeAuthority({ commonName: `Paceline ${new Date(nowMs).toISOString()}`, days: authorityDays, nowMs });

async function issued(
  trust: Pick<CertificateMaterial, "bundle" | "authorityKey">,
  { names }: CertificateKeeperOptions,
  { serverDays }: CertificateTimes,
  nowMs: number,
): Promise<CertificateMaterial> {
  const { bundle, authorityKey } = trust;
  const authority: Authority = { kind: "authority", cert: pemBlocks(bundle)[0] ?? "", key: authorityKey };
  // Never longer than its authority: it would become invalid with that one, without notice.
  const days = Math.min(serverDays, (certificateSpan(authority.cert).endMs - nowMs) / DAY_MS);
  return { bundle, authorityKey, ...(await issueServerCertificate(authority, { names, days, nowMs })) };
}

/** Conditional on the version that was read. @returns false when another replica wrote first */
async function write(
  client: ApiClient,
  path: string,
  raw: KubeObject,
  material: CertificateMaterial,
): Promise<boolean> {
  const data = Object.fromEntries(
    Object.entries(FIELDS).map(([field, name]) => [
      name,
      Buffer.from(material[field as keyof CertificateMaterial]).toString("base64"),
    ]),
  );
  const { uid = "", resourceVersion = "" } = raw.metadata ?? {};
  try {
    await client.patch(path, { metadata: { uid, resourceVersion }, data }, "merge", { fieldManager: "paceline" });
    return true;
  } catch (error) {
    if (isConflict(error)) return false;
    throw error;
  }
}
