/** A scenario's nodes, and when they open to pods. */
import * as z from "zod";
import { section } from "../../policy/section.ts";
import { gp3, nodeDefaults } from "../model/constants.ts";
import { clockSeconds, MOST_NODES, Name, ResourceName } from "./fields.ts";

/** A disk. */
export const Disk = section({
  mibPerSecond: z
    .number()
    .min(0.1)
    .max(100_000)
    .default(gp3.mibPerSecond)
    .describe("Write throughput; the default is gp3's baseline."),
  iops: z
    .number()
    .min(1)
    .max(10_000_000)
    .default(gp3.iops)
    .describe("Requests per second; the default is gp3's baseline."),
  readMibPerSecond: z
    .number()
    .min(0.1)
    .max(100_000)
    .exactOptional()
    .describe("A separate limit for reads. Without it, reads and writes share the device."),
});

const Cordon = section({
  fromSeconds: clockSeconds()
    .exactOptional()
    .describe("When the nodes are cordoned. By default they are from the start, or join so."),
  untilSeconds: clockSeconds().describe("When they are uncordoned; there is no default."),
});

const Reboot = section({
  atSeconds: clockSeconds().describe("When the nodes go down, and are not Ready any more; there is no default."),
  downSeconds: z
    .number()
    .min(1)
    .max(3_600)
    .default(60)
    .describe("Time until they are Ready again, with another bootID. Assumed: a minute."),
  losesImages: z
    .boolean()
    .default(false)
    .describe("True if all images are gone then, as with a new root volume. By default they stay on the disk."),
});

const Devices = section({
  resource: ResourceName.describe("Name of the extended resource, such as `nvidia.com/gpu`; there is no default."),
  count: z.int().min(1).max(1_000).describe("How many of them a node has; there is no default."),
  afterSeconds: z
    .number()
    .min(0)
    .max(3_600)
    .default(0)
    .describe("Time from a node's first Ready until their driver reports them; none by default."),
});

/** A group of equal nodes. */
export const Nodes = section({
  class: Name.exactOptional().describe(
    "Value of the label `node.kubernetes.io/instance-type`. A policy's nodeClasses can select nodes by it.",
  ),
  count: z.int().min(1).max(MOST_NODES).default(1).describe("How many of these nodes there are; one by default."),
  joinSeconds: clockSeconds()
    .default(0)
    .describe(
      "When the nodes become Ready. If negative, they have already been Ready for that long when the scenario begins.",
    ),
  disk: Disk.prefault({}).describe(
    "The disk of images and containers; by default an EBS gp3 volume with its baseline.",
  ),
  cpu: z.number().min(0.1).max(1_024).default(nodeDefaults.cores).describe("Cores; by default those of an m5.xlarge."),
  memoryGib: z
    .number()
    .min(0.5)
    .max(24_576)
    .default(nodeDefaults.memoryBytes / 1_024 ** 3)
    .describe("Memory; by default that of an m5.xlarge. A fifth of it may be dirty page cache."),
  pods: z
    .int()
    .min(0)
    .max(1_000)
    .default(nodeDefaults.pods)
    .describe("The kubelet's maxPods, with the kubelet's default. With 0, the nodes take no pods."),
  present: z
    .array(Name)
    .default([])
    .describe(
      "Names of images that are on the nodes from the start; none by default. The kubelet lists the largest 50.",
    ),
  cordon: Cordon.exactOptional().describe("Without it, the nodes are never cordoned."),
  reboot: Reboot.exactOptional().describe(
    "Pods that are bound restart together then. Without it, the nodes do not reboot.",
  ),
  devices: Devices.exactOptional().describe("Devices for which pods ask; none by default."),
});
