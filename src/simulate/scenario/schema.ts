/**
 * A scenario of `paceline simulate`: nodes, images and workloads, and what surrounds them. One schema gives the type, the
 * defaults, the validator and the reference in docs/simulate.md. Units are in the names; every default says why.
 */
import * as z from "zod";
import type { DeepReadonly } from "../../policy/frozen.ts";
import { evenWithErrors, section } from "../../policy/section.ts";
import { assumedDefaults, gp3, kubeletDefaults, nodeDefaults, podDefaults } from "../model/constants.ts";
import { checkReferences } from "./references.ts";

const Name = z.string().regex(/^[\w.:/@-]{1,253}$/, "is not a name; use letters, digits and ./:@_-");

/** Simulated times, in seconds; a day either way is more than any herd takes. */
const DAY_SECONDS = 86_400;
const clockSeconds = () => z.number().min(-DAY_SECONDS).max(DAY_SECONDS);

const MOST_NODES = 10_000;
const MOST_REPLICAS = 500_000;

const Disk = section({
  mibPerSecond: z.number().min(0.1).max(100_000).default(gp3.mibPerSecond).describe("What it writes; gp3's baseline."),
  iops: z.number().min(1).max(10_000_000).default(gp3.iops).describe("Requests per second; gp3's baseline."),
  readMibPerSecond: z
    .number()
    .min(0.1)
    .max(100_000)
    .exactOptional()
    .describe("A limit of its own for reads; without it reads and writes share the device."),
});

const Nodes = section({
  class: Name.exactOptional().describe(
    "Value of the label `node.kubernetes.io/instance-type`, by which a policy's nodeClasses can select them.",
  ),
  count: z.int().min(1).max(MOST_NODES).default(1).describe("How many of them; one by default."),
  joinSeconds: clockSeconds()
    .default(0)
    .describe("When they become Ready; negative: they have been Ready for so long when the scenario begins."),
  disk: Disk.prefault({}).describe("The disk of images and containers; an EBS gp3 volume as it comes."),
  cpu: z.number().min(0.1).max(1_024).default(nodeDefaults.cores).describe("Cores; those of an m5.xlarge."),
  memoryGib: z
    .number()
    .min(0.5)
    .max(24_576)
    .default(nodeDefaults.memoryBytes / 1_024 ** 3)
    .describe("Memory, of which a fifth may be dirty page cache; that of an m5.xlarge."),
  pods: z
    .int()
    .min(0)
    .max(1_000)
    .default(nodeDefaults.pods)
    .describe("The kubelet's maxPods, whose own default this is; 0 takes none."),
  present: z
    .array(Name)
    .default([])
    .describe("Names of images that the nodes have from the start; none by default. The kubelet lists the largest 50."),
});

const Image = section({
  name: Name.describe("Its name, as workloads use it."),
  mib: z.number().min(0.1).max(1_000_000).describe("Unpacked size in MiB; there is no default."),
  layers: z
    .int()
    .min(1)
    .max(127)
    .default(assumedDefaults.unknownImageLayers)
    .describe("Layers of equal size; assumed: about the median of application images."),
  compressedRatio: z
    .number()
    .min(0.01)
    .max(1)
    .default(assumedDefaults.compressedRatio)
    .describe("Compressed ÷ unpacked size; assumed: between 3:1 and 2:1, as program files compress."),
  known: z
    .boolean()
    .default(true)
    .describe(
      "Other nodes of the cluster run it and list its size, as in a busy cluster most are; false: its size is not known before a node has it.",
    ),
});

const Workload = section({
  name: Name.describe("Its name; pods are called after it."),
  kind: z.enum(["Deployment", "DaemonSet"]).default("Deployment").describe("A DaemonSet has one pod on every node."),
  replicas: z
    .int()
    .min(0)
    .max(MOST_REPLICAS)
    .exactOptional()
    .describe("Pods of a Deployment, 1 by default; a DaemonSet has none to give."),
  createdSeconds: clockSeconds().default(0).describe("When its pods are created; at the beginning by default."),
  images: z.array(Name).min(1).max(20).describe("One container for each; there is no default."),
  startCpuSeconds: z
    .number()
    .min(0)
    .max(100_000)
    .default(podDefaults.startCpuSeconds)
    .describe("Work of each container until it has started, in core-seconds; none, as of a container that sleeps."),
  readySeconds: z
    .number()
    .min(0)
    .max(3_600)
    .default(podDefaults.readySeconds)
    .describe("From the end of that work until the container is ready; at once by default."),
  startupDeadlineSeconds: z
    .number()
    .min(1)
    .max(3_600)
    .exactOptional()
    .describe("A startup or liveness probe kills the container when its work takes longer; without it none does."),
  crashAfterSeconds: z
    .number()
    .min(0)
    .max(3_600)
    .exactOptional()
    .describe("Crash-looping: each container exits so long after its start, every time; without it none does."),
  priority: z.int().min(-1_000_000_000).max(1_000_000_000).default(0).describe("Pod priority; 0 as in Kubernetes."),
  cpuMillis: z
    .number()
    .min(0)
    .max(1_024_000)
    .default(0)
    .describe("CPU request of a pod in thousandths; none by default."),
  memoryMib: z.number().min(0).max(10_000_000).default(0).describe("Memory request of a pod; none by default."),
  toleratesEverything: z
    .boolean()
    .default(false)
    .describe("Tolerates every taint (operator Exists), as node agents do; others do not."),
});

