/**
 * `paceline status`: which pods wait and why, and how full the paced nodes are. All state is in the API server, so it
 * needs no running service. With `--url` it shows a replica's own answer, which has figures of disks.
 */
import { readFile } from "node:fs/promises";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { Command } from "commander";
import { Agent, request } from "undici";
import { COMPONENT, DEFAULT_NAMESPACE } from "../api/names.ts";
import type { LimitAnswer } from "../core/limit-answer.ts";
import type { PodAnswer } from "../core/pod-answer.ts";
import type { StatusAnswer } from "../server/answers.ts";
import { readServerTrust } from "../status/server-trust.ts";
import { limitText, podText } from "../status/answers-text.ts";
import { readCluster } from "../status/read-cluster.ts";
import { statusProblems, statusText } from "../status/text.ts";
import { UsageError } from "../api/usage-error.ts";
import { type ClusterFlags, withCluster } from "./connect.ts";

interface StatusFlags extends ClusterFlags {
  readonly namespace?: string;
  readonly node?: string;
  readonly pod?: string;
  readonly url?: string;
  readonly caFile?: string;
  readonly serverName?: string;
  readonly webhookConfiguration: string;
  readonly pacelineNamespace: string;
  readonly json?: true;
}

/** Time-out for a replica's answer, ms. A replica answers from memory. Assumed. */
const ANSWER_MS = 10_000;

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** The command with its flags. */
export function statusCommand(): Command {
  return new Command("status")
    .description("Show paced nodes and their slots, held pods and why they wait, and who leads. Reads only.")
    .option("-n, --namespace <name>", "only held pods of this namespace")
    .option("--node <name>", "only this node, and the pods that wait for it; with --url also what its limit did")
    .option("--pod <namespace/name>", "only why this pod waits, and until when at the latest")
    .option(
      "--url <address>",
      "ask this replica (kubectl port-forward) instead of reading the cluster: its answer has the disks' figures",
    )
    .option(
      "--ca-file <file>",
      "with it: CA of the replica's certificate (PEM); default at a loopback address: the one in Paceline's webhooks",
    )
    .option(
      "--server-name <name>",
      "with it: name in the replica's certificate; default at a loopback address: that of the Service",
    )
    .option("--webhook-configuration <name>", "name of Paceline's webhook configurations", "paceline")
    .option(
      "--paceline-namespace <name>",
      "namespace of Paceline's policy and Lease",
      process.env["PACELINE_NAMESPACE"] ?? DEFAULT_NAMESPACE,
    )
    .option("--kubeconfig <file>", "kubeconfig to use; default as for serve")
    .option("--context <name>", "context of the kubeconfig; default: its current one")
    .option("--json", "print one JSON object, of the shape of /status.json")
    .addHelpText(
      "after",
      "\nExit codes: 0 fine; 1 no leader, an invalid policy, or pods held past the cap; 2 wrong usage or no answer.",
    )
    .action((flags: StatusFlags) => status(flags));
}

async function status(flags: StatusFlags): Promise<void> {
  const pod = flags.pod === undefined ? undefined : podOf(flags.pod);
  const source = flags.url === undefined ? await fromCluster(flags) : await fromReplica(flags.url, flags);
  const { answer } = source;
  const problems = statusProblems(answer);
  if (problems.length > 0) process.exitCode = 1;
  if (pod) {
    const why = await source.pod(pod);
    process.stdout.write(flags.json ? `${JSON.stringify({ ...why, problems })}\n` : podText(why, problems));
    return;
  }
  const shown = narrowed(answer, flags);
  const limit = flags.node === undefined ? undefined : await source.limit(flags.node);
  const text = () => statusText(shown, problems) + (limit ? limitText(limit) : "");
  process.stdout.write(flags.json ? `${JSON.stringify({ ...shown, ...(limit && { limit }), problems })}\n` : text());
}

/** @throws UsageError where it is no `namespace/name` */
function podOf(text: string): PodName {
  const [namespace = "", name = "", ...rest] = text.split("/");
  if (namespace === "" || name === "" || rest.length > 0)
    throw new UsageError(`--pod ${text}: give it as NAMESPACE/NAME`);
  return { namespace, name };
}

interface PodName {
  readonly namespace: string;
  readonly name: string;
}

