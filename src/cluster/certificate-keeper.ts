/**
 * Certificates that the service makes for itself: kept in one Secret that all replicas share, rotated by the leader, and
 * trusted by way of the `caBundle` of the webhook configurations. A rotation goes in steps with an overlap between them:
 * trust the new authority beside the old one; then serve what it signed; then drop the old one.
 */
import { isConflict } from "./api-error.ts";
import type { ApiClient } from "./api-client.ts";
import {
  CERTIFICATE_TIMES,
  certificateStep,
  pemBlocks,
  type CertificateMaterial,
  type CertificateStep,
  type CertificateTimes,
} from "./certificate-plan.ts";
import { issueServerCertificate, makeAuthority, type Authority } from "./certificates.ts";
import { pause, type Clock } from "./clock.ts";
import { textMapOf, type KubeObject } from "./kube-json.ts";
import type { Log } from "./log.ts";
import { publishBundle } from "./webhook-trust.ts";

export interface CertificateKeeperOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  /** Name of the Secret; it must exist (chart and manifests make it, empty), so that nobody needs the right to create any. */
  readonly secret: string;
  /** Every name the server is called by. */
  readonly names: readonly string[];
  /** Name of both webhook configurations. */
  readonly webhookConfiguration: string;
  /** Whether this replica rotates and publishes now. */
  readonly isLeader: () => boolean;
  /** Called with every new server certificate. */
  readonly onCertificate: (pair: { readonly cert: string; readonly key: string }) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly times?: CertificateTimes | undefined;
  /** Between two looks at the Secret, ms. */
  readonly intervalMs?: number | undefined;
}

export interface CertificateKeeper {
  /** Ends the looking; resolves when the last look is over. */
  stop(): Promise<void>;
}

/** As often as mounted files are read; rotations begin weeks before anything expires. */
export const LOOK_INTERVAL_MS = 10_000;

/** The Secret's fields. `ca.crt` is the whole bundle, as kube-scheduler's `caFile` wants it. */
const FIELDS = { bundle: "ca.crt", authorityKey: "ca.key", cert: "tls.crt", key: "tls.key" } as const;

/** Looks at once and then again and again. A failed look is logged; the certificate in use stays. */
export function startCertificateKeeper(options: CertificateKeeperOptions): CertificateKeeper {
  const { clock, log, intervalMs = LOOK_INTERVAL_MS } = options;
  const stopping = new AbortController();
  let served = "";
  const run = async () => {
    while (!stopping.signal.aborted) {
      try {
        // When another replica was quicker, what it wrote is there already.
        const material = (await look(options)) ?? (await look(options));
        if (material !== undefined && material.cert !== served) {
          options.onCertificate(material);
          served = material.cert;
        }
      } catch (error) {
        log.error({ err: error, secret: options.secret }, "kept the certificate in use");
      }
      await pause(clock, intervalMs, stopping.signal);
    }
  };
  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** One look: reads, takes the step that is due, tells the API server whom to trust. Undefined: another replica was quicker. */
async function look(options: CertificateKeeperOptions): Promise<CertificateMaterial | undefined> {
  const { client, namespace, secret, isLeader, names, clock, times = CERTIFICATE_TIMES } = options;
  const path = `/api/v1/namespaces/${namespace}/secrets/${secret}`;
  const raw = await client.get(path);
  const found = materialOf(raw);
  // Trust is told before a step is taken: no certificate is issued by an authority that the webhooks do not know.
  if (found !== undefined && isLeader()) await publishBundle(options, found.bundle);
  const step = certificateStep(found, names, times, clock.now());
  if (step.kind === "keep" || (step.kind !== "start-over" && !isLeader())) return found;
  const next = await take(step, found, options, times);
  options.log.info({ step: step.kind, secret }, "certificates renewed");
  const written = await write(client, path, raw, next);
  if (written && isLeader()) await publishBundle(options, next.bundle);
  return written ? next : undefined;
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
  const [current = ""] = pemBlocks(found.bundle);
  switch (step.kind) {
    case "add-authority": {
      const authority = await newAuthority(times, nowMs);
      return { ...found, bundle: `${authority.cert.trimEnd()}\n${current}\n`, authorityKey: authority.key };
    }
    case "issue":
      return issued(found, options, times, nowMs);
    case "drop-old-authorities":
      return { ...found, bundle: `${current}\n` };
    default:
      return step satisfies never;
  }
}

const newAuthority = ({ authorityDays }: CertificateTimes, nowMs: number) =>
  makeAuthority({ commonName: "Paceline", days: authorityDays, nowMs });

async function issued(
  trust: Pick<CertificateMaterial, "bundle" | "authorityKey">,
  { names }: CertificateKeeperOptions,
  { serverDays }: CertificateTimes,
  nowMs: number,
): Promise<CertificateMaterial> {
  const { bundle, authorityKey } = trust;
  const authority: Authority = { kind: "authority", cert: pemBlocks(bundle)[0] ?? "", key: authorityKey };
  return { bundle, authorityKey, ...(await issueServerCertificate(authority, { names, days: serverDays, nowMs })) };
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
