/** Makes the certificates for installation by hand: `npx node certs/make-certs.ts --help`. See README.md. */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import {
  type Authority,
  issueClientCertificate,
  issueServerCertificate,
  makeAuthority,
} from "../src/certificates/certificates.ts";

/** Days. Webhook configuration and scheduler name the authority, so it is valid longer than what it signs. */
const AUTHORITY_DAYS = 3650;

export interface CertificatePlan {
  /** Folder of the files; created if it does not exist. */
  readonly folder: string;
  /** Every name by which API server and kube-scheduler call Paceline. */
  readonly names: readonly string[];
  /** How long server and client certificate are valid. */
  readonly days: number;
  readonly nowMs: number;
}

/**
 * Writes ca.crt, ca.key, tls.crt, tls.key, client.crt and client.key. An authority that is in the folder already signs
 * the new ones, so that clients that trust it need no change.
 * @returns the files written. @throws when only one half of an authority is there.
 */
export async function makeCerts({ folder, names, days, nowMs }: CertificatePlan): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const { authority, isNew } = await authorityIn(folder, nowMs);
  const server = await issueServerCertificate(authority, { names, days, nowMs });
  const client = await issueClientCertificate(authority, { commonName: "kube-scheduler", days, nowMs });
  const files = {
    ...(isNew && { "ca.crt": authority.cert, "ca.key": authority.key }),
    "tls.crt": server.cert,
    "tls.key": server.key,
    "client.crt": client.cert,
    "client.key": client.key,
  };
  const entries = Object.entries(files).map(([name, content]) => ({ path: join(folder, name), content }));
  for (const { path, content } of entries) await writeFile(path, `${content.trimEnd()}\n`, { mode: 0o600 });
  return entries.map(({ path }) => path);
}

async function authorityIn(folder: string, nowMs: number): Promise<{ authority: Authority; isNew: boolean }> {
  const [cert, key] = [join(folder, "ca.crt"), join(folder, "ca.key")];
  if (existsSync(cert) !== existsSync(key)) {
    throw new Error(`${folder} holds only one of ca.crt and ca.key: bring the other one back, or remove both`);
  }
  if (!existsSync(cert)) {
    return { authority: await makeAuthority({ commonName: "Paceline", days: AUTHORITY_DAYS, nowMs }), isNew: true };
  }
  const authority = {
    kind: "authority",
    cert: await readFile(cert, "utf8"),
    key: await readFile(key, "utf8"),
  } as const;
  return { authority, isNew: false };
}

/** The names of a Service, from the shortest that resolves inside the cluster to the full one. */
export function serviceNames(service: string, namespace: string): string[] {
  const name = `${service}.${namespace}.svc`;
  return [name, service, `${service}.${namespace}`, `${name}.cluster.local`];
}

interface Options {
  out: string;
  service: string;
  namespace: string;
  name: string[];
  days: number;
}

async function main(): Promise<void> {
  const options = new Command("make-certs")
    .description(
      "make an authority (once), a server certificate for Paceline and a client certificate for kube-scheduler",
    )
    .option("--out <folder>", "where to write them", "certs/out")
    .option("--service <name>", "Paceline's Service", "paceline")
    .option("--namespace <name>", "its namespace", "paceline")
    .option("--name <name...>", "further DNS names or IP addresses, such as the Service's cluster IP", [])
    .option("--days <days>", "validity of server and client certificate", positive, 365)
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
    .parse()
    .opts<Options>();
  const files = await makeCerts({
    folder: options.out,
    names: [...serviceNames(options.service, options.namespace), ...options.name],
    days: options.days,
    nowMs: Date.now(),
  });
  process.stdout.write(`${files.join("\n")}\n`);
}

function positive(text: string): number {
  const days = Number(text);
  if (!(days > 0)) throw new InvalidArgumentError("expected a number of days above 0");
  return days;
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 2;
  });
}