/** The cluster or a replica, read. */
interface Source {
  readonly answer: StatusAnswer;
  pod(name: PodName): PodAnswer | Promise<PodAnswer>;
  /** Undefined: no replica was asked, or it does not know the node. */
  limit(node: string): Promise<LimitAnswer | undefined> | undefined;
}

function narrowed<Answer extends StatusAnswer>(answer: Answer, { namespace, node }: StatusFlags): Answer {
  const nodes = answer.nodes.filter(({ name }) => node === undefined || name === node);
  const held = answer.held.filter(
    (pod) => (namespace === undefined || pod.namespace === namespace) && (node === undefined || pod.node === node),
  );
  return { ...answer, nodes, held };
}

async function fromCluster({ pacelineNamespace, ...cluster }: StatusFlags): Promise<Source> {
  const { answer, pacer, nowMs } = await withCluster(cluster, (client, clock) =>
    readCluster(client, pacelineNamespace, clock).catch((cause: unknown) => {
      throw new UsageError(`the cluster cannot be read: ${(cause as Error).message}`, { cause });
    }),
  );
  return { answer, pod: ({ namespace, name }) => pacer.podAnswer(namespace, name, nowMs), limit: () => undefined };
}

async function fromReplica(address: string, flags: StatusFlags): Promise<Source> {
  if (!URL.canParse(address)) throw new UsageError(`--url ${address}: give an address such as https://127.0.0.1:8443`);
  const trust = await trustFor(new URL(address), flags);
  const get = <Body>(path: string) => fromPage<Body>(address, path, trust);
  const answer = await get<Partial<StatusAnswer>>("status.json");
  if (!Array.isArray(answer?.nodes) || !Array.isArray(answer.held))
    throw new UsageError(`${address} does not answer: this is no status of Paceline`);
  return {
    answer: answer as StatusAnswer,
    pod: async ({ namespace, name }) => {
      const path = `status/pods/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
      const known = await get<PodAnswer>(path);
      if (!known) throw new UsageError(`${address} is of an earlier version, which cannot tell of one pod`);
      return known;
    },
    limit: (node) => get<LimitAnswer>(`status/nodes/${encodeURIComponent(node)}`),
  };
}

/**
 * Undefined: there is no such page.
 * @throws UsageError when the address does not answer
 */
async function fromPage<Body>(address: string, path: string, trust: object): Promise<Body | undefined> {
  const dispatcher = new Agent({ connect: trust });
  try {
    const url = new URL(path, address.endsWith("/") ? address : `${address}/`);
    const answer = await request(url, { dispatcher, signal: AbortSignal.timeout(ANSWER_MS) });
    if (answer.statusCode === 404) return undefined;
    if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`);
    return (await answer.body.json()) as Body;
  } catch (cause) {
    throw new UsageError(`${address} does not answer: ${(cause as Error).message}`, { cause });
  } finally {
    await dispatcher.destroy();
  }
}

/**
 * A port-forward's address is in no certificate, so at a loopback address the Service's name is as good. It and the CA
 * come from the release: its webhooks, as far as they can be read.
 */
async function trustFor({ protocol, hostname }: URL, flags: StatusFlags) {
  if (protocol !== "https:") return {};
  const { caFile, serverName, pacelineNamespace } = flags;
  const ca = caFile === undefined ? undefined : await readCa(caFile);
  if (serverName !== undefined) return withName(ca, serverName);
  if (!LOOPBACK.test(hostname)) return { ...(ca !== undefined && { ca }) };
  const release = await withCluster(flags, (client) => readServerTrust(client, flags.webhookConfiguration)).catch(
    () => undefined, // without a kubeconfig, or without the right: the chart's own name
  );
  return withName(ca ?? release?.ca, release?.name ?? `${COMPONENT}.${pacelineNamespace}.svc`);
}

/** The certificate may have the address's own name as well. */
const withName = (ca: string | undefined, name: string) => ({
  ...(ca !== undefined && { ca }),
  checkServerIdentity: (host: string, certificate: PeerCertificate) =>
    checkServerIdentity(host, certificate) && checkServerIdentity(name, certificate),
});

function readCa(file: string): Promise<string> {
  return readFile(file, "utf8").catch((cause: unknown) => {
    throw new UsageError(`--ca-file ${file} cannot be read: ${(cause as Error).message}`, { cause });
  });
}
