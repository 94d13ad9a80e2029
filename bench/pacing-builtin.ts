/** Every built-in scenario, or herds by chance, under every strategy, and whether each target of pacing is met. */
import { type Comparison } from "../src/simulate/engine/compare.ts";
import { compareInParallel } from "../src/simulate/engine/parallel.ts";
import { aligned } from "../src/simulate/report/table.ts";
import { builtinNames, builtinText } from "../src/simulate/scenario/builtin.ts";
import { parseScenario } from "../src/simulate/scenario/parse.ts";
import { UnusableInput } from "./herds/herd.ts";
import { randomScenario } from "./pacing-random.ts";
import { missedTargets, type ScenarioKind, targetFigures } from "./pacing-targets.ts";
import { withProgress } from "./progress.ts";

export interface BuiltinOptions {
  /** Scenarios to run. */
  readonly names: readonly string[];
  readonly seeds: number;
  /** So many herds by chance are run as well; only they, if no names are given. */
  readonly random: number | undefined;
}

const HEAD = [
  ...["scenario", "seed", "bound s", "none s", "failed", "fixed s (n)", "paceline s", "÷ bound", "÷ none", "failed"],
  ...["mean ÷ none", "hold s", "took s", "missed"],
];
const TARGETS =
  "Targets: 0 failed starts; ÷ bound ≤ 1.10 (≤ 1.25 without telemetry); all Ready ÷ none ≤ 1.05; " +
  "mean ÷ none ≤ 0.70 where images differ in size or are shared, else ≤ 1.";

/** @returns whether every target is met */
export async function benchBuiltin(options: BuiltinOptions): Promise<boolean> {
  const rows: string[][] = [];
  let missed = 0;
  for (const [name, text] of asked(options)) {
    for (let seed = 1; seed <= options.seeds; seed += 1) {
      const { row, misses } = await rowOf(name, text, seed);
      rows.push(row);
      missed += misses;
    }
  }
  process.stdout.write(`${aligned([HEAD, ...rows])}\n\n${TARGETS}\n`);
  process.stdout.write(missed === 0 ? "Every target is met.\n" : `${missed} targets are missed.\n`);
  return missed === 0;
}

/** Name and text of every chosen scenario. */
function asked({ names, random }: BuiltinOptions): readonly (readonly [name: string, text: string])[] {
  const builtin = names.length > 0 || random !== undefined ? names : builtinNames();
  const byChance = Array.from({ length: random ?? 0 }, (_, at) => at + 1);
  return [
    ...builtin.map((name) => [name, textOf(name)] as const),
    ...byChance.map((seed) => [`random-${seed}`, randomScenario(seed)] as const),
  ];
}

function textOf(name: string): string {
  const text = builtinText(name);
  if (text === undefined)
    throw new UnusableInput(`no built-in scenario ${name}; there are ${builtinNames().join(", ")}`);
  return text;
}

async function rowOf(name: string, text: string, seed: number): Promise<{ row: string[]; misses: number }> {
  const beganMs = performance.now();
  const { comparison, kind } = await compareOne(name, text, seed);
  const figures = targetFigures(comparison);
  const misses = missedTargets(figures, kind);
  const { none, paceline, "fixed:best": fixed } = comparison.strategies;
  const row = [
    ...[
      name,
      String(seed),
      paceline.boundSeconds.toFixed(1),
      none.makespanSeconds.toFixed(1),
      String(none.startErrors),
    ],
    ...[`${fixed.makespanSeconds.toFixed(1)} (${fixed.n})`, paceline.makespanSeconds.toFixed(1)],
    ...[figures.ratioToBound, figures.allReadyToNone].map((ratio) => ratio.toFixed(3)),
    ...[String(figures.startErrors), figures.meanToNone.toFixed(3), paceline.longestHoldSeconds.toFixed(0)],
    ...[((performance.now() - beganMs) / 1_000).toFixed(1), misses.join(", ") || "–"],
  ];
  return { row, misses: misses.length };
}

async function compareOne(
  name: string,
  text: string,
  seed: number,
): Promise<{ comparison: Comparison; kind: ScenarioKind }> {
  const parsed = parseScenario(text);
  if (!parsed.ok) throw new Error(parsed.errors.map(({ message }) => message).join("\n"));
  const { scenario, policy } = parsed;
  const sizes = new Set(scenario.images.map(({ mib }) => mib));
  const shared = scenario.workloads.some(({ replicas }) => (replicas ?? 1) > 1);
  const pulls = scenario.nodes.some(
    ({ pods, present }) => pods > 0 && scenario.images.some((image) => !present.includes(image.name)),
  );
  const { comparison } = await withProgress(`${name}, seed ${seed}`, (tell) =>
    compareInParallel({ name, scenario, policy, seed }, (done, of) => tell(`${done} of ${of} strategies have run`)),
  );
  const kind = { telemetry: scenario.telemetry !== "none", orderMatters: pulls && (sizes.size > 1 || shared) };
  return { comparison, kind };
}
