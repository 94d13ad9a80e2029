/**
 * The address of the API server and the credentials for it. In a cluster they are a mounted service account, whose
 * token rotates. Elsewhere they are a kubeconfig, which @kubernetes/client-node reads. That library is loaded only for
 * a kubeconfig, because it costs about 80 MB of memory.
 */
import { readFile } from "node:fs/promises";
import type { KubeConfig } from "@kubernetes/client-node";

/** TLS material of a connection, PEM. */
export interface TlsMaterial {
  readonly ca?: string | Buffer | undefined;
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
  readonly servername?: string | undefined;
  readonly rejectUnauthorized?: boolean | undefined;
}

/** What every request carries. It is asked for each request, so that rotated tokens are used. */
export interface Access {
  readonly tls: TlsMaterial;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Credentials {
  /** Address of the API server, e.g. `https://10.0.0.1:443`; a path prefix is kept. */
  readonly url: string;
  /** HTTP proxy of the kubeconfig's cluster, if it names one. */
  readonly proxyUrl?: string | undefined;
  /** @throws when a file cannot be read or an exec plugin fails. */
  access(): Promise<Access>;
}

/** A fixed token, for tests and development clusters; `ca` is PEM. */
export interface TokenAccess {
  readonly url: string;
  readonly token?: string | undefined;
  readonly ca?: string | Buffer | undefined;
}

export function tokenCredentials({ url, token, ca }: TokenAccess): Credentials {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return { url, access: () => Promise.resolve({ tls: { ca }, headers }) };
}

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * The mounted service account. The kubelet rotates its token (hourly by default, at 80 % of its life), so the file is
 * read for every request: it is a tmpfs of a few hundred bytes.
 * @throws when this process does not run in a pod.
 */
export function inClusterCredentials(
  environment: Readonly<Record<string, string | undefined>>,
  root: string = SERVICE_ACCOUNT,
): Credentials {
  const host = environment["KUBERNETES_SERVICE_HOST"];
  const port = environment["KUBERNETES_SERVICE_PORT"];
  if (host === undefined || port === undefined) {
    throw new Error(
      "not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set; give --kubeconfig",
    );
  }
  const url = `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  return {
    url,
    access: async () => {
      const [ca, token] = await Promise.all([readFile(`${root}/ca.crt`), readFile(`${root}/token`, "utf8")]);
      return { tls: { ca }, headers: { authorization: `Bearer ${token.trim()}` } };
    },
  };
}

/**
 * The current context of a loaded KubeConfig: client certificates, tokens, token files, exec plugins, OIDC.
 * @throws when the context names no cluster.
 */
export function kubeConfigCredentials(config: KubeConfig): Credentials {
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new Error(
      `kubeconfig: context "${config.getCurrentContext()}" names no cluster; choose one of ` +
        config.contexts.map((context) => context.name).join(", "),
    );
  }
  return { url: cluster.server, proxyUrl: cluster.proxyUrl, access: () => kubeConfigAccess(config) };
}

async function kubeConfigAccess(config: KubeConfig): Promise<Access> {
  const options: TlsMaterial & { headers: Record<string, unknown>; auth?: string } = { headers: {} };
  // The library sets what the context's user has: headers, certificates, basic authentication.
  await config.applyToHTTPSOptions(options as Parameters<KubeConfig["applyToHTTPSOptions"]>[0]);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers)) headers[name.toLowerCase()] = String(value).trim();
  if (options.auth !== undefined) {
    headers["authorization"] = `Basic ${Buffer.from(options.auth).toString("base64")}`;
  }
  const { ca, cert, key, rejectUnauthorized } = options;
  return { tls: { ca, cert, key, rejectUnauthorized, servername: config.getCurrentCluster()?.tlsServerName }, headers };
}

/**
 * Loads credentials as kubectl would: the file given, else `KUBECONFIG` or `~/.kube/config`, else the service account.
 * @throws when the file cannot be read, or names no such context.
 */
export async function loadCredentials(
  from: { kubeconfig?: string | undefined; context?: string | undefined },
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Credentials> {
  const inPod = environment["KUBERNETES_SERVICE_HOST"] !== undefined;
  if (from.kubeconfig === undefined && environment["KUBECONFIG"] === undefined && inPod) {
    return inClusterCredentials(environment);
  }
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  if (from.kubeconfig === undefined) config.loadFromDefault();
  else config.loadFromFile(from.kubeconfig);
  if (from.context !== undefined) selectContext(config, from.context);
  return kubeConfigCredentials(config);
}

function selectContext(config: KubeConfig, context: string): void {
  if (config.getContextObject(context) === null) {
    const known = config.contexts.map((one) => one.name).join(", ");
    throw new Error(`kubeconfig: there is no context "${context}"; it has: ${known}`);
  }
  config.setCurrentContext(context);
}
