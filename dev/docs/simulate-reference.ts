/**
 * Writes docs/simulate.md from the scenario schema and the built-in scenarios. A unit test fails if the page differs
 * from the output.
 */
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import prettier from "prettier";
import * as z from "zod";
import { builtinNames, builtinText } from "../../src/simulate/scenario/builtin.ts";
import { parseScenario } from "../../src/simulate/scenario/parse.ts";
import { Scenario } from "../../src/simulate/scenario/schema.ts";
import { keyTable } from "./key-table.ts";
import { type JsonSchema, rowsOf } from "./policy-rows.ts";

const PAGE = fileURLToPath(new URL("../../docs/simulate.md", import.meta.url));

export const scenarioRows = rowsOf(z.toJSONSchema(Scenario, { io: "input" }) as JsonSchema);

function builtins(): string {
  return builtinNames()
    .map((name) => {
      const parsed = parseScenario(builtinText(name) ?? "");
      return `- \`${name}\`: ${parsed.ok ? parsed.scenario.description : ""}`;
    })
    .join("\n");
}

const INTRODUCTION = `# paceline simulate

<!-- Written by dev/docs/simulate-reference.ts (\`npm run docs\`). Change that file or the schema, not this page. -->

\`paceline simulate --scenario FILE|NAME [--policy FILE] [--seed N] [--json] [--html OUT] [--list]\` runs a herd of pods on
modelled nodes, once for each strategy, and compares the results with the least time that the nodes need. It needs no cluster,
and a herd of five minutes takes a fraction of a second. Equal seeds give equal results. Exit code 2 means that the scenario or
the policy is unusable; every error is listed with its path.

## Strategies

- \`none\` binds every pod that fits, at once.
- \`fixed:best\` keeps a constant number N of pods in startup per node, oldest first, as pod-pacemaker does; kube-scheduler
  binds them one by one. N is chosen in hindsight: fewest failed starts, then the shortest makespan. Up to 300 pods, it tries 1
  to 32; up to 5,000 pods 1, 2, 3, 4, 6, 8, 12, 16, 24 and 32; up to 50,000 pods 4 and 16; beyond that 6.
- \`shortest-first\` keeps constant concurrency, in the order that is best in hindsight for the mean: least work per pod first.
  Pods that share images divide their work. DaemonSets and higher priority go first. Of the N tried, the one with the lowest
  mean is taken.
- \`paceline\` puts webhooks, fence and release loop around the decision core, with the scenario's policy.

## What the figures mean

Times count from the first moment at which a pod existed and a node was Ready, or from the pod's creation if that is later.

- \`makespanSeconds\`: the time until the last pod is Ready. Pods that crash by themselves do not count.
- \`boundSeconds\`: the lower bound. For each node it is the largest of these, and the slowest node counts:
  - the time that a resource needs for all pods that ended there, plus the least own start of one of the pods. The resources
    are the disk, which writes the unique images (blob and unpacked layers); the cores, which unpack and start; the registry;
    and the kubelet's pull QPS;
  - the longest chain of a single pod.

  Work that arrives later cannot begin earlier. The bound depends on the nodes on which pods ended, so every strategy has its
  own. The one at the top of the JSON is Paceline's. \`boundBy\` names the resource that sets the bound.
- \`ratioToBound\`: makespan ÷ the strategy's own bound.
- \`startErrors\`: all failed starts (StartError, create and sandbox time-outs, reserved names, pull QPS exceeded, startup probes
  that gave up); \`failures\` counts each kind. \`restarts\` also counts those of crash-looping pods.
- \`peakInStartup\`, \`peakAwaitMs\`: the most on any one node. \`longestHoldSeconds\`: the longest time that a pod was held back.
- \`unreadyPods\`: pods that were not Ready when the simulation gave up, 4 hours after the last arrival.

## What is real and what is modelled

The decision core is the real one. The simulator calls the same \`createPacer\` as \`paceline serve\`. It delivers watch events a
few milliseconds late, and its writes take as long as real ones. The simulator models

- the nodes: disk, page cache, containerd and kubelet (\`src/simulate/model\`; constants with sources in its \`constants.ts\`);
- the scheduler: one pod at a time by priority and age, 1.5 ms for each, least allocated first, replicas spread, back-off
  1 to 10 s. Image locality, balanced allocation and preemption are left out;
- the controllers of Deployments and DaemonSets (a DaemonSet puts no pod where a taint repels it);
- an autoscaler that counts Unschedulable pods and takes a fenced node for room;
- telemetry, which shows the model's counters at the policy's interval;
- the control plane's times, in \`src/simulate/engine/assumptions.ts\`, each with its source or as assumed.

Paceline knows the sizes of images that other nodes of the cluster list; \`images[].known\` of a scenario says which. An image of
unknown size counts as the mean of those it knows. The targets of the mean are then out of reach.

## Targets

\`npm run bench:pacing\` runs all built-in scenarios and reports which of these targets are missed:

- no failed start;
- makespan ÷ bound ≤ 1.10 (1.25 without telemetry) and ÷ \`fixed:best\` ≤ 1.02;
- mean time to Ready ÷ \`none\` ≤ 0.70 where images differ in size or are shared, never above it elsewhere, and ÷
  \`shortest-first\` ≤ 1.05.

With seed 1, these targets are missed:

- \`nvme\`: mean ÷ none 0.73 (0.69 on average of twelve seeds; shortest-first itself comes to 0.70);
- \`one-8gib-image\`: makespan ÷ fixed:best 1.03 (which starts the huge image first, at 5 × the mean; shortest-first itself
  comes to 1.03).

\`npm run bench:pacing -- --random 40\` measures random herds. More of these miss a target, mostly when all pods wait for a few
pods or for the cores.

\`npm run bench:pacing -- --scale\` measures the simulator itself. It ran twice on 27 November on two cores; the machine was a
third slower the second time:

| size | target | measured |
|---|---|---|
| 500 nodes with 20,000 pods | 30 s | 23.6 and 26.5 s |
| 5,000 nodes with 200,000 pods | 5 min and 2 GiB | 185 and 253 s with 1.5 GiB |

## Built-in scenarios
`;

/** The whole page, formatted as the repository formats Markdown. */
export async function simulateReference(): Promise<string> {
  const text = [
    INTRODUCTION,
    builtins(),
    "## Scenario files",
    "Scenarios are YAML. The format is strict. Only `nodes`, `workloads` and an image's size are required.",
    EXAMPLE,
    keyTable(scenarioRows),
  ].join("\n\n");
  const options = await prettier.resolveConfig(PAGE);
  return await prettier.format(text, { ...options, parser: "markdown", proseWrap: "always" });
}

const EXAMPLE = `\`\`\`yaml
nodes:
  - { count: 3, joinSeconds: 30, disk: { mibPerSecond: 125, iops: 3000 } }
images:
  - { name: web, mib: 480, layers: 8 }
  - { name: agent, mib: 90, layers: 4 }
workloads:
  - { name: web, replicas: 60, images: [web], startCpuSeconds: 0.5, readySeconds: 2 }
  - { name: agent, kind: DaemonSet, images: [agent], toleratesEverything: true }
policy:
  nodeClasses:
    - { name: default, diskMiBPerSecond: 125 }
\`\`\``;

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(PAGE, await simulateReference());
