/** Telemetry: the model's counters, as Paceline would read them from node_exporter. */
import type { NodeSample } from "../../core/facts.ts";
import { sampleOf as sampleOfSnapshots } from "../../core/signals/sample.ts";
import type { CounterSnapshot } from "../../core/signals/snapshot.ts";
import { SECOND_MS } from "../model/constants.ts";
import type { NodeCounters } from "../model/types.ts";

interface Reading {
  readonly atMs: number;
  readonly counters: NodeCounters;
}

/** The one disk of a modelled node. */
const DISK = "disk";

/** A node's figures over the time between two readings; right after the start only the gauges are known. */
export function sampleOf(now: Reading, before: Reading | undefined): NodeSample {
  return sampleOfSnapshots(snapshotOf(now), before && snapshotOf(before), () => true);
}

function snapshotOf({ atMs, counters }: Reading): CounterSnapshot {
  const { disk, memory, pressure, cores, load } = counters;
  return {
    atMs,
    steadyMs: atMs,
    imageDevice: DISK,
    dataDisks: new Set(),
    disks: new Map([
      [
        DISK,
        {
          reads: disk.readsCompleted,
          writes: disk.writesCompleted,
          readSeconds: disk.readMs / SECOND_MS,
          writeSeconds: disk.writeMs / SECOND_MS,
          ioSeconds: disk.ioMs / SECOND_MS,
          readBytes: disk.readBytes,
          writtenBytes: disk.writtenBytes,
        },
      ],
    ]),
    dirtyBytes: memory.dirtyBytes,
    writebackBytes: memory.writebackBytes,
    memoryBytes: memory.totalBytes,
    ioPressureSeconds: pressure.ioWaitingMs / SECOND_MS,
    cpuPressureSeconds: pressure.cpuWaitingMs / SECOND_MS,
    load1: load[0],
    cores,
  };
}
