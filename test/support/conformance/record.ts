/** One sequence of commands on one server, with watches that follow it. */
import fc from "fast-check";
import type { Command } from "./command.ts";
import { nodeCreate, otherCommand } from "./other-commands.ts";
import { podCommand, podCreate } from "./pod-commands.ts";
import type { Side } from "./side.ts";
import type { Transcript } from "./transcript.ts";

/** Some objects to begin with, then anything. */
const sequence = (creation: fc.Arbitrary<Command>, command: fc.Arbitrary<Command>): fc.Arbitrary<readonly Command[]> =>
  fc
    .tuple(
      fc.array(creation, { minLength: 3, maxLength: 5 }),
      fc.array(command, { minLength: 5, maxLength: 30, size: "max" }),
    )
    .map(([creations, commands]) => [...creations, ...commands]);

export const SEQUENCES: Readonly<Record<string, fc.Arbitrary<readonly Command[]>>> = {
  pods: sequence(podCreate, podCommand),
  "nodes, Leases, ConfigMaps and Events": sequence(nodeCreate, otherCommand),
};

export const WATCHES = [
  { query: {}, until: "end-free" },
  { query: { fieldSelector: "spec.nodeName=" }, until: "end-free" },
  { query: { fieldSelector: "spec.nodeName=n0" }, until: "end-bound" },
  { query: { fieldSelector: "status.phase!=Succeeded,status.phase!=Failed" }, until: "end-free" },
  { query: { labelSelector: "app=a" }, until: "end-free" },
];

const endPod = (name: string, spec: object): Command => ({
  kind: "create",
  resource: "pods",
  body: { metadata: { name, labels: { app: "a" } }, spec: { containers: [{ name: "main", image: "a:1" }], ...spec } },
});

/** Carries out all commands, with watches from the version after the first third of them. */
export async function record(side: Side, commands: readonly Command[]): Promise<Transcript> {
  const answers = [];
  const start = Math.floor(commands.length / 3);
  let from = side.newest;
  await side.run(endPod("start", {}));
  for (const [index, command] of commands.entries()) {
    if (index === start) from = side.newest;
    answers.push(await side.run(command));
  }
  await side.run(endPod("end-free", {}));
  await side.run(endPod("end-bound", { nodeName: "n0" }));
  const watches = await Promise.all(WATCHES.map(({ query, until }) => side.watch(from, query, until)));
  return { answers, watches };
}
