/**
 * Every number of the node model, in one place. A number is either read somewhere (its source is named) or assumed; the
 * assumed ones are in {@link assumedDefaults}, so that a test can vary each of them and see which verdicts stand on it.
 *
 * Sources: "kubelet" = Kubernetes 1.36.3, pkg/kubelet; "cri-client" = k8s.io/cri-client 0.36.3; "containerd" = its
 * configuration reference; "observed" = the table of docs/model.md (one real node under two herds).
 */

export const MIB = 1_048_576;
export const GIB = 1_024 * MIB;
export const SECOND_MS = 1_000;

/** The kubelet's own numbers. */
export const kubeletDefaults = {
  /** Pulls per second, 0 = no limit. Source: kubelet, KubeletConfiguration.registryPullQPS. */
  registryPullQPS: 5,
  /** Pulls in a burst. Source: kubelet, KubeletConfiguration.registryBurst. */
  registryBurst: 10,
  /** One pull at a time. Source: kubelet, KubeletConfiguration.serializeImagePulls. */
  serializeImagePulls: true,
  /** Time-out of one CRI call, in seconds. Source: kubelet, KubeletConfiguration.runtimeRequestTimeout (2m). */
  runtimeRequestTimeoutSeconds: 120,
} as const;

/** RunPodSandbox is given this many times the runtime request time-out. Source: cri-client, remote_runtime.go. */
export const SANDBOX_TIMEOUT_FACTOR = 2;
/** First back-off of a failed pull and of a restart, in ms. Source: kubelet.go, imageBackOffPeriod. */
export const BACK_OFF_INITIAL_MS = 10_000;
/** Longest back-off, in ms. Source: kubelet.go, MaxImageBackOff and MaxCrashLoopBackOff. */
export const BACK_OFF_MAX_MS = 300_000;
/** A back-off is forgotten after this many times the longest one without failure. Source: client-go, flowcontrol. */
export const BACK_OFF_FORGET_FACTOR = 2;
/** After a sync that failed, a pod is synced again after this time, in ms. Source: kubelet.go, backOffPeriod. */
export const SYNC_RETRY_MS = 10_000;
/** …plus up to this share of it, by chance. Source: pod_workers.go, workerBackOffPeriodJitterFactor. */
export const SYNC_RETRY_JITTER = 0.5;
/** Longest wait for the next sync, in ms. Source: kubelet, KubeletConfiguration.syncFrequency (1m). */
export const SYNC_FREQUENCY_MS = 60_000;
/** How often the kubelet looks at what runs, in ms. Source: kubelet.go, genericPlegRelistPeriod. */
export const PLEG_RELIST_MS = 1_000;
/** Images in `node.status.images`. Source: kubelet, KubeletConfiguration.nodeStatusMaxImages. */
export const NODE_STATUS_MAX_IMAGES = 50;

/** Time containerd gives a task's state call, in ms. Source: containerd, io.containerd.timeout.task.state (2s). */
export const TASK_STATE_TIMEOUT_MS = 2_000;
/** Layers of one image that are fetched at a time. Source: containerd, max_concurrent_downloads (3). */
export const MAX_CONCURRENT_DOWNLOADS = 3;
/** Exit code of a container that never ran. Source: containerd, errorStartExitCode; awslabs/amazon-eks-ami#1651. */
export const START_ERROR_EXIT_CODE = 128;
/** Exit code of a container that was killed (128 + SIGKILL). */
export const KILLED_EXIT_CODE = 137;

/** Dirty pages at which writers are throttled, as a share of memory. Source: Linux, vm.dirty_ratio. */
export const DIRTY_RATIO = 0.2;
/**
 * Dirty pages at which Linux stops to write by itself, as a share of memory. Source: Linux, vm.dirty_background_ratio;
 * measured: passes end at 0.8 to 0.88 GB on a node of 8 GiB, some go on to 0.3–0.5 (docs/real-node.md).
 */
export const DIRTY_BACKGROUND_RATIO = 0.1;
/** Age at which a dirty page is written in any case, in ms. Source: Linux, vm.dirty_expire_centisecs. */
export const DIRTY_EXPIRE_MS = 30_000;
/** Averaging times of the load average, in ms. Source: Linux, kernel/sched/loadavg.c (1, 5 and 15 minutes). */
export const LOAD_AVERAGE_MS = [60_000, 300_000, 900_000] as const;

