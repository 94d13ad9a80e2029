/** Chooses the images under a budget whose presence lowers the simulated mean time to Ready the most. */
import type { Scenario } from "../simulate/scenario/schema.ts";
import { runStrategy } from "../simulate/engine/run.ts";
import type { Strategy, StrategyRun } from "../simulate/engine/strategy.ts";
import type { PrewarmImage } from "./formats/prewarm-list.ts";

/** A herd that can be simulated with images on its young nodes. */
export interface WarmableHerd {
  readonly scenario: Scenario;
  /** Which of `scenario.nodes` are young nodes of the class. */
  readonly young: ReadonlySet<number>;
  /** Full names of the scenario's images, by its own names. */
  readonly fullNames: ReadonlyMap<string, string>;
  /** What a run came to; its own summary where nothing else is wanted. */
  readonly measure?: (run: StrategyRun, scenario: Scenario) => SimulatedFigures;
}

export interface SimulatedFigures {
  readonly meanReadySeconds: number;
  readonly allReadySeconds: number;
  readonly failedStarts: number;
}

export interface ChooseOptions {
  /** Of all chosen images together, as kubelets list them. */
  readonly budgetBytes: number;
  /** Pods simulated at most, over all runs: bounds the time. */
  readonly mostPodRuns?: number | undefined;
  /** Told after each simulated set of images. */
  readonly tell?: ((tried: number) => void) | undefined;
}

export interface Choice {
  /** In the order of the candidates. */
  readonly images: readonly PrewarmImage[];
  /** Sets of images that were simulated. */
  readonly tried: number;
  /** `everySet`: each set within the budget. `allFit`: all images fit into it. `someSets`: there were too many. */
  readonly how: "everySet" | "allFit" | "someSets";
}

/** About a quarter of a minute on a core: measured, a pod of a herd of 141 with 36 images takes 0.1 ms. */
const MOST_POD_RUNS = 150_000;
/** Runs of each herd that differ by chance alone, so that one chance does not choose. */
const SEEDS = [1, 2];
/** Candidates that are simulated, of those that weigh the most. */
const MOST_CANDIDATES = 24;
/** So many images at most are told apart, though all of them fit: some may save nothing. */
const MOST_ALL_TRIED = 6;
/** A set must be better by this share of the mean, or the smaller one is taken. */
const NOTICEABLE = 1e-4;

/** @param candidates what weighs the most first. Deterministic. */
export async function choose(
  candidates: readonly PrewarmImage[],
  herds: readonly WarmableHerd[],
  options: ChooseOptions,
): Promise<Choice> {
  const { budgetBytes, mostPodRuns = MOST_POD_RUNS } = options;
  const affordable = candidates.filter(({ bytes }) => bytes <= budgetBytes);
  const fitting = affordable.slice(0, MOST_CANDIDATES);
  // Where all of them fit, there is nothing to weigh: no image that is there makes a start slower.
  if (affordable.length > MOST_ALL_TRIED && bytesOf(affordable) <= budgetBytes)
    return { images: affordable, tried: 0, how: "allFit" };
  const pods = Math.max(1, herds.reduce((sum, { scenario }) => sum + podsOf(scenario), 0) * SEEDS.length);
  const mostSets = Math.max(fitting.length + 1, Math.floor(mostPodRuns / pods));
  const trial = new Trial(herds, options);
  const all = affordable.length > fitting.length ? undefined : setsWithin(fitting, budgetBytes, mostSets);
  const best = all === undefined ? await climb(fitting, trial, budgetBytes, mostSets) : await bestOf(all, trial);
  // Where every set was tried, what is not in the best one saves nothing.
  const chosen = new Set(all === undefined ? filledUp(best, affordable, budgetBytes) : best);
  return {
    images: candidates.filter((image) => chosen.has(image)),
    tried: trial.tried,
    how: all === undefined ? "someSets" : "everySet",
  };
}

/** The room that is left goes to what weighs the most of the others, as far as it fits, simulated or not. */
function filledUp(chosen: ImageSet, candidates: ImageSet, budgetBytes: number): ImageSet {
  const all = [...chosen];
  for (const image of candidates)
    if (!all.includes(image) && bytesOf(all) + image.bytes <= budgetBytes) all.push(image);
  return all;
}

/** The scenario with these images on the herd's young nodes. */
export function withPresent({ scenario, young, fullNames }: WarmableHerd, images: ReadonlySet<string>): Scenario {
  const names = [...fullNames].flatMap(([own, full]) => (images.has(full) ? [own] : []));
  const nodes = scenario.nodes.map((node, at) =>
    young.has(at) ? { ...node, present: [...new Set([...node.present, ...names])] } : node,
  );
  return { ...scenario, nodes };
}

/** The figures of a herd with these images, averaged over chance. */
export function simulated(herd: WarmableHerd, images: ReadonlySet<string>, strategy: Strategy): SimulatedFigures {
  const { measure = summary } = herd;
  const scenario = withPresent(herd, images);
  return meanOf(SEEDS.map((seed) => measure(runStrategy({ scenario, strategy, seed, podTimes: true }), scenario)));
}

/** The mean of each figure; zeros where there is none. */
export function meanOf(all: readonly SimulatedFigures[]): SimulatedFigures {
  const mean = (of: (figures: SimulatedFigures) => number) =>
    all.reduce((sum, figures) => sum + of(figures), 0) / Math.max(1, all.length);
  return {
    meanReadySeconds: mean((one) => one.meanReadySeconds),
    allReadySeconds: mean((one) => one.allReadySeconds),
    failedStarts: mean((one) => one.failedStarts),
  };
}

