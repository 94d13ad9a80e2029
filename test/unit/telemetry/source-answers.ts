/** Answers of healthy servers, for tests of sources. Each request finds 10 more writes of 50 ms each. */
import type { IncomingMessage, ServerResponse } from "node:http";

/** node_exporter's page after so many I/Os. */
export function exporterPage(ios: number, device = "nvme0n1"): string {
  const disk = (family: string, value: number) => `node_disk_${family}{device="${device}"} ${value}\n`;
  return [
    disk("reads_completed_total", 0),
    disk("read_time_seconds_total", 0),
    disk("read_bytes_total", 0),
    disk("writes_completed_total", ios),
    disk("write_time_seconds_total", ios * 0.05),
    disk("written_bytes_total", ios * 4096),
    disk("io_time_seconds_total", ios / 1e6),
    "node_memory_Dirty_bytes 12345\n",
    `node_pressure_io_waiting_seconds_total ${ios / 1e5}\n`,
    'node_cpu_seconds_total{cpu="0",mode="idle"} 1\nnode_cpu_seconds_total{cpu="0",mode="user"} 1\n',
  ].join("");
}

/** One series of Prometheus' answer. */
export const promSeries = (part: string, value: number | string, labels: Record<string, string> = {}) => ({
  metric: { instance: "127.0.0.1:9100", ...labels, paceline: part },
  value: [Date.now() / 1_000, String(value)],
});

/** Prometheus' whole answer. */
export const promAnswer = (result: readonly unknown[]) =>
  JSON.stringify({ status: "success", data: { resultType: "vector", result } });

/** The series of one healthy node; await is 50 ms. */
export function promNode(age: number, instance = "127.0.0.1:9100", device = "nvme0n1") {
  const disk = { instance, device };
  return [
    promSeries("ios", 100, disk),
    promSeries("waitedSeconds", 5, disk),
    promSeries("busy", 0.5, disk),
    promSeries("writtenBytes", 1e6, disk),
    promSeries("readBytes", 0, disk),
    promSeries("dirtyBytes", 12345, { instance }),
    promSeries("ioPressure", 0.25, { instance }),
    promSeries("cores", 4, { instance }),
    promSeries("age", age, { instance }),
  ];
}

let turn = 0;
/** Each answer is of a newer scrape. */
export function answerPrometheus(_request: IncomingMessage, response: ServerResponse): void {
  turn += 1;
  response.setHeader("content-type", "application/json");
  response.end(promAnswer(promNode(turn % 2 === 0 ? 1 : 3)));
}

let ios = 0;
export function answerExporter(_request: IncomingMessage, response: ServerResponse): void {
  ios += 10;
  response.end(exporterPage(ios));
}

let taken = Date.parse("2026-01-01T00:00:00Z");
/** A kubelet's summary. Each one is 10 s newer and has 50 MB more of images. */
export function summary(takenMs: number, over: Record<string, unknown> = {}): Record<string, unknown> {
  const time = new Date(takenMs).toISOString();
  const psi = {
    some: { total: 5_000, avg10: 25, avg60: 10, avg300: 3 },
    full: { total: 1, avg10: 1, avg60: 1, avg300: 1 },
  };
  return {
    node: {
      nodeName: "a",
      cpu: { time, usageNanoCores: 1, psi: { ...psi, some: { ...psi.some, avg10: 50 } } },
      memory: { time, availableBytes: 6e9, workingSetBytes: 2e9, psi },
      io: { time, psi },
      fs: { time, availableBytes: 1e9, capacityBytes: 2e9, usedBytes: 1e9 },
      runtime: { imageFs: { time, availableBytes: 1e9, capacityBytes: 2e9, usedBytes: 1e9 + (takenMs % 1e9) * 5_000 } },
      ...over,
    },
    pods: [],
  };
}

export function answerKubelet(_request: IncomingMessage, response: ServerResponse): void {
  taken += 10_000;
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(summary(taken)));
}
