/** Input and output of the node model. */
import type { Assumptions } from "./constants.ts";
import type { Random } from "./random.ts";

/** An image of the catalogue. */
export interface ImageSpec {
  readonly name: string;
  /** Unpacked size in MiB. */
  readonly mib: number;
  /** Number of layers, of equal size. */
  readonly layers: number;
  /** Compressed ÷ unpacked size; default `compressedRatio` of the assumptions. */
  readonly compressedRatio?: number | undefined;
}

/** A device and its speed per second; `readMibPerSecond` is set if reads have a limit of their own. */
export interface DiskSpec {
  readonly mibPerSecond: number;
  readonly iops: number;
  readonly readMibPerSecond?: number | undefined;
}

/**
 * What the container runtime's flushes write. `file-system`: all dirty pages, because it unmounts the file system of
 * each layer and container. `files`: the pages of its own files only, because it unpacks layers straight into their
 * place.
 */
export type RuntimeFlushes = "file-system" | "files";

/** The kubelet's configuration, in its own words. */
export interface KubeletSpec {
  readonly registryPullQPS: number;
  readonly registryBurst: number;
  readonly serializeImagePulls: boolean;
  /** The most parallel pulls; undefined: no limit. */
  readonly maxParallelImagePulls?: number | undefined;
  readonly runtimeRequestTimeoutSeconds: number;
}

/** A node; everything but the disk has a default (constants.ts). */
export interface NodeModelOptions {
  readonly startMs: number;
  readonly random: Random;
  readonly disk: DiskSpec;
  readonly cores?: number | undefined;
  readonly memoryBytes?: number | undefined;
  /** Registry to this node, in MiB/s. */
  readonly registryMibPerSecond?: number | undefined;
  readonly kubelet?: Partial<KubeletSpec> | undefined;
  /** Default: `file-system`. */
  readonly runtimeFlushes?: RuntimeFlushes | undefined;
  /** The catalogue. An image that is not in it gets the assumed size. */
  readonly images?: readonly ImageSpec[] | undefined;
  /** Names of images that the node has from the start. */
  readonly present?: readonly string[] | undefined;
  readonly assumptions?: Partial<Assumptions> | undefined;
  /** False leaves out Events of type Normal: a simulation of thousands of nodes does not read them. */
  readonly normalEvents?: boolean | undefined;
}

export interface ModelContainer {
  readonly name: string;
  readonly image: string;
  /** imagePullPolicy Always: asks the registry even when the image is there (and takes a pull token). */
  readonly pullAlways?: boolean | undefined;
  /** Set for an init container: what its process does until it exits with code 0. */
  readonly init?: ModelInit | undefined;
}

/** An init container's process, which needs neither cores nor disk. */
export interface ModelInit {
  /** Seconds that it runs, and then… */
  readonly runSeconds?: number | undefined;
  /** …until a pod of this workload has been Ready, anywhere in the cluster. */
  readonly waitsFor?: string | undefined;
}

/** A pod that is bound to the node. Each of its containers starts in the same way. */
export interface ModelPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly containers: readonly ModelContainer[];
  /** Run one after another before the containers, each to its end. */
  readonly initContainers?: readonly ModelContainer[] | undefined;
  /** Seconds until its volumes are attached and mounted; there is no sandbox before. */
  readonly attachSeconds?: number | undefined;
  /** A volume's Secret does not exist, so the pod gets no sandbox. */
  readonly missingSecret?: boolean | undefined;
  /** Work of the container until it can be ready, in core-seconds. It shares the node's cores with all other work. */
  readonly startCpuSeconds?: number | undefined;
  /** Seconds from the end of that work until its startup probe passes; it needs neither cores nor disk meanwhile. */
  readonly startupProbeSeconds?: number | undefined;
  /** Seconds from then until the container is ready. */
  readonly readySeconds?: number | undefined;
  /**
   * A startup probe kills the container if its work is not done after this many seconds. `started` waits for the probe.
   */
  readonly startupDeadlineSeconds?: number | undefined;
  /** Crash-looping: the container exits with code 1 this many seconds after every start. */
  readonly crashAfterSeconds?: number | undefined;
}

/** The reasons why a start fails or a container dies. */
export type Fingerprint =
  "StartError" | "CreateTimeout" | "NameReserved" | "SandboxTimeout" | "PullQpsExceeded" | "ProbeFailure" | "Crash";

/** `state.terminated` of a container. Times in ms since the epoch; 0 is 1970, as containerd reports a start error. */
export interface TerminatedView {
  readonly kind: "terminated";
  readonly reason: string;
  readonly exitCode: number;
  readonly message?: string | undefined;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly containerId: string;
}

export type ContainerStateView =
  | { readonly kind: "waiting"; readonly reason: string; readonly message?: string | undefined }
  | { readonly kind: "running"; readonly startedAtMs: number }
  | TerminatedView;

export interface ContainerView {
  readonly name: string;
  readonly image: string;
  readonly state: ContainerStateView;
  readonly lastTerminated?: TerminatedView | undefined;
  readonly started: boolean;
  readonly ready: boolean;
  readonly restartCount: number;
  /** "" until there is a container. */
  readonly containerId: string;
}

/** A pod's status as the kubelet would report it. */
export interface PodView {
  readonly phase: "Pending" | "Running";
  readonly sandboxReady: boolean;
  /** All containers are ready. */
  readonly ready: boolean;
  /** All containers are started. */
  readonly started: boolean;
  /** All init containers have ended well. */
  readonly initialized: boolean;
  readonly initContainers: readonly ContainerView[];
  readonly containers: readonly ContainerView[];
}

/** An event on the node. */
export type NodeEvent =
  | { readonly kind: "status"; readonly atMs: number; readonly uid: string; readonly status: PodView }
  | {
      readonly kind: "event";
      readonly atMs: number;
      readonly uid: string;
      readonly type: "Normal" | "Warning";
      readonly reason: string;
      readonly message: string;
      /** Name of the container concerned, if there is one. */
      readonly container?: string | undefined;
    }
  /** A failed start or a death, counted once each. */
  | { readonly kind: "failure"; readonly atMs: number; readonly uid: string; readonly fingerprint: Fingerprint }
  /** The node has got another image. */
  | { readonly kind: "images"; readonly atMs: number };

/** An image on the node, as the kubelet lists it: containerd reports the compressed size. */
export interface PresentImage {
  readonly name: string;
  readonly sizeBytes: number;
}

/** The figures that node_exporter reads from the kernel: running totals since the node came up, and gauges. */
export interface NodeCounters {
  readonly disk: {
    readonly readsCompleted: number;
    readonly readBytes: number;
    readonly readMs: number;
    readonly writesCompleted: number;
    readonly writtenBytes: number;
    readonly writeMs: number;
    readonly ioNow: number;
    readonly ioMs: number;
    readonly ioWeightedMs: number;
  };
  readonly memory: {
    readonly totalBytes: number;
    readonly availableBytes: number;
    readonly dirtyBytes: number;
    readonly writebackBytes: number;
  };
  readonly pressure: {
    readonly cpuWaitingMs: number;
    readonly ioWaitingMs: number;
    readonly ioStalledMs: number;
    readonly memoryWaitingMs: number;
    readonly memoryStalledMs: number;
  };
  /** Core-ms in use since the node came up, and ms since then. */
  readonly cpuMs: number;
  readonly upMs: number;
  readonly cores: number;
  readonly load: readonly [number, number, number];
  /** Present await of the device, in ms. */
  readonly awaitMs: number;
}
