import { createPrivateKey, X509Certificate } from "node:crypto";
import { connect, createServer } from "node:tls";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import {
  issueClientCertificate,
  issueServerCertificate,
  makeAuthority,
} from "../../../src/certificates/certificates.ts";

const nowMs = Date.UTC(2026, 10, 24);
const authority = await makeAuthority({ commonName: "Paceline test, and more", days: 10, nowMs });
const server = await issueServerCertificate(authority, {
  names: ["paceline.paceline.svc", "127.0.0.1", "::1"],
  days: 5,
  nowMs,
});

test("a server certificate is signed by its authority, for every requested DNS name and IP address", () => {
  const ca = new X509Certificate(authority.cert);
  const certificate = new X509Certificate(server.cert);
  expect(ca.ca).toBe(true);
  expect(certificate.ca).toBe(false);
  expect(certificate.verify(ca.publicKey)).toBe(true);
  expect(certificate.checkIssued(ca)).toBe(true);
  expect(certificate.checkHost("paceline.paceline.svc")).toBe("paceline.paceline.svc");
  expect(certificate.checkIP("127.0.0.1")).toBe("127.0.0.1");
  expect(certificate.checkIP("::1")).toBe("::1");
  expect(certificate.checkHost("elsewhere.svc")).toBeUndefined();
  expect(certificate.checkPrivateKey(createPrivateKey(server.key))).toBe(true);
});

test("a certificate of another authority of the same name is not accepted", async () => {
  const impostor = await makeAuthority({ commonName: "Paceline test, and more", days: 10, nowMs });
  const forged = await issueServerCertificate(impostor, { names: ["paceline.paceline.svc"], days: 5, nowMs });
  expect(new X509Certificate(forged.cert).verify(new X509Certificate(authority.cert).publicKey)).toBe(false);
});

test("validity starts a little before now, for clocks that are behind, and lasts for the requested days", () => {
  const certificate = new X509Certificate(server.cert);
  expect(nowMs - Date.parse(certificate.validFrom)).toBe(300_000);
  expect(Date.parse(certificate.validTo) - nowMs).toBe(5 * 86_400_000);
});

test("a client certificate carries user and groups as Kubernetes reads them, including commas", async () => {
  const client = await issueClientCertificate(authority, {
    commonName: "system:kube-scheduler",
    organizations: ["system:masters", "a, b"],
    days: 1,
    nowMs,
  });
  const { subject } = new X509Certificate(client.cert);
  expect(subject).toContain("CN=system:kube-scheduler");
  expect(subject).toContain("O=system:masters");
  expect(new X509Certificate(client.cert).toLegacyObject().subject.O).toEqual(["system:masters", "a, b"]);
});

test("a TLS server that requires a client certificate accepts ours and shows its user", async () => {
  const nowMs = Date.now(); // a handshake uses the real clock
  const ca = await makeAuthority({ commonName: "handshake", days: 1, nowMs });
  const serverPair = await issueServerCertificate(ca, { names: ["127.0.0.1"], days: 1, nowMs });
  const clientPair = await issueClientCertificate(ca, { commonName: "kube-scheduler", days: 1, nowMs });
  const tls = createServer({ ...serverPair, ca: ca.cert, requestCert: true, rejectUnauthorized: true }, (socket) => {
    socket.end(String(socket.getPeerCertificate().subject.CN));
  });
  tls.listen(0, "127.0.0.1");
  await once(tls, "listening");
  try {
    const socket = connect({
      ...clientPair,
      ca: ca.cert,
      host: "127.0.0.1",
      port: (tls.address() as AddressInfo).port,
    });
    const [greeting] = (await once(socket, "data")) as [Buffer];
    expect(greeting.toString()).toBe("kube-scheduler");
    expect(socket.authorized).toBe(true);
  } finally {
    tls.close();
  }
});

test("no name, or no days, is refused with a message", async () => {
  await expect(issueServerCertificate(authority, { names: [], days: 1, nowMs })).rejects.toThrow("at least one");
  await expect(issueServerCertificate(authority, { names: ["a"], days: 0, nowMs })).rejects.toThrow("0 days");
});
