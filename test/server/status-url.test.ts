/** `paceline status --url` as its help recommends it: a port-forward to a replica that has a real certificate. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { issueServerCertificate, makeAuthority, type Authority } from "../../src/certificates/certificates.ts";
import { testApp } from "../support/app.ts";
import { aNode } from "../support/core-facts.ts";
import { json, refusal, startScriptedApi } from "../support/scripted-api.ts";

const MAIN = join(import.meta.dirname, "../../src/cli/main.ts");
const NAMES = (release: string, namespace: string) => [`${release}.${namespace}.svc`, `${release}.${namespace}`];

let folder: string;
let authority: Authority;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-status-"));
  authority = await makeAuthority({ commonName: "paceline", days: 1, nowMs: Date.now() });
  await writeFile(join(folder, "ca.crt"), authority.cert);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A replica on loopback, as a port-forward shows it: with the certificate for these names alone. */
async function replica(names: readonly string[]): Promise<string> {
  const pair = await issueServerCertificate(authority, { names, days: 1, nowMs: Date.now() });
  const { app } = testApp({ nodes: [aNode("young")], dependencies: { tls: pair } });
  onTestFinished(() => app.close());
  return app.listen({ host: "127.0.0.1", port: 0 });
}

/** A cluster in which only the webhooks of the release can be read; without any, nothing can. */
async function cluster(service?: { name: string; namespace: string }): Promise<string> {
  const clientConfig = { service, caBundle: Buffer.from(authority.cert).toString("base64") };
  const webhooks = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/paceline";
  const api = await startScriptedApi(({ path }) =>
    service && path === webhooks ? json({ webhooks: [{ name: "w", clientConfig }] }) : refusal(403, "Forbidden"),
  );
  onTestFinished(() => api[Symbol.asyncDispose]());
  const file = join(folder, `kubeconfig-${new URL(api.url).port}`);
  const config = {
    ...{ apiVersion: "v1", kind: "Config", "current-context": "x" },
    clusters: [{ name: "c", cluster: { server: api.url, "insecure-skip-tls-verify": true } }],
    users: [{ name: "u", user: { token: "t" } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
  };
  await writeFile(file, JSON.stringify(config));
  return file;
}

function status(...flags: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, "status", "--json", ...flags], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const ca = () => ["--ca-file", join(folder, "ca.crt")];

test("name and CA come from the release's webhooks, whatever the release is called", async () => {
  const url = await replica(NAMES("pace-prod", "infra"));
  const kubeconfig = await cluster({ name: "pace-prod", namespace: "infra" });
  const answer = await status("--url", url, "--kubeconfig", kubeconfig);
  expect(answer.code, answer.stderr).toBe(0);
  expect(JSON.parse(answer.stdout)).toMatchObject({ nodes: [{ name: "young" }] });
});

test("where the cluster cannot be read, the chart's own name is taken, and a file for the CA", async () => {
  const url = await replica(NAMES("paceline", "elsewhere"));
  const kubeconfig = await cluster();
  const asked = ["--url", url, "--kubeconfig", kubeconfig, "--paceline-namespace", "elsewhere"];
  expect(await status(...asked, ...ca())).toMatchObject({ code: 0 });
  const unsure = await status(...asked);
  expect(unsure.code, "no CA says that this is Paceline").toBe(2);
});

test("a certificate for another name is refused, by --server-name, too", async () => {
  const url = await replica(NAMES("other", "paceline"));
  const kubeconfig = await cluster();
  const asked = ["--url", url, "--kubeconfig", kubeconfig, ...ca()];
  expect(await status(...asked)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("other.paceline") as string,
  });
  expect(await status(...asked, "--server-name", "other.paceline.svc")).toMatchObject({ code: 0 });
  expect(await status(...asked, "--server-name", "third.paceline.svc")).toMatchObject({ code: 2 });
});
