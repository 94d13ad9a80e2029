/** What is measured: the settings, each a disk, images and the kubelet's time-out; and the strategies. */

export interface ImageShape {
  /** MB (10^6 bytes), unpacked, of the layers that no other image has. */
  readonly megabytes: number;
  readonly layers: number;
}

export interface Setting {
  readonly name: string;
  /** MiB/s, reads and writes each. gp3 has 125. */
  readonly diskMibPerSecond: number;
  /** I/O operations per second, reads and writes each. gp3 has 3,000. */
  readonly iops: number;
  /** Memory of the imitated node; it decides how much may be dirty. */
  readonly memoryGib: number;
  /** The kubelet's own default is 120. */
  readonly runtimeRequestTimeoutSeconds: number;
  /**
   * Paceline's `drainSeconds` for this node class: under half of the time-out, since up to twice as much may be owed.
   */
  readonly drainSeconds: number;
  /** One entry per image; each image serves two pods. */
  readonly images: readonly ImageShape[];
  /** A round that takes longer is given up, in s. */
  readonly giveUpSeconds: number;
}

/** Unpacked bytes ÷ compressed bytes of every layer: typical for programs and their libraries. */
export const COMPRESSIBILITY = 3;
/** Cores of the machine it was measured on. */
export const NODE_CPUS = 2;
export const PODS = 40;
export const IMAGES = 20;

/** Steps from one image to the next: large and small ones mixed. Has no divisor in common with IMAGES. */
const STRIDE = 7;
/** Images with equal layers, from the least to the most MB in equal steps, mixed. */
function graded(least: number, most: number, layers = 1): ImageShape[] {
  const step = (most - least) / (IMAGES - 1);
  const megabytes = (index: number) => Math.round(least + step * ((index * STRIDE) % IMAGES));
  return Array.from({ length: IMAGES }, (_, index) => ({ megabytes: megabytes(index), layers }));
}

const alike = Array.from({ length: IMAGES }, () => ({ megabytes: 100, layers: 5 }));

/**
 * Harsh: disk, memory, images and time-out are scaled together, so that a round takes two minutes (docs/real-node.md).
 * Mild: nothing is scaled but the disk. Even lies between both, and no figure of the model was looked at with it.
 */
export const settings = {
  harsh: {
    name: "harsh",
    diskMibPerSecond: 32,
    iops: 750,
    memoryGib: 4,
    runtimeRequestTimeoutSeconds: 25,
    drainSeconds: 12,
    images: graded(20, 290),
    giveUpSeconds: 420,
  },
  mild: {
    name: "mild",
    diskMibPerSecond: 64,
    iops: 1_500,
    memoryGib: 8,
    runtimeRequestTimeoutSeconds: 120,
    drainSeconds: 40,
    images: alike,
    giveUpSeconds: 300,
  },
  even: {
    name: "even",
    diskMibPerSecond: 48,
    iops: 1_100,
    memoryGib: 6,
    runtimeRequestTimeoutSeconds: 60,
    drainSeconds: 20,
    images: graded(40, 200, 3),
    giveUpSeconds: 360,
  },
} as const satisfies Record<string, Setting>;
export type SettingName = keyof typeof settings;

export type Strategy = "all-at-once" | "fixed-3" | "fixed-6" | "paceline";
export const strategies: readonly Strategy[] = ["all-at-once", "fixed-3", "fixed-6", "paceline"];

/** How many pods may be in startup; undefined if there is no limit, or if Paceline sets it. */
export function batchSize(strategy: Strategy): number | undefined {
  return strategy === "fixed-3" ? 3 : strategy === "fixed-6" ? 6 : undefined;
}

/** The name of an image as pods write it; the registry's name resolves in containerd's hosts.toml alone. */
export const REGISTRY = "registry.bench";
export function imageName(setting: string, index: number): string {
  return `${REGISTRY}/${setting}/app-${String(index).padStart(2, "0")}:1`;
}
export const PAUSE_IMAGE = `${REGISTRY}/pause:1`;

/** Paceline's node class: what an operator knows of disk and time-out. All else is at its default. */
export function nodeClassOf({ drainSeconds, diskMibPerSecond }: Setting) {
  return { name: "bench", drainSeconds, diskMiBPerSecond: diskMibPerSecond };
}
