/** Which images should young nodes have before they take pods? From a recording, class by class. */
import type { PacingPolicy } from "../policy/schema.ts";
import { type Herd, herdsOf, largestHerds } from "../recording/herd.ts";
import { scenarioOf, type ScenarioOptions } from "../recording/herd-scenario.ts";
import { listedSizes, type ListedSizes } from "../recording/runtimes.ts";
import type { Recording } from "../recording/recording.ts";
import { selfCheck } from "../replay/check.ts";
import { recordedFigures, simulatedFigures } from "../replay/figures.ts";
import { missingParts } from "../replay/refusal.ts";
import { runStrategy } from "../simulate/engine/run.ts";
import { scenarioFrom } from "../simulate/scenario/parse.ts";
import { type Choice, choose, meanOf, simulated, type SimulatedFigures, type WarmableHerd } from "./choose.ts";
import { type ClassDemand, demandOf, type ImageDemand } from "./demand.ts";
import { isReference, type PrewarmImage } from "./formats/prewarm-list.ts";

export interface PrewarmOptions extends ScenarioOptions {
  /** Of a node's images together, as kubelets list them. */
  readonly budgetBytes: number;
  /** Only this instance type. */
  readonly className?: string | undefined;
  /** For the forecast with Paceline; the scenario's default otherwise. */
  readonly policy?: PacingPolicy | undefined;
  /** Told before and between simulations. */
  readonly tell?: ((what: string) => void) | undefined;
}

export interface ChosenImage extends PrewarmImage {
  readonly demand: ImageDemand;
}

/** Why an image that was fetched is not chosen. */
export type LeftOut = "unknownSize" | "noReference" | "largerThanBudget" | "savesLess";

/** A herd's figures, or the mean of several herds'. */
export interface Forecast {
  readonly asRecorded: SimulatedFigures;
  readonly prewarmed: SimulatedFigures;
  readonly paceline: SimulatedFigures;
  readonly prewarmedWithPaceline: SimulatedFigures;
}

export interface ClassPrewarm {
  readonly className: string;
  /** Young nodes that took pods. */
  readonly nodes: number;
  /** What these nodes run, without versions. */
  readonly runtimes: readonly string[];
  readonly sizes: ListedSizes;
  /** What weighs the most first. */
  readonly chosen: readonly ChosenImage[];
  readonly leftOut: readonly { readonly demand: ImageDemand; readonly why: LeftOut }[];
  /** Undefined: nothing could be simulated, and {@link reasons} say why; the choice is by what was counted alone. */
  readonly forecast:
    | {
        readonly firstHerd: Forecast;
        readonly meanOfHerds: Forecast;
        readonly herds: number;
        readonly setsTried: number;
        readonly how: Choice["how"];
      }
    | undefined;
  /** Why herds of the class were not simulated, one sentence each. */
  readonly reasons: readonly string[];
}

/** The classes with young nodes, the one with the most first. Never throws for what a recording holds. */
export async function prewarm(recording: Recording, options: PrewarmOptions): Promise<readonly ClassPrewarm[]> {
  const classes = demandOf(recording).filter(
    ({ className }) => options.className === undefined || className === options.className,
  );
  const herds = classes.length > 0 ? herdsOf(recording) : [];
  const all: ClassPrewarm[] = [];
  for (const one of classes) all.push(await prewarmClass(one, herds, recording, options));
  return all;
}

async function prewarmClass(
  demand: ClassDemand,
  herds: readonly Herd[],
  recording: Recording,
  options: PrewarmOptions,
): Promise<ClassPrewarm> {
  const { className, nodes, runtimes } = demand;
  const { candidates, leftOut } = candidatesOf(demand, options.budgetBytes);
  const ofClass = herds.filter((herd) => herd.nodes.some((node) => node.instanceType === className));
  const built = largestHerds(ofClass).map((herd) => warmable(herd, className, recording, options));
  const trusted = built.flatMap(({ trusted: one }) => one ?? []);
  const noHerd = ofClass.length === 0 ? ["no herd of five pods or more came to these nodes"] : [];
  const reasons = [...new Set([...noHerd, ...built.flatMap((one) => one.reasons)])];
  const base = { className, nodes, runtimes, sizes: listedSizes(runtimes), reasons };
  if (trusted.length === 0) {
    const chosen = byCount(candidates, options.budgetBytes);
    return { ...base, chosen, leftOut: [...leftOut, ...rest(candidates, chosen)], forecast: undefined };
  }
  const choice = await choose(candidates, trusted, {
    budgetBytes: options.budgetBytes,
    tell: (tried) => options.tell?.(`${className === "" ? "" : `${className}, `}${tried} sets of images simulated`),
  });
  const refs = new Set(choice.images.map(({ ref }) => ref));
  const chosen = candidates.filter(({ ref }) => refs.has(ref));
  const forecasts = trusted.map((herd) => forecastOf(herd, refs));
  const [firstHerd] = forecasts;
  return {
    ...base,
    chosen,
    leftOut: [...leftOut, ...rest(candidates, chosen)],
    forecast: firstHerd && {
      ...{ firstHerd, meanOfHerds: meanForecast(forecasts), herds: forecasts.length },
      ...{ setsTried: choice.tried, how: choice.how },
    },
  };
}