/** The baseline of an EBS gp3 volume. Source: AWS, EBS volume types. */
export const gp3 = { mibPerSecond: 125, iops: 3_000 } as const;

/**
 * The model's assumptions, where there is no source. Each can be overridden per node, and none was fitted to a result.
 */
export const assumedDefaults = {
  /** Mean size of a device request, in KiB (range 64–256: the observed node's largest was 256). */
  requestKib: 128,
  /** Await of an idle device, in ms (range 0.5–2; EBS documents single-digit milliseconds). */
  idleAwaitMs: 1,
  /** Requests that writeback alone keeps queued on a busy device (range 10–40; observed mean await 189–223 ms). */
  writebackQueue: 24,
  /** Requests that each waiter (flush, fsync, throttled writer) adds to the queue (range 0.5–4). */
  queuePerWaiter: 1.5,
  /** The queue's bound, in requests (range 64–128; observed p95 await 544–562 ms). */
  maxQueue: 96,
  /** Share of the device that a flush gets while newer bytes keep coming in (range 0.5–1). */
  flushShare: 0.8,
  /** Speed of writing into the page cache, in MiB/s (range 500–4,000). */
  memoryMibPerSecond: 1_024,
  /** Speed of decompressing and unpacking a layer on one core, in unpacked MiB/s (range 60–200). */
  unpackMibPerSecondPerCore: 120,
  /** Registry to node, all downloads together, in MiB/s (5 Gbit/s; range 100–1,200). */
  registryMibPerSecond: 596,
  /** One layer's download, in MiB/s (range 50–200). */
  downloadMibPerSecond: 150,
  /** Resolving a reference and reading its manifest, in ms (range 50–500). */
  resolveMs: 200,
  /** Work of one sandbox (pause container, CNI plugins), in core-seconds (range 0.1–0.5). */
  sandboxCpuSeconds: 0.3,
  /** Sandboxes differ by up to this share of their work, by chance (range 0–1). */
  sandboxJitter: 0.5,
  /**
   * Synchronous small writes of one sandbox: database, network state (range 4–30; observed 8.8 s at about 0.5 s await).
   */
  sandboxSyncOps: 16,
  /** Work of CreateContainer, in core-seconds (range 0.02–0.2). */
  createCpuSeconds: 0.05,
  /** What CreateContainer writes before its flush, in MiB (range 0.1–4). */
  createWriteMib: 1,
  /** Work of shim and runc in StartContainer, in core-seconds (range 0.05–0.3). */
  startCpuSeconds: 0.1,
  /**
   * What the shim step must read again when the page cache is full, in MiB (range 4–20): shim and runc are programs of
   * 10 to 15 MiB each, whose clean pages are evicted first. It gets a share like a throttled writer's. Assumed and
   * inferred: this is what fails with StartError; the observed node, whose dirty limit was out of reach, showed none.
   */
  shimIoMib: 12,
  /** First read of a container whose image was on the disk but not in memory, in MiB (range 0–64). */
  coldReadMib: 8,
  /** From a container's start until the kubelet has seen it, in ms (range 0–1,000: half a relist). */
  noticeMs: 500,
  /** Size of an image that the catalogue does not know, in MiB unpacked. */
  unknownImageMib: 200,
  /** …and its layers. */
  unknownImageLayers: 5,
  /** Compressed ÷ unpacked size where the catalogue does not say (range 0.25–1). */
  compressedRatio: 0.4,
  /** Memory in use before any pod runs, in MiB, not counted in what may be dirty (range 0–2,048). */
  usedMemoryMib: 0,
  /** Memory that one running pod takes, in MiB; only MemAvailable shows it. */
  podMemoryMib: 50,
} as const;

/** The model's assumptions, each of which a node may override, and the kernel's setting, which it may override too. */
export type Assumptions = { readonly [Name in keyof typeof assumedDefaults]: number } & {
  /** vm.dirty_ratio as a share; {@link DIRTY_RATIO} by default. */
  readonly dirtyRatio?: number;
};

/** The default start of a pod: no work, ready at once (the observed herd slept). */
export const podDefaults = { startCpuSeconds: 0, readySeconds: 0 } as const;

/** The default node: an m5.xlarge (4 vCPU, 16 GiB) with a gp3 disk and the kubelet's 110 pods. */
export const nodeDefaults = { cores: 4, memoryBytes: 16 * GIB, pods: 110 } as const;
