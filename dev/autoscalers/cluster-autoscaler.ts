/**
 * Cluster Autoscaler beside a control plane: its own program, and its own simulated cloud "kwok", in which a machine is
 * a Node object. It cannot be built from here: its module is not on the module proxy. `CLUSTER_AUTOSCALER` names the
 * program (docs/autoscalers.md says how to build it).
 */
import { stringify } from "yaml";
import { isConflict } from "../../src/kube/client/api-error.ts";
import { type Child, untilReady } from "../control-plane/child.ts";
import type { ControlPlane } from "../control-plane/control-plane.ts";
import { freePort } from "../control-plane/ports.ts";
import { answersOk } from "./answers-ok.ts";
import { RESOURCES } from "./machine.ts";

const NAMESPACE = "kube-system";
const GROUP = "group";
const GROUP_LABEL = "model.paceline.dev/group";
const MOST_NODES = 100;
const READY_WITHIN_MS = 60_000;

/** Path of the program; undefined where nothing names one. */
export const clusterAutoscalerProgram = (env: NodeJS.ProcessEnv = process.env): string | undefined =>
  env["CLUSTER_AUTOSCALER"];

/** Starts it with one empty node group. It ends with the control plane. @throws when nothing names the program */
export async function startClusterAutoscaler(plane: ControlPlane): Promise<Child> {
  const program = clusterAutoscalerProgram();
  if (program === undefined) throw new Error("CLUSTER_AUTOSCALER names no program (docs/autoscalers.md)");
  await configure(plane);
  const port = await freePort();
  const settings = [`KUBECONFIG=${plane.kubeconfigPath}`, `POD_NAMESPACE=${NAMESPACE}`, "KWOK_PROVIDER_MODE=local"];
  const child = await plane.startProgram("cluster-autoscaler", "env", [
    ...settings,
    program,
    `--kubeconfig=${plane.kubeconfigPath}`,
    "--cloud-provider=kwok",
    "--leader-elect=false",
    "--scan-interval=2s",
    "--v=4",
    `--address=127.0.0.1:${port}`,
  ]);
  await untilReady(child, () => answersOk(`http://127.0.0.1:${port}/health-check`), READY_WITHIN_MS);
  child.announceUnexpectedEnd();
  return child;
}

async function configure({ client }: ControlPlane): Promise<void> {
  const config = {
    apiVersion: "v1alpha1",
    readNodesFrom: "configmap",
    nodegroups: { fromNodeLabelKey: GROUP_LABEL },
    nodes: { skipTaint: true },
    configmap: { name: "kwok-provider-templates" },
  };
  const labels = { [GROUP_LABEL]: GROUP, "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux" };
  const annotations = { "cluster-autoscaler.kwok.nodegroup/max-count": String(MOST_NODES) };
  const template = {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: GROUP, labels: { ...labels, "kubernetes.io/hostname": GROUP }, annotations },
    status: { capacity: RESOURCES, allocatable: RESOURCES },
  };
  const templates = stringify({ apiVersion: "v1", kind: "List", items: [template] });
  const maps = { "kwok-provider-config": { config: stringify(config) }, "kwok-provider-templates": { templates } };
  for (const [name, data] of Object.entries(maps)) {
    await client
      .create(`/api/v1/namespaces/${NAMESPACE}/configmaps`, { metadata: { name }, data })
      .catch(ignoreExisting);
  }
}

/** It is started again. */
function ignoreExisting(error: unknown): void {
  if (!isConflict(error)) throw error;
}
