/** `paceline serve`: the cluster service. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { hostname } from "node:os";
import { Command, InvalidArgumentError, Option } from "commander";
import { pino, type Logger } from "pino";
import { DEFAULT_NAMESPACE } from "../api/names.ts";
import { clusterAccess, type ClusterFlags } from "./connect.ts";
import { startService, type Service } from "../service/service.ts";
import type { AutomaticCertificates } from "../service/tls-feed.ts";
import { UsageError } from "../api/usage-error.ts";
import { version } from "../api/version.ts";

export { startService, type Service, type ServiceOptions } from "../service/service.ts";

/** 8443 needs no privilege; the Service maps 443 to it. */
const DEFAULT_PORT = 8443;

/**
 * Longest time between the signal to end and the end of listening, ms. Meanwhile connections in use are closed with
 * their next answer, so the API server never writes a request into a connection that is being closed. Assumed: many
 * times the gap between requests.
 */
const LEAVE_MS = 1_000;

const EVERY = "::";
const EVERY_ADDRESS: ReadonlySet<string> = new Set(["0.0.0.0", EVERY]);
const LOOPBACK = /^(localhost|127\..*|::1)$/;

/** The flags as commander passes them. */
interface ServeFlags extends ClusterFlags {
  readonly namespace: string;
  readonly host: string;
  readonly port: number;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly clientCaFile?: string;
  readonly webhookClients?: true;
  readonly certificatesSecret?: string;
  readonly certificateName: readonly string[];
  readonly service: string;
  readonly webhookConfiguration: string;
  readonly policy?: string;
  readonly identity: string;
  readonly followOnly?: true;
  readonly injectScheduler?: string;
  readonly schedulerLease?: string;
  readonly logLevel: string;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError("give a number from 0 (any free port) to 65535.");
}

/** The command with its flags. */
export function serveCommand(): Command {
  return new Command("serve")
    .description("Run the webhooks, the scheduler extender and, while leading, the release loop.")
    .option(
      "--kubeconfig <file>",
      "kubeconfig to use; default: KUBECONFIG, ~/.kube/config, or the pod's service account",
    )
    .option("--context <name>", "context of the kubeconfig; default: its current one")
    .option(
      "--namespace <name>",
      "namespace of policy and Lease",
      process.env["PACELINE_NAMESPACE"] ?? DEFAULT_NAMESPACE,
    )
    .option("--host <address>", "address to listen on; default: every one, of IPv6 as of IPv4", EVERY)
    .option("--port <number>", "port to listen on; 0 for any free one", parsePort, DEFAULT_PORT)
    .option("--cert-file <file>", "server certificate (PEM); taken up anew when it changes; default: plain HTTP")
    .option("--key-file <file>", "private key of --cert-file (PEM)")
    .option("--client-ca-file <file>", "CA (PEM) of the client certificates that the extender's routes then require")
    .option(
      "--webhook-clients",
      "with it: the webhooks' routes require one too (the API server must have been given one)",
    )
    .option(
      "--certificates-secret <name>",
      "make, keep in this Secret and rotate the certificates, instead of --cert-file; the Secret must exist, may be empty",
    )
    .option("--certificate-name <name...>", "with it: further DNS names or IP addresses of the service", [])
    .option("--service <name>", "with it: name of the Service that the API server calls", "paceline")
    .option(
      "--webhook-configuration <name>",
      "with it: name of the webhook configurations whose caBundle the leader writes",
      "paceline",
    )
    .option("--policy <file>", "read the policy from a file, once, instead of following the ConfigMap")
    .option("--identity <name>", "name of this replica in the Lease", `${hostname()}_${randomUUID().slice(0, 8)}`)
    .option("--follow-only", "never lead, only answer: for the extender beside a second scheduler")
    .option("--inject-scheduler <name>", "scheduler that /mutate/scheduler gives to pods; needs --scheduler-lease")
    .option(
      "--scheduler-lease <name>",
      "with it: that scheduler's Lease; while nobody renews it, pods stay as they came",
    )
    .addOption(
      new Option("--log-level <level>", "least level that is logged")
        .choices(["debug", "info", "warn", "error"])
        .default("info"),
    )
    .action((flags: ServeFlags) => serve(flags));
}

