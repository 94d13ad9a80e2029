import type { Flow } from "./flow.ts";
import { accrue } from "./totals.ts";
import type { NodeCounters } from "./types.ts";

/**
 * The kernel's counters at `nowMs`, between two events: the totals at the last event, plus the progress since then.
 * Reading changes nothing.
 */
export function readCounters(flow: Flow, nowMs: number, totalBytes: number, usedBytes: number): NodeCounters {
  const rates = flow.rates();
  const { requestBytes } = flow.capacity;
  const sinceMs = Math.max(0, nowMs - flow.nowMs);
  const totals = { ...flow.totals, load: [...flow.totals.load] as [number, number, number] };
  accrue(totals, rates, flow.capacity, sinceMs);
  const owed = Math.max(0, flow.dirtyBytes + (rates.inflow - rates.written) * sinceMs);
  const writebackBytes = Math.min(owed, rates.queue * requestBytes);
  return {
    disk: {
      readsCompleted: Math.floor(totals.readBytes / requestBytes),
      readBytes: totals.readBytes,
      readMs: totals.readMs,
      writesCompleted: Math.floor(totals.writtenBytes / requestBytes),
      writtenBytes: totals.writtenBytes,
      writeMs: totals.writeMs,
      ioNow: Math.round(rates.queue),
      ioMs: totals.ioMs,
      ioWeightedMs: totals.writeMs + totals.readMs,
    },
    memory: {
      totalBytes,
      availableBytes: Math.max(0, totalBytes - usedBytes - owed),
      dirtyBytes: owed - writebackBytes,
      writebackBytes,
    },
    pressure: {
      cpuWaitingMs: totals.cpuSomeMs,
      ioWaitingMs: totals.ioSomeMs,
      ioStalledMs: totals.ioFullMs,
      memoryWaitingMs: 0,
      memoryStalledMs: 0,
    },
    cpuMs: totals.cpuMs,
    upMs: totals.upMs,
    cores: flow.capacity.cores,
    load: totals.load,
    awaitMs: rates.awaitMs,
  };
}
