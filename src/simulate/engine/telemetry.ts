/** Telemetry: what Paceline would make of two scrapes of node_exporter, made of the model's counters directly. */
import type { NodeSample } from "../../core/facts.ts";
import type { NodeCounters } from "../model/types.ts";

interface Reading {
  readonly atMs: number;
  readonly counters: NodeCounters;
}

/** A node's figures over the time between two readings; right after the start only the gauges are known. */
export function sampleOf({ atMs, counters }: Reading, before: Reading | undefined): NodeSample {
  const { memory, cores, load } = counters;
  const gauges = {
    atMs,
    dirtyBytes: memory.dirtyBytes,
    writebackBytes: memory.writebackBytes,
    load1: load[0],
    cores,
    memoryBytes: memory.totalBytes,
  };
  const spanMs = atMs - (before?.atMs ?? atMs);
  if (!before || spanMs <= 0) return gauges;
  return { ...gauges, ...rates(counters, before.counters, spanMs) };
}

function rates(now: NodeCounters, before: NodeCounters, spanMs: number) {
  const [disk, was] = [now.disk, before.disk];
  const ios = disk.readsCompleted + disk.writesCompleted - was.readsCompleted - was.writesCompleted;
  const waitedMs = disk.readMs + disk.writeMs - was.readMs - was.writeMs;
  const busy = (disk.ioMs - was.ioMs) / spanMs;
  const perSecond = (bytes: number) => (bytes / spanMs) * 1_000;
  const share = (ms: number) => Math.min(1, ms / spanMs);
  return {
    // As in src/telemetry/signals.ts: a busy device that completed nothing is stalled, its await unknown.
    awaitMs: ios > 0 ? waitedMs / ios : busy > 0.01 ? undefined : 0,
    utilisation: Math.min(1, busy),
    writeBytesPerSecond: perSecond(disk.writtenBytes - was.writtenBytes),
    readBytesPerSecond: perSecond(disk.readBytes - was.readBytes),
    ioPressure: share(now.pressure.ioWaitingMs - before.pressure.ioWaitingMs),
    cpuPressure: share(now.pressure.cpuWaitingMs - before.pressure.cpuWaitingMs),
  };
}
