import { X509Certificate } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeCerts, serviceNames } from "../../../certs/make-certs.ts";

const nowMs = Date.UTC(2026, 10, 24);
const names = [...serviceNames("paceline", "pace"), "10.96.0.50"];
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-certs-"));
});
afterEach(() => rm(folder, { recursive: true }));

const certificate = async (name: string) => new X509Certificate(await readFile(join(folder, name)));

test("the files are those in the README, only their owner can read them, and the server certificate has every name", async () => {
  await makeCerts({ folder, names, days: 30, nowMs });
  expect((await readdir(folder)).sort()).toEqual([
    "ca.crt",
    "ca.key",
    "client.crt",
    "client.key",
    "tls.crt",
    "tls.key",
  ]);
  expect((await stat(join(folder, "tls.key"))).mode & 0o077).toBe(0);
  const server = await certificate("tls.crt");
  expect(server.checkHost("paceline.pace.svc")).toBeDefined();
  expect(server.checkIP("10.96.0.50")).toBeDefined();
  expect((await certificate("client.crt")).subject).toBe("CN=kube-scheduler");
});

test("renewal keeps the authority, so that no caBundle has to change", async () => {
  await makeCerts({ folder, names, days: 30, nowMs });
  const [ca, old] = [await certificate("ca.crt"), await certificate("tls.crt")];
  await makeCerts({ folder, names, days: 30, nowMs: nowMs + 86_400_000 });
  const renewed = await certificate("tls.crt");
  expect((await certificate("ca.crt")).fingerprint256).toBe(ca.fingerprint256);
  expect(renewed.verify(ca.publicKey)).toBe(true);
  expect(renewed.serialNumber).not.toBe(old.serialNumber);
});

test("an incomplete authority is an error with a remedy; it is not replaced silently", async () => {
  await makeCerts({ folder, names, days: 30, nowMs });
  await rm(join(folder, "ca.key"));
  await expect(makeCerts({ folder, names, days: 30, nowMs })).rejects.toThrow("remove both");
});
