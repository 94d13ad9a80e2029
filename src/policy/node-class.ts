/** Node classes: what the nodes of one kind can carry. */
import * as z from "zod";
import type { DeepReadonly } from "./frozen.ts";
import { LabelSelector, selectsEverything } from "./label-selector.ts";
import { evenWithErrors, fieldsOf, section } from "./section.ts";

/** Name of the class that every policy has: the nodes that no other class matches. */
export const DEFAULT_NODE_CLASS_NAME = "default";

/** More pods than any kubelet's maxPods (110 by default; providers go to 250, some users to 500). */
const MAX_SLOTS = 1000;

/** A slot figure; at least 1, because a node with none would never start a pod. */
const slotCount = () => z.int().min(1).max(MAX_SLOTS);

const Slots = section({
  initial: slotCount()
    .exactOptional()
    .describe("Slots of a node of which nothing is known yet; without it two for each core, between min and max."),
  min: slotCount().default(1).describe("The limit never falls below this, so that a slow node still makes progress."),
  max: slotCount()
    .default(32)
    .describe("The limit never grows beyond this; many parallel sandboxes are slow on any disk."),
  sandboxes: slotCount()
    .default(18)
    .describe(
      "So many pods without new image bytes may start side by side while disk and cores are free. More than `max` never start. Each needs a sandbox and an address: a fresh node of AWS's VPC CNI has two interfaces with nine free addresses each.",
    ),
}).superRefine(checkSlotsOrder, evenWithErrors);

/** Other values have their own error already. */
const isWhole = (value: unknown): value is number => Number.isInteger(value);

function checkSlotsOrder(slots: unknown, context: z.RefinementCtx) {
  const { initial, min, max } = fieldsOf(slots);
  if (!isWhole(min) || !isWhole(max)) return;
  if (min > max) {
    context.addIssue({
      code: "custom",
      path: ["min"],
      message: `is ${min}, above max (${max}); lower min or raise max`,
    });
  } else if (isWhole(initial) && (initial < min || initial > max)) {
    context.addIssue({
      code: "custom",
      path: ["initial"],
      message: `is ${initial}, outside min to max (${min} to ${max}); choose a figure between them`,
    });
  }
}

const PullQPS = section({
  qps: z
    .number()
    .min(0)
    .max(1000)
    .default(5)
    .describe("The kubelet's registryPullQPS, with the kubelet's own default; 0 means no limit."),
  burst: z.int().min(1).max(1000).default(10).describe("The kubelet's registryBurst, with the kubelet's own default."),
});

const AwaitMs = section({
  hot: z
    .number()
    .min(1)
    .max(60_000)
    .default(500)
    .describe(
      "Disk await in ms above which a node of any age is hot; a busy gp3-like disk that failed no start showed 200 on average (measured).",
    ),
});

/** What the nodes of one kind can carry. */
export const NodeClass = section({
  name: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, "is not a name; use at most 63 lower-case letters, digits and '-'")
    .describe("Unique name, shown in metrics and in `paceline status`."),
  selector: LabelSelector.exactOptional().describe("Labels of the nodes in this class; without it every node matches."),
  paced: z
    .boolean()
    .exactOptional()
    .describe(
      "false leaves the nodes out altogether: no fence, no soft taint, no slots, no telemetry, and pods for them are not held. Without it virtual nodes (`type: virtual-kubelet`) and Fargate's (`eks.amazonaws.com/compute-type: fargate`) are left out, and all others are paced.",
    ),
  slots: Slots.prefault({}).describe("How many pods may be in startup on one node at a time."),
  drainSeconds: z
    .number()
    .min(1)
    .lt(120)
    .default(40)
    .describe(
      "Longest time that the disk may need for what it owes: images on their way and dirty pages. A tenth of the node's memory is the most, where that takes less time; twice as much while the disk has time left. Keep it at a third of the kubelet's runtimeRequestTimeout (120 s) or less: starts fail at that.",
    ),
  awaitMs: AwaitMs.prefault({}).describe(
    "Thresholds of disk await, the mean time that an I/O takes with its queueing.",
  ),
  diskMiBPerSecond: z
    .number()
    .min(1)
    .max(100_000)
    .exactOptional()
    .describe("What the disk writes, when known (gp3: 125); without it the figure is learnt while the disk is busy."),
  diskIOPS: z
    .number()
    .min(1)
    .max(10_000_000)
    .exactOptional()
    .describe(
      "I/O requests a second that the disk is given, when known (gp3: 3000); shown beside those used, and used by no rule.",
    ),
  pullQPS: PullQPS.prefault({}).describe(
    "The kubelet's budget of image pulls; a pull beyond it fails with `pull QPS exceeded`.",
  ),
  unpackRatio: z
    .number()
    .min(1)
    .max(20)
    .default(4)
    .describe(
      "Bytes that reach the disk for each listed (compressed) image byte; assumed: 1 for the blob and 3 unpacked, for layers that compress 3:1.",
    ),
});
export type NodeClass = DeepReadonly<z.output<typeof NodeClass>>;

/** More kinds of nodes than a cluster has (assumed); each lookup walks through the list. */
const MAX_CLASSES = 100;

/** The classes of a policy; the first that matches a node's labels counts. */
export const NodeClasses = z.array(NodeClass).max(MAX_CLASSES).superRefine(checkClasses, evenWithErrors);

function checkClasses(classes: unknown, context: z.RefinementCtx) {
  if (!Array.isArray(classes)) return;
  const names = new Set<unknown>();
  for (const [index, nodeClass] of classes.entries()) {
    const { name, selector } = fieldsOf(nodeClass);
    const catchesAll = selector === undefined || selectsEverything(selector);
    const refuse = (key: string, message: string) => context.addIssue({ code: "custom", path: [index, key], message });
    if (typeof name === "string" && names.has(name))
      refuse("name", "is the name of an earlier class too; choose another");
    if (catchesAll && index < classes.length - 1) {
      refuse(
        "selector",
        "is missing or empty, so the classes after this one would never match; add one or move this class last",
      );
    }
    if (name === DEFAULT_NODE_CLASS_NAME && !catchesAll) {
      refuse(
        "selector",
        "is not for the class default, which takes the nodes that no other matches; remove it or rename the class",
      );
    }
    names.add(name);
  }
}
