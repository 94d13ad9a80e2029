/** The replay for machines. Keys stay; new ones may come. */
import { rfc3339 } from "../../diagnose/json.ts";
import type { ReadRecording } from "../../recording/read-recording.ts";
import { missingJson } from "../../recording/unread.ts";
import type { Figures } from "../figures.ts";
import type { HerdReplay } from "../replay.ts";
import { caveats } from "./words.ts";
import type { ReplayReport } from "./text.ts";

export function jsonReport({ replays, moreHerds, notes }: ReplayReport, whole: ReadRecording): object {
  const { recording } = whole;
  return {
    recording: {
      from: timeOrNull(recording.sinceMs),
      until: timeOrNull(recording.untilMs),
      nodes: recording.nodes.length,
      pods: recording.pods.length,
      pulls: recording.pulls.length,
      lostPods: recording.lostPods,
    },
    ...missingJson(whole),
    herds: replays.map(herdJson),
    herdsLeftOut: moreHerds,
    notes,
  };
}

const timeOrNull = (ms: number | undefined) => (ms === undefined ? null : rfc3339(ms));

function herdJson(replay: HerdReplay): object {
  const { herd, built, recorded, telemetry, model, check, reasons, sensitivity, forecast } = replay;
  const figures = (one: Figures | undefined) => one && withNames(one, built.workloads);
  return {
    start: rfc3339(herd.startMs),
    end: rfc3339(herd.endMs),
    nodes: herd.nodes.map(({ name, instanceType }) => ({ name, instanceType })),
    settledNodes: herd.settled.map(({ name }) => name),
    pods: herd.pods.length,
    podsLeftOut: herd.leftOut,
    recorded: figures(recorded),
    telemetry: telemetry ? { ...telemetry, disks: Object.fromEntries(telemetry.disks) } : null,
    model: figures(model) ?? null,
    selfCheck: check ?? null,
    noForecastBecause: reasons,
    sensitivity: sensitivity.map(({ name, moves, wouldFit, figures: of }) => ({
      ...{ name, moves, wouldFit },
      ...{ allReadySeconds: of.allReadySeconds, meanReadySeconds: of.meanReadySeconds },
    })),
    forecast: forecast
      ? {
          paceline: figures(forecast.given),
          recommended: figures(forecast.recommended),
          recommendedNodeClasses: forecast.recommendedPolicy.nodeClasses,
          ranking: forecast.ranking.map(({ name, figures: { workloads: _, readyAtSeconds: __, ...rest } }) => ({
            name,
            ...rest,
          })),
        }
      : null,
    caveats: caveats(replay),
  };
}

const withNames = ({ workloads, readyAtSeconds: _, ...rest }: Figures, named: HerdReplay["built"]["workloads"]) => ({
  ...rest,
  workloads: workloads.map(({ workload, ...figures }) => ({ workload: named[workload]?.owner ?? "", ...figures })),
});
