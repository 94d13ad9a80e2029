/**
 * `npm run bench:autoscalers`: how many nodes Karpenter and Cluster Autoscaler launch for a herd, by lever, with and
 * without Paceline. Both are real programs, as are control plane and service; nodes are modelled. Exit 1 when a lever
 * makes more nodes than there are without it, 2 for wrong flags. docs/autoscalers.md has the figures.
 */
import { clusterAutoscalerProgram } from "../dev/autoscalers/cluster-autoscaler.ts";
import { withProgress } from "../src/cli/progress.ts";
import {
  type Autoscaler,
  fiftyNodes,
  autoscalers,
  type Levers,
  levers,
  run,
  type RunOptions,
  type RunResult,
} from "./autoscalers/run.ts";
import { chosenOf, flagsOf } from "./flags.ts";

/** Which settings are compared; each is compared with `none` under the same settings. */
interface Case {
  readonly name: string;
  readonly settings: Omit<RunOptions, "autoscaler" | "levers">;
  readonly levers: readonly Levers[];
  readonly only?: Autoscaler;
  /** More nodes than without are no failure of the bench: nothing that Paceline could change. */
  readonly mayMakeMore?: true;
}

const cases: readonly Case[] = [
  { name: "afterwards", settings: {}, levers },
  { name: "meanwhile", settings: { secondWave: "meanwhile" }, levers: ["none", "all"] },
  { name: "consolidate-0s", settings: { consolidateAfter: "0s" }, levers: ["none", "all"], only: "karpenter" },
  { name: "fence-not-named", settings: { namesFence: false }, levers: ["none", "fence"], only: "karpenter" },
  { name: "restart", settings: { restarts: true }, levers: ["none", "all"], mayMakeMore: true },
  { name: "fifty", settings: { secondWave: "meanwhile", herd: fiftyNodes }, levers: ["none", "all"] },
];

const values = flagsOf({ autoscaler: { type: "string" }, case: { type: "string" }, levers: { type: "string" } });

const heads = ["autoscaler", "case", "levers", "first wave", "all", "removed", "demand, s", "all Ready, s"];
const cell = (text: string | number) => String(text).padEnd(20);
const show = (values: readonly (string | number)[]) => console.log(values.map(cell).join("").trimEnd());

show(heads);
let hasMore = false;
for (const autoscaler of chosenOf("autoscaler", autoscalers, values.autoscaler)) {
  if (autoscaler === "cluster-autoscaler" && clusterAutoscalerProgram() === undefined) {
    console.log("cluster-autoscaler: left out, CLUSTER_AUTOSCALER names no program");
    continue;
  }
  const names = chosenOf(
    "case",
    cases.map(({ name }) => name),
    values.case,
  );
  for (const one of cases) {
    if (!names.includes(one.name) || (one.only ?? autoscaler) !== autoscaler) continue;
    let without: RunResult | undefined;
    for (const on of one.levers) {
      if (values.levers !== undefined && values.levers !== on) continue;
      const title = `${autoscaler}, ${one.name}, ${on}`;
      const result = await withProgress(title, () => run({ ...one.settings, autoscaler, levers: on }));
      const { firstNodes, allNodes, removedNodes, demandSeconds, readySeconds } = result;
      show([
        autoscaler,
        one.name,
        on,
        firstNodes,
        allNodes,
        removedNodes,
        demandSeconds.toFixed(1),
        readySeconds.toFixed(0),
      ]);
      if (on === "none") without = result;
      if (without && allNodes > without.allNodes && one.mayMakeMore !== true) hasMore = true;
    }
  }
}
process.exitCode = hasMore ? 1 : 0;
