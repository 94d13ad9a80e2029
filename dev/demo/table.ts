/** The demo's result, as a table for people and as JSON for machines. */
import type { FailureKind } from "./failures.ts";
import type { HerdName } from "./workload.ts";

/** The result of one run of the herd. */
export interface HerdResult {
  /** All failed starts: the sum of `byFingerprint`. */
  readonly startErrors: number;
  readonly byFingerprint: Readonly<Partial<Record<FailureKind, number>>>;
  readonly restarts: number;
  /** From the moment the nodes join until every pod is Ready. */
  readonly makespanSeconds: number;
  /** `makespanSeconds` ÷ what the disks alone need for the pods as they were placed in this run. */
  readonly ratioToBound: number;
  /** Mean over pods, from when the pod and the nodes exist until it is Ready. */
  readonly meanReadySeconds: number;
  /** The most pods bound to one node and not started at one moment. */
  readonly peakInStartup: number;
  /** The same of the nodes that were there before the young ones; 0 where there are none. */
  readonly peakInStartupSettled: number;
  /** Highest await of a node's disk over two seconds, by node_exporter. */
  readonly peakAwaitMs: number;
  /** Longest time that a pod waited for its node while there were nodes. */
  readonly longestHoldSeconds: number;
  /** For each pod, seconds from the young nodes' Ready until its own Ready, shortest first. */
  readonly readySeconds: readonly number[];
}

export interface DemoResult {
  readonly herd: HerdName;
  readonly unpaced: HerdResult;
  readonly paced: HerdResult;
  /** Time of the disk that has most to write in the paced run, plus the last pod's own start. */
  readonly diskBoundSeconds: number;
}

/** Title and figure of each line; a title that begins with spaces belongs to the line above. */
export const demoRows: readonly (readonly [string, (result: HerdResult) => string])[] = [
  ["failed starts", ({ startErrors }) => String(startErrors)],
  [
    "  by fingerprint",
    ({ byFingerprint }) =>
      Object.entries(byFingerprint)
        .map((e) => e.join(" "))
        .join(", ") || "-",
  ],
  ["restarts", ({ restarts }) => String(restarts)],
  ["seconds until all pods are Ready", ({ makespanSeconds }) => makespanSeconds.toFixed(1)],
  ["  ÷ what the disks alone need", ({ ratioToBound }) => ratioToBound.toFixed(2)],
  ["mean seconds to Ready", ({ meanReadySeconds }) => meanReadySeconds.toFixed(1)],
  ["peak pods in startup on a node", ({ peakInStartup }) => String(peakInStartup)],
  ["  of them on a settled node", ({ peakInStartupSettled }) => String(peakInStartupSettled)],
  ["peak disk await, ms", ({ peakAwaitMs }) => peakAwaitMs.toFixed(0)],
  ["longest hold, s", ({ longestHoldSeconds }) => longestHoldSeconds.toFixed(1)],
];

export function table({ unpaced, paced, diskBoundSeconds }: DemoResult): string {
  const cells = demoRows.map(([title, show]) => [title, show(unpaced), show(paced)] as const);
  const lines = [["", "without Paceline", "with Paceline"] as const, ...cells];
  const widths = [0, 1, 2].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const text = lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return [...text, "", `the disks alone need ${diskBoundSeconds.toFixed(1)} s`].join("\n");
}

/** What pacing did not achieve, one line each. Empty: the demo succeeds. */
export function shortcomings({ herd, unpaced, paced }: DemoResult): string[] {
  const isBare = herd === "bare";
  const checks: [boolean, string][] = [
    [unpaced.startErrors > 0, "the herd did no harm without Paceline, so this run proves nothing"],
    [paced.startErrors === 0, `${paced.startErrors} starts failed with Paceline`],
    [paced.makespanSeconds <= unpaced.makespanSeconds, "with Paceline it took longer until all pods were Ready"],
    [paced.meanReadySeconds <= unpaced.meanReadySeconds, "with Paceline the mean time to Ready was longer"],
    [
      !isBare || paced.meanReadySeconds <= 0.85 * unpaced.meanReadySeconds,
      "the mean time to Ready is above 0.85 × unpaced",
    ],
    [!isBare || paced.ratioToBound <= 1.25, "the makespan is above 1.25 × what the disks alone need"],
  ];
  return checks.filter(([kept]) => !kept).map(([, message]) => message);
}
