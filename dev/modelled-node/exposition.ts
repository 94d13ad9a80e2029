/** A node's counters in node_exporter's text format: its diskstats, meminfo, loadavg, pressure and cpu collectors. */
import { MIB } from "../../src/simulate/model/constants.ts";
import type { NodeCounters } from "../../src/simulate/model/types.ts";

/** The one disk of a modelled node, named as on an EC2 instance. */
export const DEVICE = "nvme0n1";

type Kind = "counter" | "gauge";
type Sample = readonly [labels: string, value: number];

/** The whole page, as `GET /metrics` answers. Times in seconds, sizes in bytes. */
export function exposition(counters: NodeCounters): string {
  const lines = [...disk(counters), ...memory(counters), ...loadAndPressure(counters), ...cpu(counters)];
  return lines.join("\n") + "\n";
}

function disk({ disk: of }: NodeCounters): string[] {
  const device = `{device="${DEVICE}"}`;
  const total = (name: string, help: string, value: number) =>
    family(`node_disk_${name}`, "counter", help, [[device, value]]);
  return [
    ...total("reads_completed_total", "The total number of reads completed successfully.", of.readsCompleted),
    ...total("reads_merged_total", "The total number of reads merged.", 0),
    ...total("read_bytes_total", "The total number of bytes read successfully.", Math.floor(of.readBytes)),
    ...total("read_time_seconds_total", "The total number of seconds spent by all reads.", of.readMs / 1_000),
    ...total("writes_completed_total", "The total number of writes completed successfully.", of.writesCompleted),
    ...total("writes_merged_total", "The number of writes merged.", 0),
    ...total("written_bytes_total", "The total number of bytes written successfully.", Math.floor(of.writtenBytes)),
    ...total("write_time_seconds_total", "The total number of seconds spent by all writes.", of.writeMs / 1_000),
    ...family("node_disk_io_now", "gauge", "The number of I/Os currently in progress.", [[device, of.ioNow]]),
    ...total("io_time_seconds_total", "Total seconds spent doing I/Os.", of.ioMs / 1_000),
    ...total("io_time_weighted_seconds_total", "The weighted # of seconds spent doing I/Os.", of.ioWeightedMs / 1_000),
  ];
}

function memory({ memory: of }: NodeCounters): string[] {
  const gauge = (name: string, bytes: number) =>
    family(`node_memory_${name}_bytes`, "gauge", `Memory information field ${name}_bytes.`, [["", Math.round(bytes)]]);
  return [
    ...gauge("MemTotal", of.totalBytes),
    ...gauge("MemFree", of.availableBytes),
    ...gauge("MemAvailable", of.availableBytes),
    ...gauge("Buffers", MIB),
    ...gauge("Cached", of.dirtyBytes + of.writebackBytes),
    ...gauge("Dirty", of.dirtyBytes),
    ...gauge("Writeback", of.writebackBytes),
  ];
}

function loadAndPressure({ load, pressure }: NodeCounters): string[] {
  const waiting = (name: string, help: string, ms: number) =>
    family(`node_pressure_${name}_seconds_total`, "counter", help, [["", ms / 1_000]]);
  const forA = (what: string) => `Total time in seconds that processes have waited ${what}`;
  const none = (what: string) => `Total time in seconds no process could make progress due to ${what}`;
  return [
    ...family("node_load1", "gauge", "1m load average.", [["", load[0]]]),
    ...family("node_load5", "gauge", "5m load average.", [["", load[1]]]),
    ...family("node_load15", "gauge", "15m load average.", [["", load[2]]]),
    ...waiting("cpu_waiting", forA("for CPU time"), pressure.cpuWaitingMs),
    ...waiting("io_waiting", forA("due to IO congestion"), pressure.ioWaitingMs),
    ...waiting("io_stalled", none("IO congestion"), pressure.ioStalledMs),
    ...waiting("memory_waiting", forA("for memory"), pressure.memoryWaitingMs),
    ...waiting("memory_stalled", none("memory congestion"), pressure.memoryStalledMs),
  ];
}

/** Spreads busy time evenly over the cores: readers count the cores and sum the rest. */
function cpu({ cpuMs, upMs, cores }: NodeCounters): string[] {
  const busy = cpuMs / 1_000 / cores;
  const samples = Array.from({ length: cores }, (_, at): Sample[] => [
    [`{cpu="${at}",mode="idle"}`, Math.max(0, upMs / 1_000 - busy)],
    [`{cpu="${at}",mode="user"}`, busy],
  ]);
  return family("node_cpu_seconds_total", "counter", "Seconds the CPUs spent in each mode.", samples.flat());
}

function family(name: string, kind: Kind, help: string, samples: readonly Sample[]): string[] {
  const values = samples.map(([labels, value]) => `${name}${labels} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`, ...values];
}
