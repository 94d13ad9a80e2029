/**
 * What decisions know of a cluster: a small, frozen extract of Pods and Nodes. src/kube/parse/facts.ts makes it from
 * the API server's objects; the simulator makes it from its model. Equal pods share one {@link PodShape}, so that
 * 150,000 pods fit into memory.
 */
import type { HoldReason } from "../api/reasons.ts";
import type { ImageName, NodeName, PodUID } from "./ids.ts";

/** Amounts by resource name: cpu in millicores, memory and storage in bytes, pods and extended resources in units. */
export type Resources = Readonly<Record<string, number>>;

/** One requirement of a node selector term. */
export interface NodeRequirement {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt";
  readonly values: readonly string[];
}

/** One term of required node affinity: all of its requirements must hold; fields know `metadata.name` only. */
export interface NodeSelectorTerm {
  readonly labels: readonly NodeRequirement[];
  readonly fields: readonly NodeRequirement[];
}

export interface Taint {
  readonly key: string;
  readonly value: string;
  readonly effect: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
}

export interface Toleration {
  /** "" with operator Exists tolerates every key. */
  readonly key: string;
  readonly operator: "Exists" | "Equal";
  readonly value: string;
  /** "" matches every effect. */
  readonly effect: string;
}

export interface HostPort {
  readonly protocol: string;
  readonly hostIP: string;
  readonly port: number;
}

/** What all pods of one template have in common. */
export interface PodShape {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Kind of the controlling owner, "" for a naked pod. */
  readonly ownerKind: string;
  /** Name of the controlling owner, "" for a naked pod. */
  readonly ownerName: string;
  readonly nodeSelector: Readonly<Record<string, string>>;
  /** Required node affinity: one of the terms must hold; undefined: no requirement. */
  readonly affinityTerms: readonly NodeSelectorTerm[] | undefined;
  /** Tolerations other than for the fence. */
  readonly tolerations: readonly Toleration[];
  /** What the scheduler counts against allocatable, incl. `pods: 1`. */
  readonly requests: Resources;
  readonly hostPorts: readonly HostPort[];
  /** Distinct images of containers and image volumes, without those whose imagePullPolicy is Never. */
  readonly images: readonly ImageName[];
  /** Of these, the ones that come after the first init container or sidecar has started; undefined: none. */
  readonly laterImages?: readonly ImageName[] | undefined;
  /** Of all, the ones with imagePullPolicy Always, once for each container; undefined: none. */
  readonly pullsAlways?: readonly ImageName[] | undefined;
  /** Names of imagePullSecrets; undefined: none. */
  readonly pullSecrets?: readonly string[] | undefined;
  readonly priority: number;
  readonly priorityClassName: string;
  readonly schedulerName: string;
  /** Required pod (anti-)affinity or DoNotSchedule spreading: only the scheduler can tell where it fits. */
  readonly interPodRules: boolean;
  /** Its rules about other pods as text, and the label keys that they name; undefined: none. */
  readonly podRules?: { readonly text: string; readonly labels: readonly string[] } | undefined;
  /** Static or mirror pod: the kubelet runs it whatever anybody says. */
  readonly mirror: boolean;
  /** Its own hold cap, s, which counts where it is lower than the policy's; undefined: none. */
  readonly maxHoldSeconds?: number | undefined;
  /** Its place among the pods of its namespace that have its priority; undefined: between the two. */
  readonly order?: "first" | "last" | undefined;
}

/** Why a bound pod cannot start however long it is given (it returns its slot). */
export type StuckReason =
  | "ImagePullBackOff"
  | "ErrImagePull"
  | "InvalidImageName"
  | "CrashLoopBackOff"
  | "CreateContainerConfigError"
  | "DeadlineExceeded";

/** A container's state, as the kubelet last wrote it; times in epoch ms. */
export type ContainerState =
  /** `reason` as in its status (ContainerCreating, PodInitializing, ErrImagePull …); "" if there is no status yet. */
  | { readonly kind: "waiting"; readonly reason: string }
  /** It runs, and its startup probe has not passed yet (`started: false`). */
  | { readonly kind: "running"; readonly sinceMs: number | undefined }
  /** It runs, and its startup probe has passed or it has none, as init containers have none (`started: true`). */
  | { readonly kind: "started"; readonly sinceMs: number | undefined }
  | { readonly kind: "terminated"; readonly atMs: number | undefined; readonly exitCode: number | undefined };

/** A container whose start is part of its pod's; `sidecar`: an init container with restartPolicy Always. */
export interface StartingContainer {
  readonly role: "init" | "sidecar" | "app";
  readonly image: ImageName;
  readonly state: ContainerState;
}

