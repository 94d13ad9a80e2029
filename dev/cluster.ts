/**
 * `npm run cluster -- --nodes 5`: runs a real control plane with modelled nodes to try things on. It prints a
 * KUBECONFIG and runs until Ctrl-C, which leaves nothing behind.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import { type ModelledNodes, startModelledNodes } from "./modelled-node/modelled-node.ts";
import { findBinaries } from "./control-plane/binaries.ts";
import { type ControlPlane, startControlPlane } from "./control-plane/control-plane.ts";
import { withProgress } from "../src/cli/progress.ts";
import { installAccess, installWebhooks } from "./install.ts";
import { startServiceProcess } from "./service.ts";

/** Each modelled node is a disk, a kubelet, a web server and a watch in this one process; 50 were run on 2 cores. */
const MOST_NODES = 200;

interface Options {
  readonly nodes: number;
  readonly json?: true;
  /** The policy's mode; undefined: no Paceline. */
  readonly paceline?: "observe" | "enforce";
}

async function main(): Promise<void> {
  const options = new Command("npm run cluster --")
    .description("keep a real control plane with modelled nodes up, until Ctrl-C")
    .option("--nodes <count>", "how many modelled gp3 nodes", count, 3)
    .addOption(new Option("--paceline <mode>", "run Paceline beside it").choices(["observe", "enforce"]))
    .option("--json", "print where everything is as one line of JSON")
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
    .parse()
    .opts<Options>();
  await findBinaries(); // builds them the first time, and says so
  await using controlPlane = await withProgress("starting a control plane", () => startControlPlane());
  const url = options.paceline && (await startPaceline(controlPlane, options.paceline));
  const interrupted = untilInterrupted(); // from here on we end in order; before, startControlPlane's own handlers do
  await using nodes = await startModelledNodes(nodeOptions(controlPlane, options.nodes));
  await withProgress(`waiting until ${options.nodes} modelled nodes are Ready`, () =>
    Promise.race([nodes.ready, interrupted]),
  );
  process.stdout.write(options.json ? `${asJson(controlPlane, nodes, url)}\n` : asText(controlPlane, nodes, url));
  await interrupted;
}

function count(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= MOST_NODES) return value;
  throw new InvalidArgumentError(`expected a whole number from 0 to ${MOST_NODES}`);
}

function nodeOptions({ client }: ControlPlane, nodes: number): { client: ControlPlane["client"]; name: string }[] {
  return Array.from({ length: nodes }, (_, index) => ({ client, name: `node-${index + 1}` }));
}

function untilInterrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => resolve());
  });
}

/** One replica with its rights, policy and webhooks; the control plane ends it. @returns its address */
async function startPaceline(controlPlane: ControlPlane, mode: "observe" | "enforce"): Promise<string> {
  return await withProgress(`starting Paceline, mode ${mode}`, async () => {
    await installAccess(controlPlane.client, { mode });
    const { url } = await startServiceProcess(controlPlane);
    await installWebhooks(controlPlane.client, { url, caBundle: controlPlane.caCert });
    return url;
  });
}

function asJson(controlPlane: ControlPlane, { nodes }: ModelledNodes, paceline: string | undefined): string {
  const { url, kubeconfigPath, auditLogPath, folder, kubectlPath } = controlPlane;
  const places = nodes.map(({ name, address, metricsUrl }) => ({ name, address, metricsUrl }));
  return JSON.stringify({
    kubeconfig: kubeconfigPath,
    url,
    auditLog: auditLogPath,
    folder,
    kubectl: kubectlPath,
    nodes: places,
    paceline,
  });
}

function asText(controlPlane: ControlPlane, { nodes }: ModelledNodes, paceline: string | undefined): string {
  const kubectl = controlPlane.kubectlPath ?? "kubectl";
  const metrics = nodes[0] ? `  curl ${nodes[0].metricsUrl}   # its disk, as node_exporter shows it\n` : "";
  const counts = paceline === undefined ? "" : `  curl -sk ${paceline}/metrics | grep -E 'observed|holds|allows'\n`;
  const page = paceline === undefined ? "" : `Paceline's status page: ${paceline}/\n`;
  return `A real control plane with ${nodes.length} modelled nodes is up. In another terminal:

  export KUBECONFIG=${controlPlane.kubeconfigPath}
  ${kubectl} get nodes
  ${kubectl} create deployment herd --image=example.com/app:1 --replicas=40
${metrics}${counts}
${page}Logs and audit log: ${controlPlane.folder}
Ctrl-C ends it and leaves nothing behind.
`;
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
