/** The verdict of a comparison, in plain words. */
import type { Comparison } from "../engine/compare.ts";
import type { StrategyResult } from "../engine/strategy.ts";

const times = (ratio: number) => `${ratio.toFixed(2)} ×`;
const starts = (count: number) =>
  count === 0 ? "no failed start" : count === 1 ? "1 failed start" : `${count} failed starts`;

/** Words for the resource that sets the bound. */
const boundWords: Readonly<Record<string, string>> = {
  disk: "the disk needs for its bytes",
  cpu: "the cores need for their work",
  registry: "the registry needs to deliver",
  pullQPS: "the kubelet's pull QPS allows",
  serialPulls: "pulling one image after another takes",
  longestPod: "the slowest pod needs alone",
};

/** Pods that no strategy can make Ready; "" if there are none. */
export function neverReadySentence({ neverReadyPods: count = 0 }: StrategyResult): string {
  if (count === 0) return "";
  const pods = count === 1 ? "1 pod" : `${count} pods`;
  return `${pods} can never become Ready, whatever the strategy (a Secret or a pod that it needs is missing).`;
}

/** One or two sentences. */
export function verdictSentence({ strategies: { none, paceline, "fixed:best": fixed } }: Comparison): string {
  const never = neverReadySentence(paceline);
  const others = never === "" ? "all pods" : "all other pods";
  const lost = paceline.unreadyPods - (paceline.neverReadyPods ?? 0);
  const unready = `${lost > 0 ? ` ${lost} pods never became Ready.` : ""}${never === "" ? "" : ` ${never}`}`;
  return (
    `With Paceline ${others} were Ready after ${paceline.makespanSeconds.toFixed(0)} s, ` +
    `${times(paceline.ratioToBound)} the least that ${boundWords[paceline.boundBy] ?? "the node needs"}, ` +
    `with ${starts(paceline.startErrors)}; all at once it took ${none.makespanSeconds.toFixed(0)} s, with ${starts(none.startErrors)}. ` +
    `A pod was Ready after ${paceline.meanReadySeconds.toFixed(0)} s on the mean, ` +
    `${times(paceline.meanReadySeconds / none.meanReadySeconds)} as long as all at once; ` +
    `the best constant concurrency, known in hindsight only (${fixed.n}), took ${fixed.makespanSeconds.toFixed(0)} s.${unready}`
  );
}
