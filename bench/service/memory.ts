/** Resident memory of another process, as the kernel keeps it. */
import { readFile } from "node:fs/promises";

export interface Memory {
  readonly nowMib: number;
  /** The maximum since the process began: it counts against a container's memory limit. */
  readonly peakMib: number;
}

/** @throws when there is no such process */
export async function residentMemory(pid: number): Promise<Memory> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const mib = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1_024;
  return { nowMib: mib("VmRSS"), peakMib: mib("VmHWM") };
}
