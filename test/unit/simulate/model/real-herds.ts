/** The two herds that were observed on a real node (docs/model.md), with the measured figures. */
import { seededRandom } from "../../../../src/simulate/model/random.ts";
import type { ImageSpec, ModelPod, NodeModelOptions } from "../../../../src/simulate/model/types.ts";

export interface ObservedRun {
  readonly inStartup: number;
  readonly makespanSeconds: number;
  readonly meanReadySeconds: number;
}

export interface ObservedHerd {
  readonly name: string;
  readonly options: (seed: number) => NodeModelOptions;
  readonly pods: readonly ModelPod[];
  readonly observed: readonly ObservedRun[];
}

const MB = 1_000_000;
const mib = (megabytes: number) => (megabytes * MB) / 1_048_576;
const image = (at: number) => `registry.local/herd/image-${at}:1`;
const twenty = Array.from({ length: 20 }, (_, at) => at);

/** 40 pods with one container each; pods 1 to 20 have distinct images, pods 21 to 40 the same ones again. */
const pods: readonly ModelPod[] = Array.from({ length: 40 }, (_, at) => ({
  uid: `pod-${at}`,
  namespace: "default",
  name: `herd-${at}`,
  containers: [{ name: "main", image: image(at % 20) }],
}));

/** Ten images with one layer of 500 MB, ten with one of 50 MB, taking turns; 3:1 compressible. */
const harshImages: readonly ImageSpec[] = twenty.map((at) => ({
  name: image(at),
  mib: mib(at % 2 === 0 ? 500 : 50),
  layers: 1,
  compressedRatio: 1 / 3,
}));

/** Twenty images of 100 MB in five layers, almost incompressible. */
const mildImages: readonly ImageSpec[] = twenty.map((at) => ({
  name: image(at),
  mib: mib(100),
  layers: 5,
  compressedRatio: 1,
}));

/** The observed machine: 2 cores, 24 GiB, a registry on loopback, parallel pulls, everything else at its default. */
function machine(images: readonly ImageSpec[], mibPerSecond: number, iops: number) {
  return (seed: number): NodeModelOptions => ({
    startMs: 0,
    random: seededRandom(seed),
    disk: { mibPerSecond, iops },
    cores: 2,
    memoryBytes: 24 * 1_024 ** 3,
    kubelet: { serializeImagePulls: false },
    images,
  });
}

export const harsh: ObservedHerd = {
  name: "harsh",
  options: machine(harshImages, 22, 516),
  pods,
  observed: [
    { inStartup: Infinity, makespanSeconds: 331, meanReadySeconds: 304.5 },
    { inStartup: 6, makespanSeconds: 329, meanReadySeconds: 240 },
  ],
};

export const mild: ObservedHerd = {
  name: "mild",
  options: machine(mildImages, 32, 750),
  pods,
  observed: [
    { inStartup: Infinity, makespanSeconds: 124, meanReadySeconds: 116 },
    { inStartup: 3, makespanSeconds: 131, meanReadySeconds: 93 },
    { inStartup: 6, makespanSeconds: 121, meanReadySeconds: 93 },
  ],
};
