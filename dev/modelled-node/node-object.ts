/** The Node and its Lease as a kubelet writes them. */
import { imageName } from "../../src/core/ids.ts";
import type { RawTaint } from "../../src/kube/parse/kube-json.ts";
import type { PresentImage } from "../../src/simulate/model/types.ts";
import { apiTime, imageId } from "./pod-status.ts";

/** Version that modelled kubelets report. */
export const KUBELET_VERSION = "v1.36.3";

/** The identity of a Node. */
export interface NodeIdentity {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly RawTaint[];
  /** InternalIP, a loopback one. */
  readonly address: string;
  /**
   * Where kube-apiserver finds the kubelet. It does not proxy to loopback, so this is another address if there is one.
   */
  readonly kubelet: { readonly address: string; readonly port: number };
  readonly cores: number;
  readonly memoryBytes: number;
  readonly maxPods: number;
}

export const LEASE_NAMESPACE = "kube-node-lease";
/** How long a kubelet's Lease lasts, in seconds. Source: KubeletConfiguration.nodeLeaseDurationSeconds. */
export const LEASE_SECONDS = 40;

/** Body of the Node's creation. */
export function nodeObject(node: NodeIdentity, nowMs: number): object {
  const labels = {
    "beta.kubernetes.io/arch": "amd64",
    "beta.kubernetes.io/os": "linux",
    "kubernetes.io/arch": "amd64",
    "kubernetes.io/os": "linux",
    "kubernetes.io/hostname": node.name,
    ...node.labels,
  };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: node.name, labels },
    spec: { taints: node.taints },
    status: nodeStatus(node, { ready: false, transitionMs: nowMs, images: [] }, nowMs),
  };
}

/** The changing part of a Node's status. */
export interface NodeState {
  readonly ready: boolean;
  /** When `ready` last changed, epoch ms. */
  readonly transitionMs: number;
  readonly images: readonly PresentImage[];
}

/** The whole status: body of a strategic merge patch of nodes/status (`conditions` and `addresses` merge by type). */
export function nodeStatus(node: NodeIdentity, state: NodeState, nowMs: number): object {
  const resources = {
    cpu: String(node.cores),
    memory: `${Math.floor(node.memoryBytes / 1_024)}Ki`,
    "ephemeral-storage": "100Gi",
    pods: String(node.maxPods),
  };
  return {
    capacity: resources,
    allocatable: resources,
    addresses: [
      { type: "InternalIP", address: node.address },
      { type: "ExternalIP", address: node.kubelet.address },
      { type: "Hostname", address: node.name },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: node.kubelet.port } },
    conditions: conditions(state, nowMs),
    images: state.images.map(imageEntry),
    nodeInfo: nodeInfo(node),
  };
}

function conditions(state: NodeState, nowMs: number): object[] {
  const beat = { lastHeartbeatTime: apiTime(nowMs), lastTransitionTime: apiTime(state.transitionMs) };
  const pressures = [
    ["MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"],
    ["DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"],
    ["PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"],
  ] as const;
  const ready = state.ready
    ? { status: "True", reason: "KubeletReady", message: "kubelet is posting ready status" }
    : { status: "False", reason: "KubeletNotReady", message: "container runtime network not ready" };
  return [
    ...pressures.map(([type, reason, message]) => ({ type, status: "False", reason, message, ...beat })),
    { type: "Ready", ...ready, ...beat },
  ];
}

/** An image as containerd names it: by digest, then with registry and tag; its size is the compressed one. */
function imageEntry(image: PresentImage): object {
  const name = imageName(image.name);
  return { names: name.includes("@") ? [name] : [imageId(name), name], sizeBytes: image.sizeBytes };
}

function nodeInfo(node: NodeIdentity): object {
  return {
    architecture: "amd64",
    operatingSystem: "linux",
    osImage: "modelled node",
    kernelVersion: "modelled",
    containerRuntimeVersion: "containerd://2.1.5",
    kubeletVersion: KUBELET_VERSION,
    kubeProxyVersion: "",
    bootID: node.address,
    machineID: node.name,
    systemUUID: node.name,
  };
}

/** The Lease that shows node-lifecycle that the node is alive. Because of `nodeUid` it is deleted with the Node. */
export function leaseObject(name: string, nodeUid: string, nowMs: number): object {
  return {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: {
      name,
      namespace: LEASE_NAMESPACE,
      ownerReferences: [{ apiVersion: "v1", kind: "Node", name, uid: nodeUid }],
    },
    spec: { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime: microTime(nowMs) },
  };
}

/** RFC 3339 with microseconds, as metav1.MicroTime is written. */
export function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}
