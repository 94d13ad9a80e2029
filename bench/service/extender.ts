/** Measures kube-scheduler's questions in the handler: filter and prioritize over 500 of 5,000 nodes. */
import { podUID } from "../../src/core/ids.ts";
import { podFacts } from "../../src/kube/parse/facts.ts";
import type { ExtenderFilterResult } from "../../src/api/extender.ts";
import type { PodFacts } from "../../src/core/facts.ts";
import { nodeName } from "../../src/core/ids.ts";
import type { PacingPolicy } from "../../src/policy/schema.ts";
import { type Figure, percentile } from "../figures.ts";
import { type Tell, withProgress } from "../progress.ts";
import { benchApp, noteOf } from "./app.ts";
import { AGES, type Age, type LoadedPacer } from "./loaded-pacer.ts";
import { unboundPodObject, nodeNameAt } from "./objects.ts";

/** kube-scheduler looks at 10 % of 5,000 nodes, going round. */
const ASKED = 500;
const WARM_UP = 300;
const QUESTIONS = 2_000;
const P99_MS = 2;
/** An allowed pod is bound at once, and has started this many questions later. */
const STARTED_AFTER = 60;

type Bench = ReturnType<typeof benchApp>;

/** Figures for settled nodes, a mixture, and young nodes. */
export async function benchExtender(loaded: LoadedPacer, policy: PacingPolicy): Promise<Figure[]> {
  const bench = benchApp(loaded, policy);
  const figures: Figure[] = [];
  for (const age of AGES) figures.push(...(await askAbout(bench, loaded, age)));
  await bench.app.close();
  return figures;
}

function askAbout(bench: Bench, loaded: LoadedPacer, age: Age): Promise<Figure[]> {
  return withProgress(`extender, ${age.name}`, (tell) => ask(bench, loaded, { age, tell }));
}

async function ask(
  { app, takeTimes }: Bench,
  loaded: LoadedPacer,
  { age, tell }: { readonly age: Age; readonly tell: Tell },
): Promise<Figure[]> {
  loaded.setAge(age);
  const starting: PodFacts[] = [];
  const answerMs: number[] = [];
  let accepted = 0;
  for (let question = 0; question < WARM_UP + QUESTIONS; question += 1) {
    if (question % 200 === 0) loaded.sampleYoung();
    if (question === WARM_UP) for (const verb of ["filter", "prioritize"] as const) takeTimes(verb);
    const { pod, payload } = newQuestion(question, loaded);
    const beganMs = performance.now();
    const answer = await app.inject({ method: "POST", url: "/scheduler/filter", payload });
    answerMs.push(performance.now() - beganMs);
    const { NodeNames } = answer.json<ExtenderFilterResult>();
    accepted += NodeNames.length;
    await app.inject({ method: "POST", url: "/scheduler/prioritize", payload });
    bind(loaded, pod, NodeNames, starting);
    if (question % 100 === 0) tell(`${question} of ${WARM_UP + QUESTIONS} questions`);
  }
  const whole = `${(accepted / (WARM_UP + QUESTIONS)).toFixed(0)} of ${ASKED} nodes accepted; with JSON and routing p99 ${percentile(answerMs.slice(WARM_UP), 0.99).toFixed(1)} ms`;
  return [
    figureOf(`extender filter p99, ${age.name}`, takeTimes("filter"), whole),
    figureOf(`extender prioritize p99, ${age.name}`, takeTimes("prioritize"), ""),
  ];
}

function figureOf(what: string, times: readonly number[], more: string): Figure {
  const note = [noteOf(times), more].filter((part) => part !== "").join(", ");
  return {
    what,
    unit: "ms",
    measured: percentile(times, 0.99),
    budget: { kind: "at most", value: P99_MS },
    note,
  };
}

/** A new pod, and the next nodes in the scheduler's order. */
function newQuestion(question: number, { interner, size }: LoadedPacer) {
  const uid = `10000000-0000-4000-8000-${question.toString(16).padStart(12, "0")}`;
  const template = unboundPodObject(question * 17);
  const object = { ...template, metadata: { ...template.metadata, uid: `${uid}-${Date.now()}` } };
  const NodeNames = Array.from({ length: Math.min(ASKED, size.nodes) }, (_, at) =>
    nodeNameAt((question * ASKED + at) % size.nodes),
  );
  const pod = podFacts(object, interner, { createdAtMs: Date.now() });
  return { pod: { ...pod, uid: podUID(object.metadata.uid) }, payload: { Pod: object, Nodes: null, NodeNames } };
}

/** What the watch would bring next: the pod bound to one of the nodes, and an earlier one started. */
function bind(loaded: LoadedPacer, pod: PodFacts, accepted: readonly string[], starting: PodFacts[]): void {
  const [node] = accepted;
  if (node === undefined) return;
  const bound = { ...pod, node: nodeName(node), scheduledAtMs: Date.now() };
  loaded.upsert(bound);
  starting.push(bound);
  const earlier = starting.length > STARTED_AFTER ? starting.shift() : undefined;
  if (earlier) loaded.upsert({ ...earlier, containersStarted: true, ready: true });
}
