/**
 * What the API server needs beyond flags when it is to call Services and to show webhooks a client certificate. Here are no
 * Service addresses that route anywhere: its calls into the cluster go through a proxy of the caller's (HTTP CONNECT).
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { KeyPairPem } from "../../src/certificates/certificates.ts";
import type { ControlPlaneFolder } from "./folder.ts";

/** The files that operators mount; rendering them here is what keeps them from rotting. */
const SHIPPED = join(import.meta.dirname, "../../webhook-config/api-server");
const MOUNTED_AT = "/etc/kubernetes/paceline/";

export interface CallsOut {
  /** A socket where an HTTP CONNECT proxy listens, for everything that the API server calls inside the cluster. */
  readonly clusterProxy?: string | undefined;
  /** What it shows to webhooks that ask for a client certificate. */
  readonly webhookClient?: KeyPairPem | undefined;
}

/** Writes the files into the folder. @returns the flags of kube-apiserver that name them */
export async function callsOutFlags(folder: ControlPlaneFolder, options: CallsOut): Promise<string[]> {
  const { clusterProxy, webhookClient } = options;
  return [
    ...(clusterProxy === undefined ? [] : [`--egress-selector-config-file=${await egress(folder, clusterProxy)}`]),
    ...(webhookClient === undefined
      ? []
      : [`--admission-control-config-file=${await admission(folder, webhookClient)}`]),
  ];
}

function egress(folder: ControlPlaneFolder, socket: string): Promise<string> {
  const connection = { proxyProtocol: "HTTPConnect", transport: { uds: { udsName: socket } } };
  return folder.write(
    "egress.json",
    JSON.stringify({
      apiVersion: "apiserver.k8s.io/v1beta1",
      kind: "EgressSelectorConfiguration",
      egressSelections: [{ name: "cluster", connection }],
    }),
  );
}

async function admission(folder: ControlPlaneFolder, { cert, key }: KeyPairPem): Promise<string> {
  await folder.write("client.crt", cert);
  await folder.write("client.key", key);
  const install = async (file: string) => {
    const text = await readFile(join(SHIPPED, file), "utf8");
    return folder.write(file, text.replaceAll(MOUNTED_AT, `${folder.path}/`));
  };
  await install("webhook-clients.yaml");
  return install("admission-configuration.yaml");
}
