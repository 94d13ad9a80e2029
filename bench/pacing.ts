/**
 * `npm run bench:pacing`: every built-in scenario under every strategy, and whether each target of docs/simulate.md is
 * met. Exit code 1 when one is not. Names as arguments choose scenarios; `--seeds N` repeats each with seeds 1 to N;
 * `--random N` adds N herds by chance (pacing-random.ts); `--scale` measures the simulator itself on up to 5,000 nodes
 * instead (pacing-scale.ts).
 */
import { parseArgs } from "node:util";
import type { Comparison } from "../src/simulate/engine/compare.ts";
import { compareInParallel } from "../src/simulate/engine/parallel.ts";
import { aligned } from "../src/simulate/report/table.ts";
import { builtinNames, builtinText } from "../src/simulate/scenario/builtin.ts";
import { parseScenario } from "../src/simulate/scenario/parse.ts";
import { benchScale } from "./pacing-scale.ts";
import { randomScenario } from "./pacing-random.ts";
import { type Tell, withProgress } from "./progress.ts";
import { missedTargets, targetFigures } from "./pacing-targets.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: "string", default: "1" },
    random: { type: "string" },
    scale: { type: "boolean", default: false },
  },
});
if (values.scale) process.exit((await benchScale()) ? 0 : 1);

/** Name and text of every chosen scenario. */
function* asked(): Generator<readonly [name: string, text: string]> {
  const names = positionals.length > 0 || values.random !== undefined ? positionals : builtinNames();
  for (const name of names) yield [name, builtinText(name) ?? ""];
  for (let seed = 1; seed <= Number(values.random ?? 0); seed += 1) yield [`random-${seed}`, randomScenario(seed)];
}

interface Asked {
  readonly name: string;
  readonly text: string;
  readonly seed: number;
  readonly tell: Tell;
}

async function compareOne({
  name,
  text,
  seed,
  tell,
}: Asked): Promise<{ comparison: Comparison; telemetry: boolean; orderMatters: boolean }> {
  const parsed = parseScenario(text);
  if (!parsed.ok) throw new Error(parsed.errors.map(({ message }) => message).join("\n"));
  const { scenario, policy } = parsed;
  const sizes = new Set(scenario.images.map(({ mib }) => mib));
  const shared = scenario.workloads.some(({ replicas }) => (replicas ?? 1) > 1);
  const pulls = scenario.nodes.some(
    ({ pods, present }) => pods > 0 && scenario.images.some((image) => !present.includes(image.name)),
  );
  const { comparison } = await compareInParallel({ name, scenario, policy, seed }, (done, of) =>
    tell(`${done} of ${of} strategies have run`),
  );
  return { comparison, telemetry: scenario.telemetry !== "none", orderMatters: pulls && (sizes.size > 1 || shared) };
}

const head = [
  "scenario",
  "seed",
  "bound s",
  "none s",
  "failed",
  "fixed s (n)",
  "paceline s",
  "÷ bound",
  "÷ fixed",
  "failed",
  "mean ÷ none",
  "÷ shortest",
  "hold s",
  "took s",
  "missed",
];
const rows: string[][] = [];
let missed = 0;
for (const [name, text] of asked()) {
  for (let seed = 1; seed <= Number(values.seeds); seed += 1) {
    const beganMs = performance.now();
    const { comparison, telemetry, orderMatters } = await withProgress(`${name}, seed ${seed}`, (tell) =>
      compareOne({ name, text, seed, tell }),
    );
    const figures = targetFigures(comparison);
    const misses = missedTargets(figures, { telemetry, orderMatters });
    const { none, paceline, "fixed:best": fixed } = comparison.strategies;
    missed += misses.length;
    rows.push([
      ...[
        name,
        String(seed),
        paceline.boundSeconds.toFixed(1),
        none.makespanSeconds.toFixed(1),
        String(none.startErrors),
      ],
      ...[`${fixed.makespanSeconds.toFixed(1)} (${fixed.n})`, paceline.makespanSeconds.toFixed(1)],
      ...[figures.ratioToBound, figures.toFixed].map((ratio) => ratio.toFixed(3)),
      String(figures.startErrors),
      ...[figures.meanToNone, figures.meanToShortest].map((ratio) => ratio.toFixed(3)),
      paceline.longestHoldSeconds.toFixed(0),
      ((performance.now() - beganMs) / 1_000).toFixed(1),
      misses.join(", ") || "–",
    ]);
  }
}
process.stdout.write(`${aligned([head, ...rows])}\n\n`);
process.stdout.write(
  "Targets: 0 failed starts; ÷ bound ≤ 1.10 (≤ 1.25 without telemetry); ÷ fixed ≤ 1.02; mean ÷ none ≤ 0.70 where images differ in size or are shared, else ≤ 1; mean ÷ shortest-first ≤ 1.05.\n",
);
process.stdout.write(missed === 0 ? "Every target is met.\n" : `${missed} targets are missed.\n`);
process.exitCode = missed === 0 ? 0 : 1;
