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
import { keyList } from "./key-list.ts";
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
- \`paceline\` puts webhooks, fence and release loop around the decision core, with the scenario's policy.

## What the figures mean

A strategy is judged by five figures: failed starts, the time until all pods are Ready, the mean and p95 of the pods' times to
Ready, and, over many scenarios, how many it makes worse than \`none\`.

A pod's time to Ready counts from its creation, or from the first node's Ready if that is later; where nodes are cordoned, down
or still to report a device, from the first moment at which some node takes such pods. A DaemonSet's pod counts from
the Ready of its own node, whenever it was created: the DaemonSet controller creates it only when no fence repels it, and a pod
that comes late because of a fence is late. If it tolerates the fence and exists before the node is Ready, it counts from Ready
as well. If the DaemonSet itself is created later, its pods count from then.

- \`makespanSeconds\` ("all Ready"): from the first moment at which a pod could start on some node until the last pod is Ready.
  Pods that crash by themselves do not count.
- \`boundSeconds\`: the lower bound. For each node it is the largest of these, and the slowest node counts:
  - the time that a resource needs for all pods that ended there, plus the least own start of one of the pods. The resources
    are the disk, which writes the unique images (blob and unpacked layers); the cores, which unpack and start; the registry;
    and the kubelet's pull QPS;
  - the longest chain of a single pod.

  Work that arrives later cannot begin earlier; a DaemonSet's pod could begin at its node's Ready, even if a fence delayed its
  creation. The bound depends on the nodes on which pods ended, so every strategy has its
  own. The one at the top of the JSON is Paceline's. \`boundBy\` names the resource that sets the bound.
- \`ratioToBound\`: makespan ÷ the strategy's own bound.
- \`startErrors\`: all failed starts (StartError, create and sandbox time-outs, reserved names, pull QPS exceeded, startup probes
  that gave up); \`failures\` counts each kind. \`restarts\` also counts those of crash-looping pods.
- \`meanReadySeconds\` (the "honest mean"), \`p50ReadySeconds\`, \`p95ReadySeconds\`, \`p99ReadySeconds\`: of all pods' times to
  Ready. \`slowestDaemonSetSeconds\` is the longest of a DaemonSet's pod; 0 without DaemonSets.
- \`peakInStartup\`, \`peakAwaitMs\`: the most on any one node. \`longestHoldSeconds\`: the longest time that a pod was held back.
- \`unreadyPods\`: pods that were not Ready when the simulation ended, and DaemonSet pods that were not even created by then. It
  ends when all others are Ready, or gives up 4 hours after the last arrival.
- \`neverReadyPods\`, left out if 0: those of them that no strategy can make Ready, because a Secret is missing or a pod that they
  wait for is never Ready. The simulation does not wait for them, no time counts them, and the report says how many there are.

## What is real and what is modelled

The decision core is the real one. The simulator calls the same \`createPacer\` as \`paceline serve\`. It delivers watch events a
few milliseconds late, and its writes take as long as real ones. The simulator models

- the nodes: disk, page cache, containerd and kubelet (\`src/simulate/model\`; constants with sources in its \`constants.ts\`);
- the scheduler: one pod at a time by priority and age, 1.5 ms for each, least allocated first, replicas spread, back-off
  1 to 10 s. Image locality, balanced allocation and preemption are left out;
- the controllers of Deployments and DaemonSets (a DaemonSet puts no pod where a taint repels it);
- cordons, reboots (what is bound restarts together; a node is not Ready from the moment at which it goes down) and
  devices that are reported after Ready;
- an autoscaler that counts Unschedulable pods and takes a fenced node for room;
- telemetry, which shows the model's counters at the policy's interval;
- the control plane's times, in \`src/simulate/engine/assumptions.ts\`, each with its source or as assumed.

Paceline knows the sizes of images that other nodes of the cluster list; \`images[].known\` of a scenario says which. An image of
unknown size counts as the mean of those it knows. The targets of the mean are then out of reach.

## Targets

\`npm run bench:pacing\` runs all built-in scenarios and reports which of these targets are missed:

- no failed start, and every pod Ready that can be;
- makespan ÷ bound ≤ 1.10 (1.25 without telemetry);
- all Ready ÷ \`none\` ≤ 1.05;
- mean time to Ready ÷ \`none\` ≤ 0.70 where images differ in size or are shared, never above it elsewhere.

With seed 1, these targets are missed:

- makespan ÷ bound: \`nodes-500\` 1.90, \`issue-1651-gp3-200\` and \`uncordon\` 1.20, \`nvme\` and \`issue-1651-gp3-200-qps-10-15\` 1.15;
- all Ready ÷ \`none\`: \`no-telemetry\` 1.12, \`issue-1651-gp3-200\` 1.09;
- mean ÷ none: \`nvme\` 0.71;
- where pods wait, because Paceline still takes waiting for work: mean ÷ none 4.3 with \`startup-probes\`, 3.2 with \`init-waits\`,
  58 with \`missing-secret\` and 48 with \`depends-on-gated\`; all Ready ÷ \`none\` and makespan ÷ bound with the last three.

\`npm run bench:pacing -- --random 40\` measures random herds. More of these miss a target, mostly when all pods wait for a few
pods or for the cores.

### Herds that nobody tuned for

\`npm run bench:pacing -- --herds DIR\` runs every scenario of a folder under \`none\`, \`paceline\`, \`fixed:3\` and \`fixed:6\`. It
prints how the ratios to \`none\` are distributed, which herds have failed starts, and which take more than 5 % longer than
\`none\`. It exits with 1 if a target is missed. Names after the folder choose herds. Further options:

- \`--daemonsets-tolerate\` makes every DaemonSet tolerate the fence;
- \`--seeds N\` repeats each herd with seeds 1 to N; a herd's ratio is then the geometric mean;
- \`--only none,paceline,fixed:N\` chooses strategies; \`none\` always runs;
- \`--json\` prints all figures of every herd;
- \`--perturb\` counts failed starts (on the node, by startup probes, by pull QPS) where the model or Paceline's beliefs are changed, one change at a time
  (\`bench/herds/changes.ts\`): disk × 0.7 and × 1.3; true and believed unpack ratio 2 and 6; dirty ratio 0.1 and 0.4; the other
  of the two kinds of flushes; no telemetry; shim I/O 20 MiB; and disk × 0.7, dirty ratio 0.1, shim I/O 20 MiB and images that
  unpack 2 : 1 together.

| target, geometric means ÷ \`none\` | as they are | \`--daemonsets-tolerate\` |
|---|---|---|
| failed starts | 0 | 0 |
| all Ready | ≤ 0.98 | ≤ 0.95 |
| mean time to Ready | ≤ 0.84 | ≤ 0.83 |
| slowest DaemonSet pod | ≤ 1.2 | |
| herds made worse by more than 5 %, of 90 | ≤ 15 | ≤ 5 |

A failed start is one that failed on the node: the disk has no part in startup probes that fail and in pulls that the kubelet's QPS limit refuses, so these are counted apart. With \`--perturb\`, Paceline may have no more failed starts in total than \`fixed:3\`, and in no herd more than one above it.

### The simulator itself

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
    keyList(scenarioRows),
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
