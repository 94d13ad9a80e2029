/**
 * Decides which certificate is due now. Pure: the input is the content of the Secret and the time, the output is one
 * step. Everything is read from the certificates themselves, so no replica has to remember the state of a rotation.
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
   * How long webhooks trust a new authority before a certificate that it signed is served, ms. In this time every API
   * server takes up the new bundle (its watch sees it within seconds). Well below a third of serverDays.
   */
  readonly overlapMs: number;
}

/** Assumed: a year, and cert-manager's default of a quarter of it. The overlap is many times what publishing takes. */
export const CERTIFICATE_TIMES: CertificateTimes = { authorityDays: 365, serverDays: 90, overlapMs: 10 * 60_000 };

/**
 * A certificate is renewed when this share of its validity is over, as in cert-manager. A third is left for failures.
 */
const RENEW_AT_SHARE = 2 / 3;

export type CertificateStep =
  | { readonly kind: "keep" }
  /** Make an authority and trust it beside the others; the server's certificate stays for now. */
  | { readonly kind: "add-authority" }
  /** Sign a new server certificate with the first authority. */
  | { readonly kind: "issue" }
  /** Drop authorities that have ended. */
  | { readonly kind: "drop-expired-authorities" }
  /** Nothing usable is there: make everything. */
  | { readonly kind: "start-over" };

/** What is known besides the Secret. */
export interface CertificateKnowledge {
  /** Every name by which clients call the server. */
  readonly names: readonly string[];
  /** For how long the webhooks have trusted exactly the Secret's bundle, as far as this leader has seen; ms. */
  readonly trustedForMs: number;
  readonly nowMs: number;
}

/**
 * The step that is due. A certificate of a new authority is issued only after the whole overlap of trust in it, and no
 * authority is added while the certificate that must last through that overlap is about to be renewed itself.
 */
export function certificateStep(
  material: CertificateMaterial | undefined,
  times: CertificateTimes,
  { names, trustedForMs, nowMs }: CertificateKnowledge,
): CertificateStep {
  const read = material && readable(material);
  if (!read || !isValidAt(read.authorities[0], nowMs)) return { kind: "start-over" };
  const [authority, ...older] = read.authorities;
  const { server } = read;
  // No client accepts what is served now, so skipping the overlap loses nothing.
  if (!isValidAt(server, nowMs)) return { kind: "issue" };
  if (!server.verify(authority.publicKey)) return { kind: trustedForMs >= times.overlapMs ? "issue" : "keep" };
  if (isDue(server, nowMs) || !names.every((name) => covers(server, name))) return { kind: "issue" };
  if (isDue(authority, nowMs)) return { kind: "add-authority" };
  return { kind: older.some((one) => nowMs >= endMs(one)) ? "drop-expired-authorities" : "keep" };
}

/** One that a clock ahead has made is not valid yet, and no client accepts it either. */
const isValidAt = (certificate: X509Certificate, nowMs: number) =>
  nowMs >= beginMs(certificate) && nowMs < endMs(certificate);

/** The bundle without the authorities that have ended. Trusting the others is harmless: their keys are gone. */
export function withoutExpired(bundle: string, nowMs: number): string {
  return joinPem(pemBlocks(bundle).filter((pem) => nowMs < endMs(new X509Certificate(pem))));
}

/** From when until when a certificate is valid, epoch ms. */
export interface CertificateSpan {
  readonly beginMs: number;
  readonly endMs: number;
}

/** Of a certificate in PEM; of a chain, the first. @throws when the text is no certificate */
export function certificateSpan(pem: string): CertificateSpan {
  const cert = new X509Certificate(pem);
  return { beginMs: beginMs(cert), endMs: endMs(cert) };
}

/** Certificates as one PEM text. */
export const joinPem = (blocks: readonly string[]) => blocks.map((pem) => `${pem.trimEnd()}\n`).join("");

/** The certificates of a bundle, PEM each. */
export function pemBlocks(bundle: string): string[] {
  return bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

/** The parsed material, or undefined if a part is missing, broken or does not match the others. */
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

const beginMs = (cert: X509Certificate) => Date.parse(cert.validFrom);
const endMs = (cert: X509Certificate) => Date.parse(cert.validTo);
/** When it was made: {@link CLOCK_SKEW_MS} after the start of its validity. */
const madeMs = (cert: X509Certificate) => beginMs(cert) + CLOCK_SKEW_MS;
const ageMs = (cert: X509Certificate, nowMs: number) => nowMs - madeMs(cert);
const isDue = (cert: X509Certificate, nowMs: number) =>
  ageMs(cert, nowMs) >= RENEW_AT_SHARE * (endMs(cert) - madeMs(cert));

function covers(cert: X509Certificate, name: string): boolean {
  return (isIP(name) === 0 ? cert.checkHost(name) : cert.checkIP(name)) !== undefined;
}
