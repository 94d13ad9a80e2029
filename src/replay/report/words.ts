/** Words that the reports share. */
import { rfc3339 } from "../../diagnose/json.ts";
import type { Figures } from "../figures.ts";
import { leftOutOf } from "../../recording/herd.ts";
import type { HerdReplay } from "../replay.ts";
import { diskCaveats } from "./disks.ts";

export const seconds = (value: number) => value.toFixed(1);
export const signed = (share: number) =>
  Number.isFinite(share) ? `${share >= 0 ? "+" : "−"}${Math.abs(share * 100).toFixed(0)} %` : "far off";
export const counted = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

/** The columns of every table of figures. */
export const columns: readonly (readonly [title: string, cell: (figures: Figures) => string])[] = [
  ["all Ready, s", (one) => seconds(one.allReadySeconds)],
  ["mean, s", (one) => seconds(one.meanReadySeconds)],
  ["p50, s", (one) => seconds(one.p50ReadySeconds)],
  ["p95, s", (one) => seconds(one.p95ReadySeconds)],
  ["failed starts", (one) => String(one.failedStarts)],
  ["longest hold, s", (one) => seconds(one.longestHoldSeconds)],
  ["not Ready", (one) => String(one.notReady)],
];

/** When it was, and how large. */
export function titleOf({ herd, built }: HerdReplay): string {
  const types = [...new Set(herd.nodes.map(({ instanceType }) => instanceType || "unknown type"))].join(", ");
  const settled =
    herd.settled.length === 0 ? "" : `, and ${counted(herd.settled.length, "node")} that were there before`;
  return (
    `${rfc3339(herd.startMs)} to ${rfc3339(herd.endMs)}: ${counted(herd.pods.length, "pod")} of ` +
    `${counted(new Set(built.workloads.map(({ owner }) => owner)).size, "workload")} on ` +
    `${counted(herd.nodes.length, "young node")} (${types})${settled}`
  );
}

/** What was left out of the herd, and what is assumed of it; one sentence each. */
export function caveats(replay: HerdReplay): readonly string[] {
  const { herd, built } = replay;
  const { leftOut, pods } = herd;
  const out = leftOutOf(herd);
  const { origins, unknownSizes, images } = built;
  const rules = pods.filter(({ shape }) => shape.hasPlacementRules).length;
  const disks = [...origins.disks].map(([type, { name, from }]) => `${type || "unknown type"} ${name} (${from})`);
  return [
    `Disks: ${disks.join("; ")}.${[...origins.disks.values()].some(({ from }) => from !== "given") ? " --disk or --class say what yours have." : ""}`,
    `Kubelets' pull limits and time-outs are ${origins.kubelet}; how the runtime flushes is ${origins.runtime}.`,
    ...diskCaveats(replay),
    ...(unknownSizes.length > 0
      ? [`${unknownSizes.length} of ${images.size} images have no recorded size, and are taken for the median.`]
      : []),
    ...(out > 0
      ? [
          `${counted(out, "pod")} left out: ${leftOut.notReady} never Ready, ${leftOut.noObject} without a recorded object, ${leftOut.done} that ended without being Ready, ${leftOut.ended} evicted, preempted, deleted or refused.`,
        ]
      : []),
    ...(rules > 0
      ? [`${counted(rules, "pod")} have rules about other pods or volumes, which the model leaves out.`]
      : []),
  ];
}

/** One or two sentences: what the herd came to, and what Paceline would have made of it. */
export function verdictOf({ herd, recorded, reasons, forecast, check }: HerdReplay): string {
  const { pods } = herd;
  const never = leftOutOf(herd);
  const last =
    never === 0
      ? "All pods were Ready after"
      : `${pods.length} of ${pods.length + never} pods were Ready, the last after`;
  const was =
    `${last} ${seconds(recorded.allReadySeconds)} s, on the mean after ${seconds(recorded.meanReadySeconds)} s, ` +
    `with ${counted(recorded.failedStarts, "failed start")}.`;
  if (forecast === undefined || check === undefined) return `${was} There is no forecast: ${reasons.join("; ")}.`;
  const { given } = forecast;
  return (
    `${was} With Paceline: ${seconds(given.allReadySeconds)} s and ${seconds(given.meanReadySeconds)} s, ` +
    `with ${counted(given.failedStarts, "failed start")}. The model is within ${Number.isFinite(check.off) ? `${Math.round(check.off * 100)} %` : "seconds"} of what was recorded.`
  );
}
