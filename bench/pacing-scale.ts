/**
 * `npm run bench:pacing -- --scale`: measures the simulator on large clusters. 500 nodes with 20,000 pods (the built-in
 * scenario nodes-500), and 5,000 nodes with 200,000 pods (the same, ten of each), every strategy. Prints time and
 * memory of the whole process, threads included. Exit code 1 when a target is missed.
 */
import { parse, stringify } from "yaml";
import { compareInParallel } from "../src/simulate/engine/parallel.ts";
import { withProgress } from "./progress.ts";
import { aligned } from "../src/simulate/report/table.ts";
import { builtinText } from "../src/simulate/scenario/builtin.ts";
import { parseScenario } from "../src/simulate/scenario/parse.ts";

/** Seconds and MiB at most. */
const SIZES = [
  { times: 1, seconds: 30, mib: 2_048 },
  { times: 10, seconds: 300, mib: 2_048 },
] as const;

interface Counted {
  count?: number;
  replicas?: number;
  pods?: number;
}

/** The scenario with `times` as many nodes and replicas. The node that only lists images stays single. */
function multiplied(text: string, times: number): string {
  const scenario = parse(text) as { nodes: Counted[]; workloads: Counted[] };
  for (const nodes of scenario.nodes) if (nodes.pods !== 0) nodes.count = times * (nodes.count ?? 1);
  for (const workload of scenario.workloads) workload.replicas = times * (workload.replicas ?? 1);
  return stringify(scenario);
}

/** Runs both sizes, the small one first: the peak of memory never falls. @returns whether every target is met */
export async function benchScale(): Promise<boolean> {
  const rows = [["nodes", "pods", "took s", "at most", "peak MiB", "at most", "÷ fixed", "failed"]];
  let met = true;
  for (const { times, seconds, mib } of SIZES) {
    const parsed = parseScenario(multiplied(builtinText("nodes-500") ?? "", times));
    if (!parsed.ok) throw new Error(parsed.errors.map(({ message }) => message).join("\n"));
    const beganMs = performance.now();
    const nodes = String(500 * times);
    const { comparison } = await withProgress(`${nodes} nodes`, (tell) =>
      compareInParallel({ name: `× ${times}`, ...parsed, seed: 1 }, (done, of) =>
        tell(`${done} of ${of} strategies have run`),
      ),
    );
    const took = (performance.now() - beganMs) / 1_000;
    const peak = process.resourceUsage().maxRSS / 1_024;
    met &&= took <= seconds && peak <= mib;
    const { paceline, "fixed:best": fixed } = comparison.strategies;
    rows.push([
      ...[nodes, String(paceline.pods), took.toFixed(1), String(seconds), peak.toFixed(0), String(mib)],
      ...[(paceline.makespanSeconds / fixed.makespanSeconds).toFixed(3), String(paceline.startErrors)],
    ]);
  }
  process.stdout.write(`${aligned(rows)}\n`);
  return met;
}
