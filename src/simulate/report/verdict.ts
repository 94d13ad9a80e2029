/** The verdict of a comparison, in plain words. */
import type { Comparison } from "../engine/compare.ts";

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

/** One or two sentences. */
export function verdictSentence({ strategies: { none, paceline, "fixed:best": fixed } }: Comparison): string {
  const unready = paceline.unreadyPods > 0 ? ` ${paceline.unreadyPods} pods never became Ready.` : "";
  return (
    `With Paceline all pods were Ready after ${paceline.makespanSeconds.toFixed(0)} s, ` +
    `${times(paceline.ratioToBound)} the least that ${boundWords[paceline.boundBy] ?? "the node needs"}, ` +
    `with ${starts(paceline.startErrors)}; all at once it took ${none.makespanSeconds.toFixed(0)} s, with ${starts(none.startErrors)}. ` +
    `A pod was Ready after ${paceline.meanReadySeconds.toFixed(0)} s on the mean, ` +
    `${times(paceline.meanReadySeconds / none.meanReadySeconds)} as long as all at once; ` +
    `the best constant concurrency, known in hindsight only (${fixed.n}), took ${fixed.makespanSeconds.toFixed(0)} s.${unready}`
  );
}
