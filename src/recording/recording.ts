/** What a recording tells of a cluster's starts. Times are epoch ms, as recorded; undefined: it does not tell. */
import type { Fingerprint } from "../diagnose/classify/fingerprints.ts";
import type { Resources } from "../core/facts.ts";

export interface RecordedNode {
  readonly name: string;
  /** Label `node.kubernetes.io/instance-type`; "" where it is not told. */
  readonly instanceType: string;
  /** All labels, by which a policy's node classes select. */
  readonly labels: Readonly<Record<string, string>>;
  /** InternalIP; undefined where it is not told. */
  readonly address: string | undefined;
  /** cpu in millicores, memory in bytes; undefined where no Node object was read. */
  readonly capacity: Resources | undefined;
  readonly allocatable: Resources | undefined;
  /** Such as `containerd://2.1.5`; "" where it is not told. */
  readonly runtime: string;
  readonly createdMs: number | undefined;
  /** When it first was Ready. */
  readonly openedMs: number | undefined;
  /** Images that it has at the end, by their full names (core/ids), with what the kubelet lists for each, bytes. */
  readonly images: ReadonlyMap<string, number>;
  /** Images that it had when it opened; undefined: not told. */
  readonly presentAtOpen: ReadonlySet<string> | undefined;
}

/** What all pods of one template have in common. */
export interface RecordedShape {
  /** `Kind/name` of the controller, a ReplicaSet's by its Deployment; `Pod/name` of a pod without one. */
  readonly owner: string;
  /** Full image names of the containers and sidecars, one for each, in order. */
  readonly images: readonly string[];
  readonly initImages: readonly string[];
  /** cpu in millicores, memory in bytes, extended resources in units; as the scheduler counts them. */
  readonly requests: Resources;
  readonly priority: number;
  /** It tolerates every taint (operator Exists, no key). */
  readonly toleratesEverything: boolean;
  readonly hasStartupProbe: boolean;
  /** It has rules about other pods or volumes, which no scenario has. */
  readonly hasPlacementRules: boolean;
}

export interface RecordedPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Undefined where no object of the pod was read. */
  readonly shape: RecordedShape | undefined;
  /** "" while it was not bound. */
  readonly node: string;
  readonly createdMs: number | undefined;
  readonly boundMs: number | undefined;
  /** When all its containers first ran. */
  readonly runningMs: number | undefined;
  /** When their startup probes had passed; only an audit log tells it. */
  readonly startedMs: number | undefined;
  readonly readyMs: number | undefined;
  /** Its status says that it did not end by itself: it was evicted or preempted, or its kubelet refused it. */
  readonly isEnded: boolean;
  /** When it was asked to end: deleted, evicted or preempted. */
  readonly endedMs: number | undefined;
  /** How long its init containers ran in sum, in whole seconds. */
  readonly initSeconds: number | undefined;
  /** The pod was once held by Paceline's gate: then the recording shows no herd all at once. */
  readonly gated: boolean;
  /** It ended (Succeeded), as a Job's pod does. */
  readonly isDone: boolean;
  /**
   * Failed starts by fingerprint. Left out are those that image or manifest explain, and what its end cut short: pulls
   * and containers that the kubelet cancels then look as if their time had run out.
   */
  readonly failures: Readonly<Partial<Record<Fingerprint, number>>>;
}

/** A pull that an Event tells. */
export interface RecordedPull {
  /** Full name. */
  readonly image: string;
  readonly node: string;
  /** `namespace/name` of the pod for which it was. */
  readonly pod: string;
  readonly endMs: number;
  /** As the kubelet says; before Kubernetes 1.29 it does not. */
  readonly bytes: number | undefined;
  /** Without waiting for its turn. */
  readonly seconds: number | undefined;
}

export interface Recording {
  readonly nodes: readonly RecordedNode[];
  /** Names that two nodes had at the same time, as their uids tell: the recording is of more than one cluster. */
  readonly mixedNodes: readonly string[];
  readonly pods: readonly RecordedPod[];
  readonly pulls: readonly RecordedPull[];
  /** Listed bytes by full name, from nodes and Events, compressed but for CRI-O; what is not in it is unknown. */
  readonly imageBytes: ReadonlyMap<string, number>;
  /** Of everything that tells its time; undefined when nothing does. */
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
  /** Pods beyond those that are kept. */
  readonly lostPods: number;
}
