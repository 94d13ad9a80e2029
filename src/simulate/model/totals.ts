/** The kernel's counters since the node came up. */
import { LOAD_AVERAGE_MS } from "./constants.ts";
import type { Capacity, Rates } from "./rates.ts";

/** Running totals, in bytes and ms. */
export interface Totals {
  /** Bytes that writers gave to the page cache. */
  dirtiedBytes: number;
  writtenBytes: number;
  readBytes: number;
  /** Time the device was busy. */
  ioMs: number;
  /** Sum over all requests of the time from queueing to completion. */
  writeMs: number;
  readMs: number;
  /** Time during which some task waited for I/O, and during which all tasks did. */
  ioSomeMs: number;
  ioFullMs: number;
  /** Time during which some task waited for a core. */
  cpuSomeMs: number;
  /** Core-ms in use. */
  cpuMs: number;
  /** Time since the node came up. */
  upMs: number;
  load: [number, number, number];
}

export function newTotals(): Totals {
  return {
    dirtiedBytes: 0,
    writtenBytes: 0,
    readBytes: 0,
    ioMs: 0,
    writeMs: 0,
    readMs: 0,
    ioSomeMs: 0,
    ioFullMs: 0,
    cpuSomeMs: 0,
    cpuMs: 0,
    upMs: 0,
    load: [0, 0, 0],
  };
}

/** Adds `ms` at constant rates. */
export function accrue(totals: Totals, rates: Readonly<Rates>, capacity: Capacity, ms: number): void {
  if (ms === 0) return;
  totals.upMs += ms;
  totals.dirtiedBytes += rates.inflow * ms;
  totals.writtenBytes += rates.written * ms;
  totals.readBytes += rates.readTotal * ms;
  totals.ioMs += rates.busy * ms;
  totals.writeMs += rates.written > 0 ? rates.queue * ms : 0;
  totals.readMs += (rates.readTotal / capacity.requestBytes) * rates.awaitMs * ms;
  if (rates.blocked > 0) totals.ioSomeMs += ms;
  if (rates.blocked > 0 && rates.runnable < 1) totals.ioFullMs += ms;
  if (rates.runnable > capacity.cores) totals.cpuSomeMs += ms;
  totals.cpuMs += Math.min(rates.runnable, capacity.cores) * ms;
  accrueLoad(totals, rates.runnable + rates.blocked, ms);
}

function accrueLoad(totals: Totals, tasks: number, ms: number): void {
  for (const [at, period] of LOAD_AVERAGE_MS.entries()) {
    const kept = Math.exp(-ms / period);
    totals.load[at] = (totals.load[at] ?? 0) * kept + tasks * (1 - kept);
  }
}
