/** The temporary folder of one control plane: keys, certificates, tokens, kubeconfigs; later logs and etcd's data. */
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Authority,
  issueClientCertificate,
  issueServerCertificate,
  makeAuthority,
} from "../../src/certificates/certificates.ts";
import { auditPolicyYaml } from "./audit-policy.ts";
import { standardUsers, tokenFile, type TokenUser } from "./users.ts";

/** Days for which everything here is valid: far beyond any run, so that no clock jump in a test can end it. */
const DAYS = 30;

export interface ControlPlaneFolder {
  readonly path: string;
  /** Absolute path of a file in the folder. */
  file(name: string): string;
  write(name: string, content: string): Promise<string>;
  /** Signs the API server's certificate; use it for webhooks and extenders of the same run as well. */
  readonly authority: Authority;
  readonly users: ReturnType<typeof standardUsers>;
}

/**
 * Makes the folder with everything in it that the API server reads. @param extraUsers known to it besides the standard
 * ones.
 */
export async function makeFolder(
  extraUsers: readonly TokenUser[],
  nowMs: number,
  { auditEvents = false }: { readonly auditEvents?: boolean | undefined } = {},
): Promise<ControlPlaneFolder> {
  const path = await mkdtemp(shortEnough(join(tmpdir(), "paceline-cp-")));
  const file = (name: string) => join(path, name);
  const write = async (name: string, content: string) => {
    await writeFile(file(name), content, { mode: 0o600 });
    return file(name);
  };
  const authority = await makeAuthority({ commonName: "Paceline development", days: DAYS, nowMs });
  const users = standardUsers();
  await write("ca.crt", authority.cert);
  await write("tokens.csv", tokenFile([...Object.values(users), ...extraUsers]));
  const readers = extraUsers.filter(({ auditReads }) => auditReads).map(({ name }) => name);
  await write("audit-policy.yaml", auditPolicyYaml(readers, auditEvents));
  await write("service-account.key", serviceAccountKey());
  await writeCertificates(authority, write, nowMs);
  return { path, file, write, authority, users };
}

/** etcd's sockets live in the folder, and the path of a socket may have 104 bytes at most (macOS; Linux: 108). */
function shortEnough(prefix: string): string {
  if (prefix.length + "XXXXXX/etcd-peer.sock".length <= 104) return prefix;
  throw new Error(`the temporary folder's path is too long for a socket (${tmpdir()}): set TMPDIR to a shorter one`);
}

async function writeCertificates(
  authority: Authority,
  write: ControlPlaneFolder["write"],
  nowMs: number,
): Promise<void> {
  const names = ["kubernetes", "kubernetes.default.svc", "localhost", "127.0.0.1"];
  const server = await issueServerCertificate(authority, { names, days: DAYS, nowMs });
  const client = await issueClientCertificate(authority, {
    commonName: "kube-apiserver-kubelet-client",
    organizations: ["system:masters"],
    days: DAYS,
    nowMs,
  });
  await write("server.crt", server.cert);
  await write("server.key", server.key);
  await write("kubelet-client.crt", client.cert);
  await write("kubelet-client.key", client.key);
}

/** Signs service account tokens (TokenRequest, `kubectl create token`), as the real API server does. */
function serviceAccountKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "sec1", format: "pem" }) as string;
}
