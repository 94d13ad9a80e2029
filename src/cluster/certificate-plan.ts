/**
 * Which certificate is due now. Pure: what is in the Secret and the time go in, one step comes out. Everything is read
 * from the certificates themselves, so no replica has to remember how far a rotation has come.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { CLOCK_SKEW_MS } from "./certificates.ts";

/** What the Secret holds, PEM. */
export interface CertificateMaterial {
  /** Authorities to trust, the signing one first: what `caBundle` gets. */
  readonly bundle: string;
  /** Key of the first authority of the bundle. */
  readonly authorityKey: string;
  readonly cert: string;
  readonly key: string;
}

/** How long certificates last and when they are renewed. */
export interface CertificateTimes {
  /** Validity of an authority, days. */
  readonly authorityDays: number;
  /** Validity of a server certificate, days. */
  readonly serverDays: number;
  /**
   * Between two steps of a rotation, ms: in it every replica takes up what is in the Secret (it looks every 10 s), and
   * every API server takes up the new bundle (its watch tells within seconds).
   */
  readonly overlapMs: number;
}

/** Assumed: a year and a quarter, as cert-manager's defaults; the overlap is many times what it waits for. */
export const CERTIFICATE_TIMES: CertificateTimes = { authorityDays: 365, serverDays: 90, overlapMs: 10 * 60_000 };

/** Renewed when this share of the validity is over, as cert-manager does: a third is left for whatever goes wrong. */
const RENEW_AT_SHARE = 2 / 3;

export type CertificateStep =
  | { readonly kind: "keep" }
  /** Make an authority and trust it beside the others; the server's certificate stays for now. */
  | { readonly kind: "add-authority" }
  /** Sign a new server certificate with the first authority. */
  | { readonly kind: "issue" }
  /** Trust the first authority only. */
  | { readonly kind: "drop-old-authorities" }
  /** There is nothing to build on: make all of it. */
  | { readonly kind: "start-over" };

/** @param names every name the server is called by. */
export function certificateStep(
  material: CertificateMaterial | undefined,
  names: readonly string[],
  times: CertificateTimes,
  nowMs: number,
): CertificateStep {
  const read = material && readable(material);
  if (!read) return { kind: "start-over" };
  const [authority, ...older] = read.authorities;
  const { server } = read;
  const isUsable = nowMs < endMs(server) && names.every((name) => covers(server, name));
  if (nowMs >= endMs(authority)) return { kind: "start-over" };
  if (isDue(authority, nowMs)) return { kind: "add-authority" };
  const isCurrent = server.verify(authority.publicKey);
  if (!isUsable) return { kind: "issue" };
  if (!isCurrent) return ageMs(authority, nowMs) < times.overlapMs ? { kind: "keep" } : { kind: "issue" };
  if (isDue(server, nowMs)) return { kind: "issue" };
  const mayDrop = older.length > 0 && ageMs(server, nowMs) >= times.overlapMs;
  return { kind: mayDrop ? "drop-old-authorities" : "keep" };
}

/** The certificates of a bundle, PEM each. */
export function pemBlocks(bundle: string): string[] {
  return bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

/** Parsed, or undefined where anything is missing, broken or does not belong together. */
function readable({ bundle, authorityKey, cert, key }: CertificateMaterial) {
  try {
    const [first, ...others] = pemBlocks(bundle).map((pem) => new X509Certificate(pem));
    const server = new X509Certificate(cert);
    if (!first?.checkPrivateKey(createPrivateKey(authorityKey))) return undefined;
    if (!server.checkPrivateKey(createPrivateKey(key))) return undefined;
    const authorities: readonly [X509Certificate, ...X509Certificate[]] = [first, ...others];
    return authorities.some((one) => server.verify(one.publicKey)) ? { authorities, server } : undefined;
  } catch {
    return undefined;
  }
}

const endMs = (cert: X509Certificate) => Date.parse(cert.validTo);
/** When it was made: the start of its validity lies {@link CLOCK_SKEW_MS} before. */
const madeMs = (cert: X509Certificate) => Date.parse(cert.validFrom) + CLOCK_SKEW_MS;
const ageMs = (cert: X509Certificate, nowMs: number) => nowMs - madeMs(cert);
const isDue = (cert: X509Certificate, nowMs: number) =>
  ageMs(cert, nowMs) >= RENEW_AT_SHARE * (endMs(cert) - madeMs(cert));

function covers(cert: X509Certificate, name: string): boolean {
  return (isIP(name) === 0 ? cert.checkHost(name) : cert.checkIP(name)) !== undefined;
}
