/**
 * Writes the files that kind-config.yaml mounts into its control plane: certificates and the scheduler's configuration.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { makeCerts, serviceNames } from "../../certs/make-certs.ts";

const shipped = join(import.meta.dirname, "../../scheduler-config/kube-scheduler-config.yaml");

/** Fixed address for the Service "paceline", inside kind's service range: a static pod cannot resolve its name. */
export const CLUSTER_IP = "10.96.0.50";

/** scheduler-config/kube-scheduler-config.yaml with the Service's address. The rest is what operators apply. */
export async function schedulerConfigForKind(): Promise<string> {
  const document = parseDocument(await readFile(shipped, "utf8"));
  const address = new URL(String(document.getIn(["extenders", 0, "urlPrefix"])));
  document.setIn(["extenders", 0, "urlPrefix"], `https://${CLUSTER_IP}:${address.port || "443"}${address.pathname}`);
  return document.toString();
}

/** Fills `folder`. Existing certificates are renewed under the same authority. */
export async function prepare(folder: string, nowMs: number): Promise<void> {
  const names = [...serviceNames("paceline", "paceline"), CLUSTER_IP];
  await makeCerts({ folder, names, days: 365, nowMs });
  await writeFile(join(folder, "kube-scheduler-config.yaml"), await schedulerConfigForKind());
}

if (import.meta.main) await prepare(join(import.meta.dirname, "out"), Date.now());
