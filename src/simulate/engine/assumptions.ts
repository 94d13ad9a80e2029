/**
 * Every number of the simulated control plane, in one place, in ms unless the name says otherwise. The node's own
 * numbers are in ../model/constants.ts. "read" = read in Kubernetes 1.36; "measured" = on a real control plane
 * (docs/design.md); "assumed" comes with its plausible range.
 */
export const engineDefaults = {
  /** From a write until a watch has delivered it. Assumed; range 1–20. */
  watchMs: 5,
  /** One write, at least. Assumed; range 3–10. */
  writeLeastMs: 5,
  /** …plus a random time of up to this much. Assumed; range 0–10. */
  writeSpreadMs: 5,
  /** From a change on the node until the kubelet has written it. Assumed; range 5–100. */
  statusMs: 10,
  /** The scheduler's work on one pod. scheduler_perf at 5,000 nodes gives 680–810 pods/s; range 1–5. */
  schedulePodMs: 1.5,
  /** First back-off of an unschedulable pod. Read: podInitialBackoffSeconds. */
  backOffInitialMs: 1_000,
  /** Longest back-off of an unschedulable pod. Read: podMaxBackoffSeconds. */
  backOffMaxMs: 10_000,
  /** The Node object exists this long before the node is Ready. Measured: 2 s. */
  registerMs: 2_000,
  /** The kubelet writes a changed node status (images) this often. Read: nodeStatusUpdateFrequency. */
  nodeStatusMs: 10_000,
  /**
   * The time between two pods of a controller. Assumed; range 0.2–20: kube-controller-manager's client limit is 50/s by
   * default, and busy clusters raise it.
   */
  createPodMs: 1,
  /** What one plan takes: per waiting pod and per paced node. Assumed; range 0.0005–0.005 and 0.005–0.05. */
  planPerPodMs: 0.001,
  planPerNodeMs: 0.02,
  /** The autoscaler looks this often. Read: Cluster Autoscaler, scan-interval. */
  scanMs: 10_000,
  /** The simulation gives up this long after the scenario's last arrival. A herd of 2 hours was reported. */
  horizonMs: 4 * 3_600_000,
} as const;

/**
 * A pod without requests counts as this much when nodes are scored. Read: DefaultMilliCPURequest, DefaultMemoryRequest.
 */
export const scoredRequest = { cpuMillis: 100, memoryBytes: 200 * 1_048_576 } as const;
