/** One line a second: what the disk did, and what Paceline saw and decided. */
import type { DiskLook } from "./sampler.ts";

/** Of `/status.json`, the node's entry. */
export interface Decision {
  /** Seconds since the node was Ready. */
  readonly second: number;
  readonly limit: number;
  readonly reserved: number;
  readonly bytesInFlight: number;
  readonly drainSeconds: number;
  readonly limitMove: string;
}

const HEAD = [
  ...["s", "Ready", "in startup", "busy", "MB/s", "await ms", "dirty MB"],
  ...["limit", "reserved", "in flight MB", "drain s", "limit's last move"],
];

/** Tab-separated; the last five columns are empty if Paceline does not run. */
export function timeline(looks: readonly DiskLook[], decisions: readonly Decision[]): string {
  return [HEAD, ...looks.map((look) => [...diskCells(look), ...decisionCells(look.second, decisions)])]
    .map((cells) => `${cells.join("\t")}\n`)
    .join("");
}

function diskCells({ second, ready, inStartup, utilisation, writtenBytes, awaitMs, dirtyBytes }: DiskLook): string[] {
  const figures = [writtenBytes / 1e6, awaitMs ?? Number.NaN, dirtyBytes / 1e6].map((figure) => figure.toFixed(0));
  return [second.toFixed(0), String(ready), String(inStartup), utilisation.toFixed(2), ...figures];
}

function decisionCells(second: number, decisions: readonly Decision[]): string[] {
  const last = decisions.findLast((decision) => decision.second <= second);
  if (!last) return ["", "", "", "", ""];
  const { limit, reserved, bytesInFlight, drainSeconds, limitMove } = last;
  return [String(limit), String(reserved), (bytesInFlight / 1e6).toFixed(0), drainSeconds.toFixed(1), limitMove];
}
