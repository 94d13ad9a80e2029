/** Renders kube-scheduler's configuration: that of scheduler-config/, which operators apply, or the caller's. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseDocument } from "yaml";
import type { KeyPairPem } from "../../src/certificates/certificates.ts";

/** The file that operators apply. It is rendered here, so that tests cover it. */
export const schedulerConfigFile = join(import.meta.dirname, "../../scheduler-config/kube-scheduler-config.yaml");

/** Configuration of a kube-scheduler. Without `extenderUrl` and `config` it is unmodified and has no extender. */
export interface SchedulerOptions {
  /**
   * Base address of an extender, `https://127.0.0.1:1234`: uses scheduler-config/kube-scheduler-config.yaml with it. A
   * path, if there is one, replaces the file's own (`/scheduler`); with `http:` the file's TLS settings are left out.
   */
  readonly extenderUrl?: string;
  /**
   * PEM: the CA to trust and the certificate to show. Required for `https:`, if the extender demands client
   * certificates.
   */
  readonly extenderTls?: { readonly ca: string; readonly client?: KeyPairPem };
  /** A whole KubeSchedulerConfiguration as YAML, instead. Its kubeconfig and leader election are set here. */
  readonly config?: string;
  /** The name that pods ask for in `spec.schedulerName`; default `default-scheduler`. */
  readonly schedulerName?: string;
  /** Requests to the API server per second; default kube-scheduler's own 50 (burst 100), which bounds throughput. */
  readonly clientQps?: number;
}

const UNMODIFIED = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";

/** The configuration as YAML text. @throws when `config` is not YAML, or an https extender comes without a CA. */
export function renderSchedulerConfig(options: SchedulerOptions & { readonly kubeconfigPath: string }): string {
  const usesFile = options.config === undefined && options.extenderUrl !== undefined;
  const document = parseDocument(options.config ?? (usesFile ? readFileSync(schedulerConfigFile, "utf8") : UNMODIFIED));
  if (document.errors[0]) throw new Error(`the scheduler's configuration is not YAML: ${document.errors[0].message}`);
  document.setIn(["clientConnection", "kubeconfig"], options.kubeconfigPath);
  document.setIn(["leaderElection", "leaderElect"], false);
  if (options.clientQps !== undefined) {
    document.setIn(["clientConnection", "qps"], options.clientQps);
    document.setIn(["clientConnection", "burst"], options.clientQps * 2);
  }
  if (options.schedulerName !== undefined) document.setIn(["profiles", 0, "schedulerName"], options.schedulerName);
  if (usesFile) setExtender(document, options.extenderUrl, options.extenderTls);
  return document.toString();
}

function setExtender(
  document: ReturnType<typeof parseDocument>,
  extenderUrl: string,
  tls: SchedulerOptions["extenderTls"],
): void {
  const address = new URL(extenderUrl);
  const path =
    address.pathname === "/"
      ? new URL(String(document.getIn(["extenders", 0, "urlPrefix"]))).pathname
      : address.pathname;
  document.setIn(["extenders", 0, "urlPrefix"], `${address.origin}${path}`);
  if (address.protocol === "http:") {
    document.deleteIn(["extenders", 0, "enableHTTPS"]);
    document.deleteIn(["extenders", 0, "tlsConfig"]);
    return;
  }
  if (tls === undefined) throw new Error(`extenderUrl ${extenderUrl} is https: extenderTls.ca must say whom to trust`);
  const base64 = (pem: string) => Buffer.from(pem).toString("base64");
  document.setIn(
    ["extenders", 0, "tlsConfig"],
    document.createNode({
      serverName: address.hostname.replace(/^\[|\]$/g, ""),
      caData: base64(tls.ca),
      ...(tls.client && { certData: base64(tls.client.cert), keyData: base64(tls.client.key) }),
    }),
  );
}
