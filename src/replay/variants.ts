/** What could be done about a herd, each as another scenario or policy; and what no recording tells, varied. */
import { fieldsOf } from "../policy/section.ts";
import { gp3 } from "../simulate/model/constants.ts";

/** A scenario as `parseScenario` takes it. */
export type ScenarioFile = Readonly<Record<string, unknown>>;

export interface Variant {
  readonly name: string;
  readonly change: (file: ScenarioFile) => ScenarioFile;
}

type Json = Readonly<Record<string, unknown>>;
const listOf = (value: unknown) => (Array.isArray(value) ? (value as readonly Json[]) : []);

const eachNode = (file: ScenarioFile, change: (node: Json) => Json): ScenarioFile => ({
  ...file,
  nodes: listOf(file["nodes"]).map(change),
});
const eachDisk = (file: ScenarioFile, change: (disk: Json) => Json) =>
  eachNode(file, (node) => ({ ...node, disk: change(fieldsOf(node["disk"])) }));
const speedOf = (disk: Json) => Number(disk["mibPerSecond"] ?? gp3.mibPerSecond);
const iopsOf = (disk: Json) => Number(disk["iops"] ?? gp3.iops);
const kubelet = (file: ScenarioFile, change: Json): ScenarioFile => ({
  ...file,
  kubelet: { ...fieldsOf(file["kubelet"]), ...change },
});

/** A faster disk; a disk that is faster already stays. IOPS as gp3 needs for it (requests of 64 KiB). */
const faster = (mibPerSecond: number, iops: number) => (file: ScenarioFile) =>
  eachDisk(file, (disk) => ({
    mibPerSecond: Math.max(mibPerSecond, speedOf(disk)),
    iops: Math.max(iops, iopsOf(disk)),
  }));

/** Local NVMe: the least of EC2's instance store volumes are faster than this. Assumed; range 300–2,000 MiB/s. */
const NVME = { mibPerSecond: 1_000, iops: 100_000 } as const;

const prewarmed = (file: ScenarioFile): ScenarioFile => {
  const all = listOf(file["images"]).map(({ name }) => name);
  return eachNode(file, (node) => ({ ...node, present: all }));
};

/** No limit (0), or one that is as high already, stays. */
const pullsFaster = (file: ScenarioFile) => {
  const { registryPullQPS = 5 } = fieldsOf(file["kubelet"]);
  return Number(registryPullQPS) === 0 || Number(registryPullQPS) >= 10;
};

/** What the seed of this project names besides pacing. */
export const remedies: readonly Variant[] = [
  { name: "gp3 at 200 MiB/s", change: faster(200, gp3.iops) },
  { name: "gp3 at 300 MiB/s", change: faster(300, 4_800) },
  { name: "local NVMe", change: faster(NVME.mibPerSecond, NVME.iops) },
  {
    name: "registryPullQPS 10, burst 15",
    change: (file) => (pullsFaster(file) ? file : kubelet(file, { registryPullQPS: 10, registryBurst: 15 })),
  },
  { name: "images there before (prewarm)", change: prewarmed },
];

/** What no recording tells, within its range: the wider it moves the figures, the more it matters. */
export const unknowns: readonly Variant[] = [
  { name: "the disk has half its speed", change: (file) => scaledDisk(file, 0.5) },
  { name: "the disk has twice its speed", change: (file) => scaledDisk(file, 2) },
  { name: "images unpack to half their size", change: (file) => scaledImages(file, 0.5) },
  { name: "images unpack to twice their size", change: (file) => scaledImages(file, 2) },
  { name: "images have one layer each", change: (file) => layered(file, 1) },
  { name: "images have twenty layers each", change: (file) => layered(file, 20) },
  { name: "one pull at a time", change: (file) => kubelet(file, { serializeImagePulls: true }) },
  { name: "no limit on pulls (registryPullQPS 0)", change: (file) => kubelet(file, { registryPullQPS: 0 }) },
  { name: "a registry of 20 MiB/s", change: (file) => ({ ...file, registry: { mibPerSecond: 20 } }) },
  { name: "images that are there before", change: prewarmed },
  { name: "pods that need 2 core-seconds to start", change: (file) => working(file, 2) },
];

const scaledDisk = (file: ScenarioFile, by: number) =>
  eachDisk(file, (disk) => ({
    ...disk,
    mibPerSecond: Math.max(0.1, speedOf(disk) * by),
    iops: Math.max(1, iopsOf(disk) * by),
  }));

const scaledImages = (file: ScenarioFile, by: number): ScenarioFile => ({
  ...file,
  images: listOf(file["images"]).map((image) => ({
    ...image,
    mib: Math.min(1e6, Math.max(0.1, Number(image["mib"]) * by)),
    compressedRatio: Math.min(1, Number(image["compressedRatio"] ?? 0.4) / by),
  })),
});

const layered = (file: ScenarioFile, layers: number): ScenarioFile => ({
  ...file,
  images: listOf(file["images"]).map((image) => ({ ...image, layers })),
});

const working = (file: ScenarioFile, startCpuSeconds: number): ScenarioFile => ({
  ...file,
  workloads: listOf(file["workloads"]).map((workload) => ({ ...workload, startCpuSeconds })),
});