type TrustedHerd = WarmableHerd & { readonly policy: PacingPolicy };

/** The herd as a scenario, where the model gives what was recorded; else why not. */
function warmable(
  herd: Herd,
  className: string,
  recording: Recording,
  options: PrewarmOptions,
): { readonly trusted?: TrustedHerd; readonly reasons: readonly string[] } {
  const built = scenarioOf(herd, recording, options);
  const missing = missingParts(herd, built);
  if (missing.length > 0) return { reasons: missing };
  const parsed = scenarioFrom(built.file);
  if (!parsed.ok) return { reasons: ["a herd does not fit into a scenario, so it is not simulated"] };
  const { scenario } = parsed;
  const own = new Set(herd.nodes.filter((node) => node.instanceType === className).map(({ name }) => name));
  const trusted: TrustedHerd = {
    scenario,
    young: new Set(built.nodes.flatMap(({ name }, at) => (own.has(name) ? [at] : []))),
    fullNames: built.images,
    measure: (run, warmed) => simulatedFigures(run, warmed, herd, built),
    policy: options.policy ?? parsed.policy,
  };
  options.tell?.("checking the model against what was recorded");
  const run = runStrategy({ scenario, strategy: { kind: "none" }, seed: 1, podTimes: true });
  const { off, isTrusted } = selfCheck(recordedFigures(herd, built), simulatedFigures(run, scenario, herd, built));
  if (isTrusted) return { trusted, reasons: [] };
  const far = Number.isFinite(off) ? `${Math.round(off * 100)} %` : "far";
  return { reasons: [`the model is ${far} off for a herd (paceline replay says more), so it is not simulated`] };
}

interface Candidates {
  readonly candidates: readonly ChosenImage[];
  readonly leftOut: ClassPrewarm["leftOut"];
}

function candidatesOf({ images }: ClassDemand, budgetBytes: number): Candidates {
  const candidates: ChosenImage[] = [];
  const leftOut: { demand: ImageDemand; why: LeftOut }[] = [];
  for (const demand of images) {
    const { ref, digest, bytes } = demand;
    if (!isReference(ref)) leftOut.push({ demand, why: "noReference" });
    else if (bytes === undefined || bytes <= 0) leftOut.push({ demand, why: "unknownSize" });
    else if (bytes > budgetBytes) leftOut.push({ demand, why: "largerThanBudget" });
    else candidates.push({ ref, digest, bytes, demand });
  }
  return { candidates, leftOut };
}

const rest = (candidates: readonly ChosenImage[], chosen: readonly ChosenImage[]): ClassPrewarm["leftOut"] =>
  candidates.filter((one) => !chosen.includes(one)).map(({ demand }) => ({ demand, why: "savesLess" as const }));

/** Without a simulation: what saves the most pods a fetch for its bytes, as long as there is room. */
function byCount(candidates: readonly ChosenImage[], budgetBytes: number): readonly ChosenImage[] {
  const perByte = ({ demand: { nodes, podsWaited } }: ChosenImage) => nodes * Math.max(1, podsWaited);
  const chosen = new Set<ChosenImage>();
  let room = budgetBytes;
  for (const one of [...candidates].sort((a, b) => perByte(b) - perByte(a) || b.bytes - a.bytes)) {
    if (one.bytes > room) continue;
    chosen.add(one);
    room -= one.bytes;
  }
  return candidates.filter((one) => chosen.has(one));
}

function forecastOf(herd: TrustedHerd, refs: ReadonlySet<string>): Forecast {
  const none = { kind: "none" } as const;
  const paceline = { kind: "paceline", policy: herd.policy } as const;
  const nothing: ReadonlySet<string> = new Set();
  return {
    asRecorded: simulated(herd, nothing, none),
    prewarmed: simulated(herd, refs, none),
    paceline: simulated(herd, nothing, paceline),
    prewarmedWithPaceline: simulated(herd, refs, paceline),
  };
}

const meanForecast = (all: readonly Forecast[]): Forecast => ({
  asRecorded: meanOf(all.map((one) => one.asRecorded)),
  prewarmed: meanOf(all.map((one) => one.prewarmed)),
  paceline: meanOf(all.map((one) => one.paceline)),
  prewarmedWithPaceline: meanOf(all.map((one) => one.prewarmedWithPaceline)),
});
