/** What the core is told of a pod that waits: its status goes through the function that reads a real pod's. */
import { expect, test } from "vitest";
import { imageName } from "../../../../src/core/ids.ts";
import { Cluster } from "../../../../src/simulate/engine/cluster.ts";
import { noLever } from "../../../../src/simulate/engine/lever.ts";
import type { PodFacts, PodStartup } from "../../../../src/core/facts.ts";
import { parseScenario } from "../../../../src/simulate/scenario/parse.ts";

/** All states of the only pod, each once, as the core gets them with the changes that it is told of. */
function told(workload: string): readonly PodFacts[] {
  const parsed = parseScenario(
    `nodes: [{ present: [a, b] }]\nimages: [{ name: a, mib: 10 }, { name: b, mib: 10 }]\nworkloads: [${workload}]`,
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const facts: PodFacts[] = [];
  const tell = (pod: { facts(): PodFacts }) => facts.push(pod.facts());
  const lever = () => ({ ...noLever(), podChanged: tell });
  const { scenario } = parsed;
  const cluster = new Cluster({ scenario, seed: 1, lever });
  while (cluster.agenda.step(300_000));
  return facts;
}

const inShort = ({ sandboxReady, containers }: PodStartup) =>
  [
    sandboxReady === true ? "sandbox" : "none",
    ...containers.map(({ role, state }) => `${role} ${state.kind === "waiting" ? state.reason : state.kind}`),
  ].join(", ");
const stepsOf = (facts: readonly PodFacts[]) => [
  ...new Set(facts.map(({ startup, containersStarted }) => (startup ? inShort(startup) : `${containersStarted}`))),
];

test("a startup probe that has yet to pass: the sandbox is there, and the container runs", () => {
  const facts = told("{ name: w, images: [a], startupProbeSeconds: 60 }");
  expect(stepsOf(facts)).toEqual([
    "false",
    "none, app ContainerCreating",
    "sandbox, app ContainerCreating",
    "sandbox, app running",
    "true",
  ]);
});

test("an init container: the others wait with PodInitializing until it has ended", () => {
  const facts = told("{ name: w, images: [a], initContainers: [{ image: b, runSeconds: 60 }] }");
  expect(stepsOf(facts)).toEqual([
    "false",
    "none, init PodInitializing, app PodInitializing",
    "sandbox, init PodInitializing, app PodInitializing",
    "sandbox, init started, app PodInitializing",
    "sandbox, init terminated, app PodInitializing",
    "true",
  ]);
  expect(facts[0]?.shape.images).toEqual([imageName("b"), imageName("a")]);
  const initRuns = facts.find(({ startup }) => startup?.containers[0]?.state.kind === "started")?.startup;
  expect(initRuns?.containers.map(({ image }) => image)).toEqual([imageName("b"), imageName("a")]);
});

test("a volume that takes a minute: the sandbox's condition changes when it is made, in whole seconds", () => {
  const facts = told("{ name: w, images: [a], attachSeconds: 60 }");
  const made = facts.find(({ startup }) => startup?.sandboxReady === true)?.startup;
  expect(made?.sandboxSinceMs).toBeGreaterThanOrEqual(60_000);
  expect(made?.sandboxSinceMs).toBeLessThan(62_000);
  expect((made?.sandboxSinceMs ?? 1) % 1_000).toBe(0);
});

test("a missing Secret: it stays without a sandbox", () => {
  const facts = told("{ name: w, images: [a], missingSecret: true }");
  expect(stepsOf(facts)).toEqual(["false", "none, app ContainerCreating"]);
});
