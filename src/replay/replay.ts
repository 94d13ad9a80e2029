/** Replays one herd of a recording: checks the model against it, and forecasts only where the model holds. */
import type { PacingPolicy } from "../policy/schema.ts";
import type { Herd } from "../recording/herd.ts";
import { type HerdScenario, scenarioOf, type ScenarioOptions } from "../recording/herd-scenario.ts";
import type { Recording } from "../recording/recording.ts";
import type { HerdTelemetry } from "../recording/herd-telemetry.ts";
import { runStrategy } from "../simulate/engine/run.ts";
import type { Strategy } from "../simulate/engine/strategy.ts";
import { scenarioFrom } from "../simulate/scenario/parse.ts";
import { type SelfCheck, selfCheck, TRUSTED_SHARE } from "./check.ts";
import { type Figures, meanFigures, recordedFigures, simulatedFigures } from "./figures.ts";
import { candidates, type Recommended } from "./recommend.ts";
import { missingParts } from "./refusal.ts";
import { remedies, type ScenarioFile, unknowns } from "./variants.ts";

export interface ReplayOptions extends ScenarioOptions {
  /** What a Prometheus recorded of this herd; its disks are the scenario's, as far as nothing is given. */
  readonly telemetry?: HerdTelemetry | undefined;
  /** Instead of every default with the kubelets' own pull budget. */
  readonly policy?: PacingPolicy | undefined;
  /** Seeds of chance; by default more of them where runs are cheap. */
  readonly seeds?: readonly number[] | undefined;
  /** Told before each simulation. */
  readonly tell?: ((what: string) => void) | undefined;
}

export interface Remedy {
  readonly name: string;
  readonly figures: Figures;
}

/** How the model's figures move when one unknown is other than assumed. */
export interface Sensitivity extends Remedy {
  /** Largest change of all Ready or the mean, as a share. */
  readonly moves: number;
  /** The model would then be within its bound of what was recorded. */
  readonly wouldFit: boolean;
}

export interface Forecast {
  /** With the policy that was given, or every default. */
  readonly given: Figures;
  readonly recommended: Figures;
  readonly recommendedPolicy: Recommended;
  /** Paceline and what else could be done, the best first. */
  readonly ranking: readonly Remedy[];
}

export interface HerdReplay {
  readonly herd: Herd;
  readonly built: HerdScenario;
  readonly recorded: Figures;
  /** Undefined: no Prometheus was asked. */
  readonly telemetry: HerdTelemetry | undefined;
  /** Why there is no forecast, one sentence each; empty: there is one. */
  readonly reasons: readonly string[];
  /** Of the strategy `none`; undefined where something that it needs was not read. */
  readonly model: Figures | undefined;
  readonly check: SelfCheck | undefined;
  /** What matters most first; empty where the model holds. */
  readonly sensitivity: readonly Sensitivity[];
  readonly forecast: Forecast | undefined;
}

/** Runs that differ by chance alone: more of them where they are cheap. */
const seedsFor = (pods: number) => (pods <= 300 ? [1, 2, 3] : pods <= 1_000 ? [1, 2] : [1]);

/** Never throws for what a recording holds. */
export async function replayHerd(herd: Herd, recording: Recording, options: ReplayOptions): Promise<HerdReplay> {
  const { telemetry } = options;
  const built = scenarioOf(herd, recording, { ...options, measured: options.measured ?? telemetry?.disks });
  const recorded = recordedFigures(herd, built);
  const base = {
    herd,
    built,
    recorded,
    telemetry,
    model: undefined,
    check: undefined,
    sensitivity: [],
    forecast: undefined,
  };
  const missing = missingParts(herd, built);
  if (missing.length > 0) return { ...base, reasons: missing };
  const runs = new Runs(herd, built, options);
  const model = await runs.figures("nothing held", built.file, { kind: "none" });
  const check = selfCheck(recorded, model);
  if (!check.isTrusted) {
    const sensitivity = await sensitivityOf(runs, built.file, recorded, model);
    return { ...base, model, check, sensitivity, reasons: [distrust(check)] };
  }
  return { ...base, model, check, reasons: [], forecast: await forecastOf(runs, built, model, options) };
}

const distrust = ({ off, lostShare }: SelfCheck) =>
  off <= TRUSTED_SHARE
    ? `in the model ${Math.round(lostShare * 100)} % of the pods find no place, so its forecast is not to be trusted`
    : `the model is ${Number.isFinite(off) ? `${Math.round(off * 100)} %` : "far"} off for this herd, so its forecast is not to be trusted`;

class Runs {
  readonly #herd: Herd;
  readonly #built: HerdScenario;
  readonly #options: ReplayOptions;

  constructor(herd: Herd, built: HerdScenario, options: ReplayOptions) {
    this.#herd = herd;
    this.#built = built;
    this.#options = options;
  }

