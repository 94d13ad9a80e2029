/**
 * Herds to which no rule was tuned: nodes, disks, images and workloads by chance, equal for equal seeds. The ranges are
 * assumed: what clusters of 10 to 5,000 nodes may bring to one to three new nodes.
 */
import { stringify } from "yaml";
import { type Random, seededRandom } from "../src/simulate/model/random.ts";

/** MiB/s and IOPS: gp3 as it comes and provisioned, gp2-like, io2-like, local NVMe. */
const DISKS = [
  { mibPerSecond: 125, iops: 3_000 },
  { mibPerSecond: 125, iops: 3_000 },
  { mibPerSecond: 200, iops: 3_000 },
  { mibPerSecond: 250, iops: 6_000 },
  { mibPerSecond: 500, iops: 16_000 },
  { mibPerSecond: 700, iops: 70_000 },
  { mibPerSecond: 60, iops: 1_500 },
];
const CORES = [2, 4, 4, 8];
const GIB_PER_CORE = 4;
/** Share of herds whose registry is slow, and of those without telemetry. */
const SLOW_REGISTRY_SHARE = 0.15;
const NO_TELEMETRY_SHARE = 0.15;
const SIDECAR = "sidecar";

/** A scenario as YAML. */
export function randomScenario(seed: number): string {
  const random = seededRandom(seed);
  for (let warm = 0; warm < 5; warm += 1) random(); // close seeds give similar first numbers
  const images = Array.from({ length: between(random, 4, 30) }, (_, index) => image(random, index));
  const workloads = images.map(({ name }) => workload(random, name));
  const shared =
    random() < 0.5 ? [{ name: SIDECAR, mib: between(random, 30, 200), layers: between(random, 2, 6) }] : [];
  if (shared.length > 0) for (const one of workloads) if (random() < 0.4) one.images.push(SIDECAR);
  const all = [...images, ...shared];
  const cpu = pick(random, CORES);
  const young = { joinSeconds: between(random, 0, 30), disk: pick(random, DISKS), cpu, memoryGib: cpu * GIB_PER_CORE };
  return stringify({
    description: `By chance, seed ${seed}.`,
    nodes: [
      { joinSeconds: -86_400, pods: 0, present: all.map(({ name }) => name) },
      { ...young, count: between(random, 1, 3) },
    ],
    images: all,
    workloads,
    ...(random() < SLOW_REGISTRY_SHARE && { registry: { mibPerSecond: between(random, 15, 80) } }),
    ...(random() < NO_TELEMETRY_SHARE && { telemetry: "none" }),
  });
}

function image(random: Random, index: number) {
  const bell = random() + random() + random() - 1.5; // roughly normal
  const mib = Math.round(Math.min(4_000, Math.max(15, 150 * Math.exp(1.8 * bell))));
  return { name: `image-${index}`, mib, layers: between(random, 1, 12) };
}

function workload(random: Random, name: string) {
  const replicas = random() < 0.5 ? 1 : between(random, 2, 6);
  return { name: `app-${name}`, replicas, images: [name], startCpuSeconds: Math.round(random() * 15) / 10 };
}

const between = (random: Random, least: number, most: number) => least + Math.floor(random() * (most - least + 1));
const pick = <Item>(random: Random, items: readonly Item[]): Item =>
  items[between(random, 0, items.length - 1)] as Item;
