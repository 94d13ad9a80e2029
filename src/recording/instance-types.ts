/**
 * What common instance types have: cores, memory, and the disk that their nodes get by default. A Node object tells
 * cores and memory by itself; this is for recordings without one, and for disks, of which no object tells.
 *
 * Sources: the providers' pages on instance types ("Amazon EC2 instance types", "Machine families resource guide" of
 * Compute Engine, "Sizes for virtual machines in Azure"), and for disks those on EBS volume types (gp3: 125 MiB/s and
 * 3,000 IOPS at any size), on Persistent Disk (pd-balanced: 140 MiB/s and 3,000 IOPS, and 0.28 MiB/s and 6 IOPS more
 * for each GiB; GKE's default boot disk has 100 GiB) and on managed disks (P10, AKS' least OS disk: 100 MB/s and 500
 * IOPS, without its bursts). Launch templates change disks often: `--disk` says what yours has.
 */
import { gp3 } from "../simulate/model/constants.ts";

export interface Machine {
  readonly cores: number;
  readonly memoryGib: number;
  readonly disk: MachineDisk;
}

export interface MachineDisk {
  readonly mibPerSecond: number;
  readonly iops: number;
  /** What it is, for people. */
  readonly name: string;
}

const EBS: MachineDisk = { ...gp3, name: "EBS gp3 at its baseline" };
const PD_BALANCED: MachineDisk = { mibPerSecond: 168, iops: 3_600, name: "pd-balanced of 100 GiB" };
const P10: MachineDisk = { mibPerSecond: 95, iops: 500, name: "Premium SSD P10 without bursts" };

/** vCPUs of EC2's sizes. */
const EC2_CORES: Readonly<Record<string, number>> = {
  ...{ medium: 1, large: 2, xlarge: 4, "2xlarge": 8, "3xlarge": 12, "4xlarge": 16, "6xlarge": 24, "8xlarge": 32 },
  ...{ "9xlarge": 36, "12xlarge": 48, "16xlarge": 64, "18xlarge": 72, "24xlarge": 96, "32xlarge": 128 },
};
/** GiB for each vCPU of EC2's families. */
const EC2_GIB: Readonly<Record<string, number>> = { c: 2, m: 4, r: 8 };
/** Burstable types do not follow the rule: vCPUs and GiB. */
const EC2_BURSTABLE: Readonly<Record<string, readonly [number, number]>> = {
  ...{ micro: [2, 1], small: [2, 2], medium: [2, 4], large: [2, 8], xlarge: [4, 16], "2xlarge": [8, 32] },
};
/** GiB for each vCPU of Compute Engine's shapes. */
const GCE_GIB: Readonly<Record<string, number>> = { standard: 4, highmem: 8, highcpu: 1 };
const GCE_FIRST_GIB: Readonly<Record<string, number>> = { standard: 3.75, highmem: 6.5, highcpu: 0.9 };
const GCE_SHARED: Readonly<Record<string, readonly [number, number]>> = {
  ...{ "e2-micro": [2, 1], "e2-small": [2, 2], "e2-medium": [2, 4] },
};
/** GiB for each vCPU of Azure's families. */
const AZURE_GIB: Readonly<Record<string, number>> = { D: 4, E: 8, F: 2 };

/** Undefined for a type that is not known here. */
export function machineOf(instanceType: string): Machine | undefined {
  return ec2(instanceType) ?? gce(instanceType) ?? azure(instanceType);
}

function ec2(type: string): Machine | undefined {
  const [, family = "", size = ""] = /^(t[234]|[cmr][4-8])[a-z]*\.([a-z0-9]+)$/.exec(type) ?? [];
  if (family.startsWith("t")) return machine(EC2_BURSTABLE[size], EBS);
  const cores = EC2_CORES[size];
  return machine(cores && [cores, cores * (EC2_GIB[family[0] ?? ""] ?? NaN)], EBS);
}

function gce(type: string): Machine | undefined {
  const shared = GCE_SHARED[type];
  if (shared) return machine(shared, PD_BALANCED);
  const [, family, shape = "", cores] =
    /^(n1|n2|n2d|e2|c2|c2d|c3|c3d|n4|t2d|t2a)-(standard|highmem|highcpu)-(\d{1,3})$/.exec(type) ?? [];
  const gib = (family === "n1" ? GCE_FIRST_GIB : GCE_GIB)[shape];
  return machine(gib && [Number(cores), Number(cores) * gib], PD_BALANCED);
}

function azure(type: string): Machine | undefined {
  const [, family = "", cores] = /^Standard_([DEF])(\d{1,3})[a-z]*(?:_v[2-6])?$/.exec(type) ?? [];
  const gib = AZURE_GIB[family];
  return machine(gib && [Number(cores), Number(cores) * gib], P10);
}

function machine(size: readonly [number, number] | number | undefined, disk: MachineDisk): Machine | undefined {
  if (!Array.isArray(size)) return undefined;
  const [cores, memoryGib] = size as readonly [number, number];
  return Number.isFinite(memoryGib) && cores > 0 ? { cores, memoryGib, disk } : undefined;
}
