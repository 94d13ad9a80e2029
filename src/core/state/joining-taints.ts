/** Which taints nodes lose when they have joined. */
import type { Taint } from "../facts.ts";

/**
 * Taints that a node carries only until it has joined. A young node with one of them still counts as room: the pod can
 * run there in a moment, and an autoscaler need not make another node for it.
 */
const joiningTaints: ReadonlySet<string> = new Set([
  "node.kubernetes.io/unreachable",
  "node.kubernetes.io/network-unavailable",
  "node.cloudprovider.kubernetes.io/uninitialized",
  "karpenter.sh/unregistered",
]);

/**
 * The same by convention: `node.kubernetes.io/not-ready`, `node.cilium.io/agent-not-ready`,
 * `ebs.csi.aws.com/agent-not-ready` …
 */
const JOINING_ENDS = ["/not-ready", "-not-ready"] as const;
/**
 * What Cluster Autoscaler takes for startup taints (today's prefix, and the one before 1.29), and
 * node-readiness-controller's.
 */
const JOINING_STARTS = [
  "startup-taint.cluster-autoscaler.kubernetes.io/",
  "ignore-taint.cluster-autoscaler.kubernetes.io/",
  "readiness.k8s.io/",
] as const;

/** A taint that nodes lose by themselves, or by their agents, within minutes of their creation. */
export const isJoiningTaint = ({ key }: Taint): boolean =>
  joiningTaints.has(key) ||
  JOINING_ENDS.some((end) => key.endsWith(end)) ||
  JOINING_STARTS.some((start) => key.startsWith(start));
