/** A node's sample from the figures in Prometheus' answer. Pure. */
import type { NodeSample } from "../core/facts.ts";
import { chooseDisk, type DeviceFilter, diskFiguresOf, type DiskRates, diskSample } from "../core/signals/sample.ts";
import { imageDeviceOf } from "./image-device.ts";
import { diskParts, type NodeFigures } from "./prometheus-query.ts";

/** The sample of one node, dated by the age that Prometheus itself reports, so the two clocks may differ. */
export function sampleFrom(figures: NodeFigures, counts: DeviceFilter, askedMs: number): NodeSample {
  const { age = 0, ...node } = figures.node;
  const disks = [...figures.disks].flatMap(([device, parts]) => {
    const rates = isWhole(parts) ? diskFiguresOf(device, parts) : undefined;
    return rates === undefined ? [] : [rates];
  });
  const imageDevice = imageDeviceOf(figures.mounts, (device) => figures.disks.has(device), figures.mapped);
  const disk = chooseDisk(disks, counts, imageDevice);
  return {
    ...node,
    ioPressure: node.ioPressure && Math.min(1, node.ioPressure),
    cpuPressure: node.cpuPressure && Math.min(1, node.cpuPressure),
    ...diskSample(disk, imageDevice),
    atMs: askedMs - age * 1_000,
  };
}

const isWhole = (parts: Partial<DiskRates>): parts is DiskRates =>
  diskParts.every((part) => Number.isFinite(parts[part]));