/** Both files or neither. @throws UsageError */
function tlsFilesOf({ certFile, keyFile, clientCaFile }: ServeFlags) {
  if ((certFile === undefined) !== (keyFile === undefined)) {
    const [given, missing] = certFile === undefined ? ["--key-file", "--cert-file"] : ["--cert-file", "--key-file"];
    throw new UsageError(`${given} needs ${missing} beside it`);
  }
  if (certFile === undefined || keyFile === undefined) {
    if (clientCaFile !== undefined) throw new UsageError("--client-ca-file needs --cert-file and --key-file beside it");
    return undefined;
  }
  return { certFile, keyFile, ...(clientCaFile !== undefined && { clientCaFile }) };
}

/** @throws UsageError when client certificates are demanded but there is no CA to check them */
function checkWebhookClients({ webhookClients, clientCaFile }: ServeFlags): void {
  if (webhookClients && clientCaFile === undefined) {
    throw new UsageError("--webhook-clients needs --client-ca-file beside it");
  }
}

/** @throws UsageError when one of its two flags is missing */
function secondSchedulerOf({ injectScheduler: name, schedulerLease: lease }: ServeFlags) {
  if (name !== undefined && lease !== undefined) return { name, lease };
  if (name === lease) return undefined;
  throw new UsageError("--inject-scheduler and --scheduler-lease need each other");
}

/** @throws UsageError when certificate files and automatic certificates are both asked for */
function certificatesOf(flags: ServeFlags): AutomaticCertificates | undefined {
  const {
    certificatesSecret: secret,
    certFile,
    keyFile,
    service,
    namespace,
    webhookConfiguration,
    clientCaFile,
  } = flags;
  if (secret === undefined) return undefined;
  if (certFile !== undefined || keyFile !== undefined) {
    throw new UsageError("give either --certificates-secret or --cert-file and --key-file");
  }
  const names = [...serviceNames(service, namespace), ...flags.certificateName];
  return { secret, names, webhookConfiguration, clientCaFile };
}

/** The DNS names of a Service: the one that the API server uses, and those that clients in the cluster may use. */
function serviceNames(service: string, namespace: string): string[] {
  const name = `${service}.${namespace}.svc`;
  return [name, `${service}.${namespace}`, `${name}.cluster.local`];
}

/** Runs until SIGTERM or SIGINT, then ends gracefully; a second signal ends it at once. */
async function serve(flags: ServeFlags): Promise<void> {
  checkWebhookClients(flags);
  const certificates = certificatesOf(flags);
  const tlsFiles = certificates === undefined ? tlsFilesOf(flags) : undefined;
  const secondScheduler = secondSchedulerOf(flags);
  const log = pino({ name: "paceline", level: flags.logLevel });
  const { namespace, port, identity, policy: policyFile, webhookClients } = flags;
  const host = flags.host === EVERY && !(await hasIPv6()) ? "0.0.0.0" : flags.host;
  const access = await clusterAccess(flags);
  const where = { access, namespace, host, port, identity, followOnly: flags.followOnly };
  const service = await startService({
    ...where,
    tlsFiles,
    certificates,
    webhookClients,
    secondScheduler,
    policyFile,
    log,
  });
  const on = EVERY_ADDRESS.has(host) ? "every address" : host;
  log.info({ on, url: service.url, version, identity }, "listening");
  if (tlsFiles === undefined && certificates === undefined && !LOOPBACK.test(host)) {
    log.warn({ host }, "plain HTTP on an address that others reach: the API server calls webhooks by HTTPS only");
  }
  const signal = await firstSignal();
  log.info({ signal }, "shutting down");
  await endGracefully(service, log);
}

/** Linux without IPv6 has no address "::", which otherwise stands for those of IPv4 as well. */
async function hasIPv6(): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(0, EVERY);
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, resolve);
  });
}

async function endGracefully(service: Service, log: Logger): Promise<void> {
  const impatient = () => {
    log.warn("second signal: ending at once");
    process.exit(1);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, impatient);
  await service.leave(LEAVE_MS);
  await service.stop();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.off(signal, impatient);
  log.info("ended");
}