const summary = ({ result }: StrategyRun): SimulatedFigures => ({
  meanReadySeconds: result.meanReadySeconds,
  allReadySeconds: result.makespanSeconds,
  failedStarts: result.startErrors,
});

const podsOf = ({ workloads, nodes }: Scenario) => {
  const hosts = nodes.reduce((sum, { count }) => sum + count, 0);
  return workloads.reduce((sum, { kind, replicas }) => sum + (kind === "DaemonSet" ? hosts : (replicas ?? 1)), 0);
};

type ImageSet = readonly PrewarmImage[];

const bytesOf = (images: ImageSet) => images.reduce((sum, { bytes }) => sum + bytes, 0);

/** All sets within the budget; undefined when there are more than `most`. */
function setsWithin(images: ImageSet, budgetBytes: number, most: number): ImageSet[] | undefined {
  let sets: ImageSet[] = [[]];
  for (const image of images) {
    sets = [...sets, ...sets.filter((set) => bytesOf(set) + image.bytes <= budgetBytes).map((set) => [...set, image])];
    if (sets.length > most) return undefined;
  }
  return sets;
}

/** Simulates sets of images, each once. */
class Trial {
  readonly #herds: readonly WarmableHerd[];
  readonly #options: ChooseOptions;
  readonly #known = new Map<string, number>();

  constructor(herds: readonly WarmableHerd[], options: ChooseOptions) {
    this.#herds = herds;
    this.#options = options;
  }

  get tried(): number {
    return this.#known.size;
  }

  /** Mean of the herds' mean seconds to Ready. */
  async mean(images: ImageSet): Promise<number> {
    const refs = images.map(({ ref }) => ref).sort();
    const key = refs.join(" ");
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    // A simulation keeps its thread busy: progress is drawn between two.
    await new Promise((resolve) => setImmediate(resolve));
    const set = new Set(refs);
    const mean = meanOf(this.#herds.map((herd) => simulated(herd, set, { kind: "none" }))).meanReadySeconds;
    this.#known.set(key, mean);
    this.#options.tell?.(this.tried);
    return mean;
  }
}

async function bestOf(sets: readonly ImageSet[], trial: Trial): Promise<ImageSet> {
  let best: ImageSet = [];
  let least = await trial.mean(best);
  for (const set of [...sets].sort((a, b) => bytesOf(a) - bytesOf(b))) {
    const mean = await trial.mean(set);
    if (mean < least * (1 - NOTICEABLE)) [best, least] = [set, mean];
  }
  return best;
}

/**
 * Three sets to begin with: what weighs the most; the image that saves the most for its bytes, again and again; the
 * same by seconds alone, since a large image may be worth more than the small ones that keep it out. In a large herd
 * few sets can be tried, and each is filled up by weight. The best of them is improved by exchanges.
 */
async function climb(images: ImageSet, trial: Trial, budgetBytes: number, mostSets: number): Promise<ImageSet> {
  const limits: Limits = { images, trial, budgetBytes, mostSets };
  let best = filledUp([], images, budgetBytes);
  let least = await trial.mean(best);
  for (const value of [byBytes, bySeconds]) {
    const set = filledUp(await greedy(limits, value), images, budgetBytes);
    const mean = await trial.mean(set);
    if (mean < least * (1 - NOTICEABLE)) [best, least] = [set, mean];
  }
  return exchanged(limits, best);
}

const byBytes = (gainSeconds: number, { bytes }: PrewarmImage) => gainSeconds / Math.max(1, bytes);
const bySeconds = (gainSeconds: number) => gainSeconds;

interface Limits {
  readonly images: ImageSet;
  readonly trial: Trial;
  readonly budgetBytes: number;
  readonly mostSets: number;
}

async function greedy(
  { images, trial, budgetBytes, mostSets }: Limits,
  value: (gainSeconds: number, image: PrewarmImage) => number,
): Promise<ImageSet> {
  let chosen: ImageSet = [];
  let least = await trial.mean(chosen);
  for (;;) {
    const room = budgetBytes - bytesOf(chosen);
    let next: { readonly set: ImageSet; readonly mean: number; readonly value: number } | undefined;
    for (const image of images) {
      if (chosen.includes(image) || image.bytes > room || trial.tried >= mostSets) continue;
      const set = [...chosen, image];
      const mean = await trial.mean(set);
      const worth = value(least - mean, image);
      if (mean < least * (1 - NOTICEABLE) && worth > (next?.value ?? 0)) next = { set, mean, value: worth };
    }
    if (next === undefined) return chosen;
    [chosen, least] = [next.set, next.mean];
  }
}

/** Adds an image, or puts one in another's place, as long as that is better. */
async function exchanged({ images, trial, budgetBytes, mostSets }: Limits, start: ImageSet): Promise<ImageSet> {
  let best = start;
  let least = await trial.mean(best);
  for (let isBetter = true; isBetter;) {
    isBetter = false;
    const others = images.filter((image) => !best.includes(image));
    const neighbours = others.flatMap((image) => [
      [...best, image],
      ...best.map((out) => [...best.filter((one) => one !== out), image]),
    ]);
    for (const set of neighbours) {
      if (bytesOf(set) > budgetBytes || trial.tried >= mostSets) continue;
      const mean = await trial.mean(set);
      if (mean >= least * (1 - NOTICEABLE)) continue;
      [best, least, isBetter] = [set, mean, true];
      break;
    }
  }
  return best;
}
