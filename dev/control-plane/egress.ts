/**
 * Files for an API server that calls Services and shows webhooks a client certificate. Service addresses have no routes
 * here, so its calls into the cluster go through the caller's proxy (HTTP CONNECT).
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { KeyPairPem } from "../../src/certificates/certificates.ts";
import type { ControlPlaneFolder } from "./folder.ts";

/** The files that operators mount. They are rendered here, so that tests cover them. */
const SHIPPED = join(import.meta.dirname, "../../webhook-config/api-server");
const MOUNTED_AT = "/etc/kubernetes/paceline/";

export interface CallsOut {
  /** A socket where an HTTP CONNECT proxy listens, for everything that the API server calls inside the cluster. */
  readonly clusterProxy?: string | undefined;
  /** The certificate that it shows to webhooks that ask for one. */
  readonly webhookClient?: KeyPairPem | undefined;
  /** Priority classes that a pod gets only where a ResourceQuota names them, as on GKE; not with `webhookClient`. */
  readonly limitedClasses?: readonly string[] | undefined;
}

/** Writes the files into the folder. @returns the flags of kube-apiserver that name them */
export async function callsOutFlags(folder: ControlPlaneFolder, options: CallsOut): Promise<string[]> {
  const { clusterProxy, webhookClient, limitedClasses } = options;
  return [
    ...(clusterProxy === undefined ? [] : [`--egress-selector-config-file=${await egress(folder, clusterProxy)}`]),
    ...(webhookClient === undefined
      ? []
      : [`--admission-control-config-file=${await admission(folder, webhookClient)}`]),
    ...(limitedClasses === undefined
      ? []
      : [`--admission-control-config-file=${await quotaAdmission(folder, limitedClasses)}`]),
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

function quotaAdmission(folder: ControlPlaneFolder, values: readonly string[]): Promise<string> {
  const matchScopes = [{ scopeName: "PriorityClass", operator: "In", values }];
  const configuration = {
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "ResourceQuotaConfiguration",
    limitedResources: [{ resource: "pods", matchScopes }],
  };
  return folder.write(
    "quota-admission.json",
    JSON.stringify({
      apiVersion: "apiserver.config.k8s.io/v1",
      kind: "AdmissionConfiguration",
      plugins: [{ name: "ResourceQuota", configuration }],
    }),
  );
}