/** How far the kubelet is with a pod that has not started. */
export interface PodStartup {
  /**
   * Condition PodReadyToStartContainers: volumes are mounted, and the sandbox has its network. Undefined: the kubelet
   * does not write it (before 1.29).
   */
  readonly sandboxReady: boolean | undefined;
  /** Since when that is so, epoch ms; undefined where the condition or its time is missing. */
  readonly sandboxSinceMs: number | undefined;
  /** In the order in which the kubelet starts them: init containers and sidecars, then app containers. */
  readonly containers: readonly StartingContainer[];
}

/** The leader's note why a pod is held, and since when, epoch ms. */
export interface HoldNote {
  readonly node: NodeName | undefined;
  readonly reason: HoldReason;
  readonly sinceMs: number;
  /** Others gated it, too, until `sinceMs`. */
  readonly freed?: true | undefined;
}

/** A pod, as decisions see it. */
export interface PodFacts {
  readonly uid: PodUID;
  readonly namespace: string;
  readonly name: string;
  readonly resourceVersion: string;
  readonly shape: PodShape;
  /** With all of its labels, where `shape` has only those that decide (state/kinds.ts); undefined: it has all. */
  readonly givenShape?: PodShape | undefined;
  /** The gang that it belongs to: equal for all of its pods, whatever their templates; undefined: none. */
  readonly gang?: string | undefined;
  /** The only node it may run on, by required affinity on `metadata.name` (DaemonSet pods). */
  readonly pinnedTo: NodeName | undefined;
  /** `spec.nodeName`. */
  readonly node: NodeName | undefined;
  readonly createdAtMs: number;
  /** Carries {@link GATE}. */
  readonly gated: boolean;
  /** Carries gates of others: it cannot start even when ours is off. */
  readonly gatedByOthers: boolean;
  readonly hold: HoldNote | undefined;
  /**
   * Since when the gates of others are gone, epoch ms; undefined: it has none of ours, has some of others, or never
   * had. Filled in as its facts are recorded (state/freed.ts).
   */
  readonly freedMs?: number | undefined;
  /** Slots kept for it since then, epoch ms; on `others`, too, where only the scheduler can tell which one it takes. */
  readonly reservation:
    { readonly node: NodeName; readonly others?: readonly NodeName[] | undefined; readonly atMs: number } | undefined;
  /**
   * Paceline let it go then, epoch ms, and had kept it back for so long, ms. `ungated`: it had the gate until then, so
   * that the scheduler has not seen it before. Undefined: it never did, or the pod is still gated.
   */
  readonly release: { readonly atMs: number; readonly heldMs: number; readonly ungated?: true } | undefined;
  /** Fences that it tolerates: node-specific values, or "*" for all (operator Exists). */
  readonly fencesTolerated: readonly string[];
  /** It has preferred node affinity, to which a release adds a term; undefined: none. */
  readonly prefersNodes?: true | undefined;
  /** Succeeded or Failed. */
  readonly terminal: boolean;
  /** Has a deletionTimestamp. */
  readonly deleting: boolean;
  /** When the scheduler bound it (condition PodScheduled), if it is bound. */
  readonly scheduledAtMs: number | undefined;
  /** Every container has `started: true`. */
  readonly containersStarted: boolean;
  /** Undefined before the kubelet's first word, and once all containers have started or the pod is terminal. */
  readonly startup: PodStartup | undefined;
  /** Condition Ready is True. */
  readonly ready: boolean;
  /** Waiting reason of a container, where it is one that pacing cannot help. */
  readonly waitingOn: Exclude<StuckReason, "DeadlineExceeded"> | undefined;
  /** Restarts of all containers, summed. */
  readonly restarts: number;
  /** Start failures that overload explains (StartError, create time-outs) visible in the status now. */
  readonly overloadFailures: number;
  /** Condition PodScheduled is False with reason Unschedulable. */
  readonly unschedulable: boolean;
  /**
   * The same, and the scheduler said so of the pod as it is now, its newest toleration included: `observedGeneration`
   * tells, or that it saw the pod for the first time then.
   */
  readonly refused: boolean;
}

/** Why a sandbox was not made: no address left, a rate limit, a deadline, or what pacing would not change. */
export type SandboxCause = "NoAddress" | "RateLimited" | "TimedOut" | "Other";

/** A kubelet's word that it could not make a pod's sandbox. */
export interface SandboxFailure {
  readonly pod: PodUID;
  /** Of the kubelet that says so. */
  readonly node: NodeName;
  readonly cause: SandboxCause;
}

