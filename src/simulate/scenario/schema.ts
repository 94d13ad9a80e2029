/**
 * A scenario of `paceline simulate`: nodes, images, workloads and their surroundings. One schema gives the type, the
 * defaults, the validator and the reference in docs/simulate.md. Names contain units, and every default has its reason.
 */
import * as z from "zod";
import type { DeepReadonly } from "../../policy/frozen.ts";
import { evenWithErrors, section } from "../../policy/section.ts";
import { assumedDefaults, kubeletDefaults, podDefaults } from "../model/constants.ts";
import { clockSeconds, DAY_SECONDS, MOST_NODES, Name, ResourceName } from "./fields.ts";
import { Nodes } from "./nodes.ts";
import { checkReferences } from "./references.ts";

const MOST_REPLICAS = 500_000;

const Image = section({
  name: Name.describe("The name by which workloads refer to the image."),
  mib: z.number().min(0.1).max(1_000_000).describe("Unpacked size in MiB; there is no default."),
  layers: z
    .int()
    .min(1)
    .max(127)
    .default(assumedDefaults.unknownImageLayers)
    .describe("Number of layers, all of equal size. Assumed: about the median of application images."),
  compressedRatio: z
    .number()
    .min(0.01)
    .max(1)
    .default(assumedDefaults.compressedRatio)
    .describe("Compressed ÷ unpacked size. Assumed: program files compress between 3:1 and 2:1."),
  known: z
    .boolean()
    .default(true)
    .describe(
      "True if other nodes of the cluster have the image and list its size, as is usual in a busy cluster. If false, the size is unknown until a node has the image.",
    ),
});

const InitContainer = section({
  image: Name.describe("Its image, pulled when its turn comes; there is no default."),
  runSeconds: z
    .number()
    .min(0)
    .max(DAY_SECONDS)
    .default(0)
    .describe("How long it runs, without work for cores or disk; it ends at once by default."),
  waitsFor: Name.exactOptional().describe(
    "Name of a workload: it then runs on until a pod of that workload has been Ready, on any node.",
  ),
});

const Workload = section({
  name: Name.describe("The workload's name; the names of its pods begin with it."),
  kind: z.enum(["Deployment", "DaemonSet"]).default("Deployment").describe("A DaemonSet has one pod on every node."),
  replicas: z
    .int()
    .min(0)
    .max(MOST_REPLICAS)
    .exactOptional()
    .describe("Number of pods of a Deployment, 1 by default. Not allowed for a DaemonSet."),
  createdSeconds: clockSeconds().default(0).describe("When the pods are created; at the beginning by default."),
  images: z.array(Name).min(1).max(20).describe("Each image gets one container; there is no default."),
  initContainers: z
    .array(InitContainer)
    .max(20)
    .default([])
    .describe("Init containers, which run one after another before the others; none by default."),
  attachSeconds: z
    .number()
    .min(0)
    .max(DAY_SECONDS)
    .default(0)
    .describe("Time until the pod's volumes are attached and mounted, before its sandbox is made; none by default."),
  missingSecret: z
    .boolean()
    .default(false)
    .describe("True if a volume's Secret does not exist: the pods get no sandbox, and are never Ready."),
  startCpuSeconds: z
    .number()
    .min(0)
    .max(100_000)
    .default(podDefaults.startCpuSeconds)
    .describe(
      "Work of each container until it has started, in core-seconds; none by default, like a container that sleeps.",
    ),
  startupProbeSeconds: z
    .number()
    .min(0)
    .max(DAY_SECONDS)
    .default(0)
    .describe(
      "Time from the end of that work until the startup probe passes (a warm-up); there is no probe by default.",
    ),
  readySeconds: z
    .number()
    .min(0)
    .max(3_600)
    .default(podDefaults.readySeconds)
    .describe("Time from the end of that work, and of the probe, until the container is ready; none by default."),
  startupDeadlineSeconds: z
    .number()
    .min(1)
    .max(3_600)
    .exactOptional()
    .describe(
      "A startup or liveness probe kills the container if it has not started by then. By default there is no probe.",
    ),
  crashAfterSeconds: z
    .number()
    .min(0)
    .max(3_600)
    .exactOptional()
    .describe("Crash-looping: each container exits this long after every start. By default no container crashes."),
  priority: z
    .int()
    .min(-1_000_000_000)
    .max(1_000_000_000)
    .default(0)
    .describe("Pod priority; 0 by default, as in Kubernetes."),
  cpuMillis: z
    .number()
    .min(0)
    .max(1_024_000)
    .default(0)
    .describe("CPU request of a pod, in thousandths of a core; none by default."),
  memoryMib: z.number().min(0).max(10_000_000).default(0).describe("Memory request of a pod; none by default."),
  device: ResourceName.exactOptional().describe(
    "Extended resource of which each pod asks for one, such as `nvidia.com/gpu`; none by default.",
  ),
  toleratesEverything: z
    .boolean()
    .default(false)
    .describe("True if the pods tolerate every taint (operator Exists), as node agents do; false by default."),
});