  /** @throws Error for a scenario that does not parse: a mistake in the building of it */
  async figures(name: string, file: ScenarioFile, strategy: Strategy): Promise<Figures> {
    // Paceline sees in the model what its policy lets it see.
    const isBlind = strategy.kind === "paceline" && strategy.policy.telemetry.source === "none";
    const parsed = scenarioFrom(isBlind ? { ...file, telemetry: "none" } : file);
    if (!parsed.ok) throw new Error(`the rebuilt herd is no scenario: ${parsed.errors[0]?.message ?? ""}`);
    const { scenario } = parsed;
    const all: Figures[] = [];
    for (const seed of this.#options.seeds ?? seedsFor(this.#herd.pods.length)) {
      this.#options.tell?.(name);
      await nextTurn();
      const series = strategy.kind === "none" && this.#options.telemetry !== undefined;
      const run = runStrategy({ scenario, strategy, seed, podTimes: true, series });
      all.push(simulatedFigures(run, scenario, this.#herd, this.#built));
    }
    return meanFigures(all);
  }

  /** The policy that was given, or the scenario's: every default, and the kubelets' own pull budget. */
  policyOf(file: ScenarioFile): PacingPolicy {
    const parsed = scenarioFrom(file);
    if (!parsed.ok) throw new Error(`the rebuilt herd is no scenario: ${parsed.errors[0]?.message ?? ""}`);
    return this.#options.policy ?? parsed.policy;
  }
}

/** A simulation keeps its thread busy: progress is drawn between two. */
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function sensitivityOf(
  runs: Runs,
  file: ScenarioFile,
  recorded: Figures,
  model: Figures,
): Promise<readonly Sensitivity[]> {
  const tried: Sensitivity[] = [];
  for (const { name, change } of unknowns) {
    const figures = await runs.figures(name, change(file), { kind: "none" });
    const move = (of: (one: Figures) => number) => Math.abs(of(figures) / Math.max(1e-3, of(model)) - 1);
    const moves = Math.max(
      move((one) => one.allReadySeconds),
      move((one) => one.meanReadySeconds),
    );
    tried.push({ name, figures, moves, wouldFit: selfCheck(recorded, figures).isTrusted });
  }
  return tried.sort((a, b) => Number(b.wouldFit) - Number(a.wouldFit) || b.moves - a.moves);
}

async function forecastOf(
  runs: Runs,
  { file, nodes }: HerdScenario,
  none: Figures,
  options: ReplayOptions,
): Promise<Forecast> {
  const paceline = (policy: PacingPolicy) => ({ kind: "paceline", policy }) as const;
  const given = await runs.figures("Paceline", file, paceline(runs.policyOf(file)));
  const tried: { readonly figures: Figures; readonly recommended: Recommended }[] = [];
  for (const recommended of candidates(file, nodes)) {
    const name = `Paceline with ${recommended.words}`;
    tried.push({ recommended, figures: await runs.figures(name, file, paceline(recommended.policy)) });
  }
  const best = tried.sort((a, b) => byWorth(a.figures, b.figures))[0] ?? {
    figures: given,
    recommended: { words: "every default", nodeClasses: [], policy: runs.policyOf(file) },
  };
  const ranking: Remedy[] = [
    { name: "nothing", figures: none },
    { name: options.policy ? "Paceline, the given policy" : "Paceline, every default", figures: given },
    { name: "Paceline, the recommended policy", figures: best.figures },
  ];
  for (const { name, change } of remedies) {
    const changed = change(file);
    if (JSON.stringify(changed) === JSON.stringify(file)) continue;
    ranking.push({ name, figures: await runs.figures(name, changed, { kind: "none" }) });
    const both = `Paceline and ${name}`;
    // A policy states the kubelets' pull budget: it changes with it.
    const policy = options.policy ?? runs.policyOf(changed);
    ranking.push({ name: both, figures: await runs.figures(both, changed, paceline(policy)) });
  }
  return {
    given,
    recommended: best.figures,
    recommendedPolicy: best.recommended,
    ranking: ranking.sort((a, b) => byHelp(a.figures, b.figures)),
  };
}

/** Every pod Ready, then no failed starts before some, for how many is chance, then the shortest mean time to Ready. */
const byHelp = (a: Figures, b: Figures) =>
  a.notReady - b.notReady ||
  Number(a.failedStarts > 0) - Number(b.failedStarts > 0) ||
  a.meanReadySeconds - b.meanReadySeconds;

/** Every pod Ready, then fewest failed starts, then the shortest mean time to Ready. */
const byWorth = (a: Figures, b: Figures) =>
  a.notReady - b.notReady || a.failedStarts - b.failedStarts || a.meanReadySeconds - b.meanReadySeconds;
