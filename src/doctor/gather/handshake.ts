/**
 * Checks what answers at an address, and whether a client that trusts a given bundle accepts its certificate. Makes the
 * TLS handshake and sends nothing more.
 */
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import type { CertificateSeen, WebhookAnswer } from "../facts.ts";

/** A webhook has 2 s for its whole answer. */
const TIMEOUT_MS = 3_000;

export interface HandshakeOptions {
  readonly host: string;
  readonly port: number;
  /** PEM; if empty, the system's authorities are trusted, as in the API server. */
  readonly ca: string;
}

/** Never rejects. */
export function handshake({ host, port, ca }: HandshakeOptions): Promise<WebhookAnswer> {
  return new Promise((resolve) => {
    const names = isIP(host) === 0 ? { servername: host } : {};
    let socket: TLSSocket;
    const end = (answer: WebhookAnswer) => {
      socket.destroy();
      resolve(answer);
    };
    try {
      // Nothing is sent over this connection, so it is safe to accept an untrusted certificate and report it.
      socket = connect({ host, port, ...(ca.trim() !== "" && { ca }), ...names, rejectUnauthorized: false });
    } catch (error) {
      resolve({ kind: "silent", why: (error as Error).message });
      return;
    }
    socket.setTimeout(TIMEOUT_MS, () => end({ kind: "silent", why: `no answer in ${TIMEOUT_MS} ms` }));
    socket.once("error", (error: Error) => end({ kind: "silent", why: error.message }));
    socket.once("secureConnect", () => end(answered(socket)));
  });
}

function answered(socket: TLSSocket): WebhookAnswer {
  const peer = socket.getPeerX509Certificate();
  if (peer === undefined) return { kind: "silent", why: "no certificate was shown" };
  const certificate = certificateSeen(peer);
  if (socket.authorized) return { kind: "trusted", certificate };
  return { kind: "untrusted", certificate, why: String(socket.authorizationError) };
}

function certificateSeen(certificate: X509Certificate): CertificateSeen {
  const { subject, validFrom, validTo } = certificate;
  return { subject: subject.replaceAll("\n", ", "), fromMs: Date.parse(validFrom), toMs: Date.parse(validTo) };
}

/** The certificates of a PEM bundle; unreadable ones are left out. */
export function pemCertificates(pem: string): CertificateSeen[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  return blocks.flatMap((block) => {
    try {
      return [certificateSeen(new X509Certificate(block))];
    } catch {
      return [];
    }
  });
}