/** A DaemonSet, as decisions see it. */
export interface DaemonSetFacts {
  readonly namespace: string;
  readonly name: string;
  /** Of its pods, with the tolerations that the DaemonSet controller adds to them. */
  readonly shape: PodShape;
  /** The only node of which its template allows pods. */
  readonly pinnedTo: NodeName | undefined;
  /** As {@link PodFacts.fencesTolerated}. */
  readonly fencesTolerated: readonly string[];
  readonly deleting: boolean;
}

/** A roll call of a fenced node; `open`: a cordon of ours stands in for the fence now. */
export interface RollCall {
  readonly state: "open" | "done";
  /** When it began; 0 where that cannot be read. */
  readonly sinceMs: number;
}

/** The leader's note on a node's openings, as it is written on the node. */
export interface OpenedNote {
  /** When it last opened, epoch ms; undefined: it was closed. */
  readonly atMs: number | undefined;
  /** Its bootID then; "" where that was not known. */
  readonly bootID: string;
}

/** What is known of a node's openings (state/opening.ts). */
export interface Opening {
  /** When it last became able to take pods, epoch ms; undefined: it is not yet, or is closed again. */
  readonly openedMs: number | undefined;
  /** Its bootID when it was last seen Ready, or, if it never was, when it was seen first. */
  readonly bootID: string;
  /** Names of the extended resources that it has had. */
  readonly resources: readonly string[];
  /** Taints that came when it had long been open, and are there. */
  readonly lateTaints?: readonly LateTaint[];
}

export interface LateTaint extends Pick<Taint, "key" | "effect"> {
  /** When it was seen first, epoch ms. */
  readonly sinceMs: number;
}

/** A node, as decisions see it. */
export interface NodeFacts {
  readonly name: NodeName;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAtMs: number;
  /** Since when condition Ready is True; undefined while it is not. */
  readonly readySinceMs: number | undefined;
  /** Since when condition Ready is not True; undefined while it is, or where the node has no such condition yet. */
  readonly notReadySinceMs: number | undefined;
  readonly unschedulable: boolean;
  /** `status.nodeInfo.bootID`; another one after each boot. Undefined where it is not known. */
  readonly bootID?: string | undefined;
  /** {@link OPENED_ANNOTATION}. */
  readonly openedNote?: OpenedNote | undefined;
  /** Of the node as the ledger has seen it so far. Undefined: the ledger has not recorded these facts. */
  readonly opening?: Opening | undefined;
  /** Without those of Paceline. */
  readonly taints: readonly Taint[];
  /** The fence, if it is up. `rollCall` is undefined until its node had one. */
  readonly fence:
    | { readonly value: string; readonly sinceMs: number | undefined; readonly rollCall?: RollCall | undefined }
    | undefined;
  /** The soft taint is there that makes kube-scheduler prefer other nodes; undefined: it is not. */
  readonly steered?: true | undefined;
  readonly allocatable: Resources;
  /** InternalIP, if it has one. */
  readonly address: string | undefined;
  /** `status.images`: size in bytes as the kubelet lists it (containerd: compressed), by each of the image's names. */
  readonly images: ReadonlyMap<ImageName, number>;
  /** The smallest size in `images`, bytes, where the list is full: smaller images may be there unseen. */
  readonly smallestListedBytes?: number | undefined;
  /** Its kubelet checks at the registry whether a pod may use an image that was pulled with a Secret (since 1.35). */
  readonly checksPulls?: boolean | undefined;
}

/** Disk and CPU figures of one node over the last interval; a missing figure is unknown, never zero. */
export interface NodeSample {
  readonly atMs: number;
  /** The disk of these figures, and whether the node's mounts show that it holds the images. */
  readonly device?: { readonly name: string; readonly holdsImages: boolean } | undefined;
  /** Completed reads and writes a second. */
  readonly iops?: number | undefined;
  /** Mean time of an I/O, queueing included, in ms. */
  readonly awaitMs?: number | undefined;
  /** Share of time the device was busy, 0 to 1. */
  readonly utilisation?: number | undefined;
  readonly writeBytesPerSecond?: number | undefined;
  readonly readBytesPerSecond?: number | undefined;
  /** Page cache that still has to be written. */
  readonly dirtyBytes?: number | undefined;
  readonly writebackBytes?: number | undefined;
  /** Share of time in which some task waited for I/O, 0 to 1 (PSI some). */
  readonly ioPressure?: number | undefined;
  /** Share of time in which some task waited for a core, 0 to 1 (PSI some). */
  readonly cpuPressure?: number | undefined;
  /** Load average of one minute. */
  readonly load1?: number | undefined;
  readonly cores?: number | undefined;
  readonly memoryBytes?: number | undefined;
}