/** The kubelets' configuration. */
export const Kubelet = section({
  registryPullQPS: z
    .number()
    .min(0)
    .max(1_000)
    .default(kubeletDefaults.registryPullQPS)
    .describe("Pulls per second, with the kubelet's default; 0 means no limit."),
  registryBurst: z
    .int()
    .min(1)
    .max(1_000)
    .default(kubeletDefaults.registryBurst)
    .describe("Pulls in a burst, with the kubelet's default."),
  serializeImagePulls: z
    .boolean()
    .default(false)
    .describe("True allows one pull at a time. The default is false, as on EKS; the kubelet's own default is true."),
  maxParallelImagePulls: z
    .int()
    .min(1)
    .max(1_000)
    .exactOptional()
    .describe("The most parallel pulls; no limit by default."),
  runtimeRequestTimeoutSeconds: z
    .number()
    .min(1)
    .max(3_600)
    .default(kubeletDefaults.runtimeRequestTimeoutSeconds)
    .describe("Time-out of a call to containerd, with the kubelet's default."),
});

/** The container runtime. */
export const Runtime = section({
  flushes: z
    .enum(["file-system", "files"])
    .default("file-system")
    .describe(
      "What containerd's flushes write. `file-system`: all dirty pages of the file system, as with containerd 2 and overlayfs. `files`: only containerd's own files, as with containerd 1.6, which unpacks layers straight into their place; the kernel then begins to write late (docs/model.md).",
    ),
});

/** The image registry. */
export const Registry = section({
  mibPerSecond: z
    .number()
    .min(0.1)
    .max(100_000)
    .default(assumedDefaults.registryMibPerSecond)
    .describe("Throughput from the registry to one node, for all downloads together. Assumed: 5 Gbit/s."),
});

const Autoscaler = section({
  nodes: z
    .int()
    .min(0)
    .max(1_000)
    .default(0)
    .describe("Index of the entry of `nodes` that the autoscaler adds, counted from 0; the first by default."),
  maxNodes: z
    .int()
    .min(0)
    .max(MOST_NODES)
    .default(10)
    .describe("The most nodes that the autoscaler adds; ten by default, so that a mistake stays small."),
  joinSeconds: z
    .number()
    .min(1)
    .max(3_600)
    .default(60)
    .describe("Time from the autoscaler's decision until the node is Ready. Assumed: a minute, as on EC2."),
  knowsFence: z
    .boolean()
    .default(true)
    .describe(
      "True if the autoscaler treats the fence as a startup taint, so that a fenced node counts as room for pending pods. False shows what happens if the autoscaler does not know the fence.",
    ),
});

/** The schema of a scenario file. */
export const Scenario = section({
  description: z
    .string()
    .max(4_000)
    .default("")
    .describe("Where the scenario comes from. Reports show this text; it is empty by default."),
  nodes: z
    .array(Nodes)
    .min(1)
    .max(1_000)
    .describe("The nodes, one entry for each group of equal nodes; there is no default."),
  images: z.array(Image).max(10_000).default([]).describe("The images. A workload's images must be among them."),
  workloads: z.array(Workload).min(1).max(10_000).describe("The workloads to run; there is no default."),
  kubelet: Kubelet.prefault({}).describe("The kubelets' configuration."),
  runtime: Runtime.prefault({}).describe("The nodes' container runtime."),
  registry: Registry.prefault({}).describe("The image registry."),
  autoscaler: Autoscaler.exactOptional().describe(
    "Adds nodes for pods that fit nowhere. Without it, no nodes are added.",
  ),
  telemetry: z
    .enum(["node-exporter", "none"])
    .default("node-exporter")
    .describe("The source of disk and CPU figures. The default is node-exporter, since most clusters run it."),
  policy: z
    .record(z.string(), z.unknown())
    .exactOptional()
    .describe(
      "Keys of a PacingPolicy (docs/policy.md); `--policy` replaces them. Without `nodeClasses`, the class `default` gets the kubelets' own pull budget. Every other key has its default.",
    ),
}).superRefine(checkReferences, evenWithErrors);

export type Scenario = DeepReadonly<z.output<typeof Scenario>>;
export type ScenarioNodes = Scenario["nodes"][number];
export type ScenarioWorkload = Scenario["workloads"][number];