const Kubelet = section({
  registryPullQPS: z
    .number()
    .min(0)
    .max(1_000)
    .default(kubeletDefaults.registryPullQPS)
    .describe("Pulls per second; the kubelet's own default. 0: no limit."),
  registryBurst: z
    .int()
    .min(1)
    .max(1_000)
    .default(kubeletDefaults.registryBurst)
    .describe("Pulls in a burst; the kubelet's own default."),
  serializeImagePulls: z
    .boolean()
    .default(false)
    .describe("One pull at a time; false as on EKS, although the kubelet's own default is true."),
  maxParallelImagePulls: z
    .int()
    .min(1)
    .max(1_000)
    .exactOptional()
    .describe("Pulls at a time at most; without it there is no limit."),
  runtimeRequestTimeoutSeconds: z
    .number()
    .min(1)
    .max(3_600)
    .default(kubeletDefaults.runtimeRequestTimeoutSeconds)
    .describe("Time-out of a call to containerd; the kubelet's own default."),
});

const Runtime = section({
  flushes: z
    .enum(["file-system", "files"])
    .default("file-system")
    .describe(
      "What containerd's flushes reach. `file-system`: everybody's dirty pages, as on a node with containerd 2 and overlayfs. `files`: its own files, as with containerd 1.6, which unpacks layers straight into their place; the kernel then begins late to write (docs/model.md).",
    ),
});

const Registry = section({
  mibPerSecond: z
    .number()
    .min(0.1)
    .max(100_000)
    .default(assumedDefaults.registryMibPerSecond)
    .describe("From the registry to one node, all downloads together; assumed: 5 Gbit/s."),
});

const Autoscaler = section({
  nodes: z
    .int()
    .min(0)
    .max(1_000)
    .default(0)
    .describe("Which entry of `nodes` it makes more of, counted from 0; the first by default."),
  maxNodes: z
    .int()
    .min(0)
    .max(MOST_NODES)
    .default(10)
    .describe("How many nodes it may add; ten by default, so that a mistake stays small."),
  joinSeconds: z
    .number()
    .min(1)
    .max(3_600)
    .default(60)
    .describe("From its decision until the node is Ready; assumed: a minute, as on EC2."),
  knowsFence: z
    .boolean()
    .default(true)
    .describe(
      "Whether a fenced node counts as room for pending pods, as a startup taint does; false shows what comes of not telling it.",
    ),
});

/** The whole of a scenario file. */
export const Scenario = section({
  description: z.string().max(4_000).default("").describe("Where it comes from; shown in reports. Empty by default."),
  nodes: z.array(Nodes).min(1).max(1_000).describe("The nodes, one entry for equal ones; there is no default."),
  images: z.array(Image).max(10_000).default([]).describe("The images; a workload's image must be among them."),
  workloads: z.array(Workload).min(1).max(10_000).describe("What is to run; there is no default."),
  kubelet: Kubelet.prefault({}).describe("The kubelets' configuration."),
  runtime: Runtime.prefault({}).describe("The nodes' container runtime."),
  registry: Registry.prefault({}).describe("The image registry."),
  autoscaler: Autoscaler.exactOptional().describe("Adds nodes for pods that fit nowhere; without it nobody does."),
  telemetry: z
    .enum(["node-exporter", "none"])
    .default("node-exporter")
    .describe("Whether nodes show figures of disk and CPU; most clusters run node_exporter."),
  policy: z
    .record(z.string(), z.unknown())
    .exactOptional()
    .describe(
      "Keys of a PacingPolicy (docs/policy.md); `--policy` takes its place. Without `nodeClasses` there is the class `default` with the kubelets' own pull budget; every other key has its default.",
    ),
}).superRefine(checkReferences, evenWithErrors);

export type Scenario = DeepReadonly<z.output<typeof Scenario>>;
export type ScenarioNodes = Scenario["nodes"][number];
export type ScenarioImage = Scenario["images"][number];
export type ScenarioWorkload = Scenario["workloads"][number];
