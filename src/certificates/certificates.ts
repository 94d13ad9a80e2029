/**
 * Certificates for webhooks and extender: an authority, and server and client certificates signed by it.
 * ECDSA P-256 with SHA-256: small, quick, and supported by every Kubernetes in use.
 */
import "reflect-metadata"; // @peculiar/x509 asks for it before its own import
import type { webcrypto } from "node:crypto";
import { isIP } from "node:net";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

/** A certificate and its private key, both PEM (the key PKCS #8), as Kubernetes' `tls.crt` and `tls.key`. */
export interface KeyPairPem {
  readonly cert: string;
  readonly key: string;
}

/** An authority. `caBundle` and `caFile` take its own certificate. */
export interface Authority extends KeyPairPem {
  readonly kind: "authority";
}

const KEY_ALGORITHM = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;
/** Certificates start to be valid this much in the past, so that a peer whose clock is behind accepts them. Assumed. */
export const CLOCK_SKEW_MS = 5 * 60_000;
/** Bytes of a random serial number: RFC 5280 allows 20 with the sign bit clear; 16 random bytes do not collide. */
const SERIAL_BYTES = 16;

/** `days`: how long a certificate is valid, 1 or more; `nowMs`: epoch milliseconds. */
interface Validity {
  readonly days: number;
  readonly nowMs: number;
}

/**
 * Makes an authority that may sign server and client certificates, but no further authorities.
 * @throws when `days` is not a positive number.
 */
export async function makeAuthority(options: Validity & { readonly commonName: string }): Promise<Authority> {
  const keys = await makeKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    name: distinguishedName(options.commonName),
    ...validityDates(options),
    signingAlgorithm: SIGNATURE,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign | KeyUsageFlags.digitalSignature, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { kind: "authority", cert: certificate.toString("pem"), key: await keyPem(keys.privateKey) };
}

/**
 * Issues a certificate for a server.
 * @param options.names every name by which a client may call it, DNS names and IP addresses; the first is also the
 * common name.
 * @throws when there is no name, or `days` is not a positive number.
 */
export async function issueServerCertificate(
  authority: Authority,
  options: Validity & { readonly names: readonly string[] },
): Promise<KeyPairPem> {
  const [commonName] = options.names;
  if (commonName === undefined) throw new Error("a server certificate needs at least one DNS name or IP address");
  return issue(authority, options, distinguishedName(commonName), [
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new SubjectAlternativeNameExtension(options.names.map(alternativeName)),
  ]);
}

/**
 * Issues a certificate for a client.
 * @param options.commonName the user name in Kubernetes; `options.organizations` are the user's groups.
 * @throws when `days` is not a positive number.
 */
export async function issueClientCertificate(
  authority: Authority,
  options: Validity & { readonly commonName: string; readonly organizations?: readonly string[] },
): Promise<KeyPairPem> {
  const subject = distinguishedName(options.commonName, options.organizations);
  return issue(authority, options, subject, [new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth])]);
}

async function issue(
  authority: Authority,
  validity: Validity,
  subject: Name,
  purpose: Extension[],
): Promise<KeyPairPem> {
  const issuer = new X509Certificate(authority.cert);
  const keys = await makeKeys();
  const certificate = await X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject: subject.toJSON(),
    issuer: issuer.subjectName.toJSON(),
    ...validityDates(validity),
    signingAlgorithm: SIGNATURE,
    publicKey: keys.publicKey,
    signingKey: await privateKeyOf(authority),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      ...purpose,
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: certificate.toString("pem"), key: await keyPem(keys.privateKey) };
}

function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);
}

function privateKeyOf(authority: Authority): Promise<webcrypto.CryptoKey> {
  const [der] = PemConverter.decode(authority.key);
  if (der === undefined) throw new Error("the authority's key is not PEM (expected -----BEGIN PRIVATE KEY-----)");
  return crypto.subtle.importKey("pkcs8", der, KEY_ALGORITHM, false, ["sign"]);
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  return PemConverter.encode(await crypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}

function validityDates({ days, nowMs }: Validity): { notBefore: Date; notAfter: Date } {
  if (!(days > 0)) throw new Error(`a certificate must be valid for more than 0 days, got ${days}`);
  return { notBefore: new Date(nowMs - CLOCK_SKEW_MS), notAfter: new Date(nowMs + days * DAY_MS) };
}

/** Makes a name from parts and not from text, so that a comma or plus in it is not read as syntax. */
function distinguishedName(commonName: string, organizations: readonly string[] = []): Name {
  return new Name([...organizations.map((organization) => ({ O: [organization] })), { CN: [commonName] }]);
}

function alternativeName(name: string): { type: "ip" | "dns"; value: string } {
  return { type: isIP(name) === 0 ? "dns" : "ip", value: name };
}

function randomSerial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(SERIAL_BYTES));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x01; // positive, and no leading zero byte
  return Buffer.from(bytes).toString("hex");
}
