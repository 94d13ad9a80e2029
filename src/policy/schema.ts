/**
 * The policy of Paceline: one schema gives the type, the defaults, the validator and the reference in docs/policy.md.
 * Units are in the names; every default gives its reason.
 */
import * as z from "zod";
import { DEFAULT_FENCE_SECONDS, DEFAULT_YOUNG_SECONDS, LONGEST_HOLD_SECONDS } from "./caps.ts";
import type { DeepReadonly } from "./frozen.ts";
import { LabelSelector, selectsEverything } from "./label-selector.ts";
import { NodeClasses } from "./node-class.ts";
import { evenWithErrors, section } from "./section.ts";
import { Telemetry } from "./telemetry.ts";

export const POLICY_API_VERSION = "paceline.dev/v1alpha1";
export const POLICY_KIND = "PacingPolicy";

/** Namespaces that are always exempt, whatever the policy says: nodes need their pods to work. */
export const ALWAYS_EXEMPT_NAMESPACES: readonly string[] = ["kube-system"];

/** Classes that are always exempt, whatever the policy says: Kubernetes' own for pods that nodes and clusters need. */
export const ALWAYS_EXEMPT_PRIORITY_CLASSES: readonly string[] = ["system-node-critical", "system-cluster-critical"];

/** The cluster's own scheduler, and the default name of Paceline's second one (the chart's secondScheduler). */
const OUR_SCHEDULERS: readonly string[] = ["default-scheduler", "paced"];

/**
 * Priority of system-cluster-critical, the lower of Kubernetes' system classes; users' classes end at 1,000,000,000.
 */
const SYSTEM_PRIORITY = 2_000_000_000;

/** The given list and the entries that a policy cannot leave out. */
const including = (always: readonly string[]) => (given: string[]) => [...new Set([...always, ...given])];

const Name = z.string().min(1).max(253);

const Startup = section({
  until: z
    .enum(["ContainersStarted", "Ready"])
    .default("ContainersStarted")
    .describe(
      "When a pod has started: every container's `started` is true, or the pod is Ready. A pod of which a container is still to be made uses a slot for 60 s and twice the time that its images take to write, longer while disk or cores are busy. With all containers running it uses one while the cores are busy, for 60 s where nothing is known of them, and with Ready until it is Ready. Otherwise it waits and uses none.",
    ),
  deadlineSeconds: z
    .int()
    .min(1)
    .max(3600)
    .default(300)
    .describe(
      "After this long in startup a pod is stuck and gives its slot back, so that one broken pod blocks no other.",
    ),
});

const Gate = section({
  enabled: z
    .boolean()
    .default(true)
    .describe("Hold new pods that only young or hot nodes can take, by a scheduling gate."),
});

const Fence = section({
  enabled: z
    .boolean()
    .default(true)
    .describe("Taint joining nodes and let pending pods onto them a few at a time, by tolerations."),
  nodeSelector: LabelSelector.exactOptional().describe(
    "Labels of the nodes to fence; without it every joining node is fenced.",
  ),
  rollCall: z
    .boolean()
    .default(true)
    .describe(
      "Cordon a fenced node for up to 3 s before the herd goes there, so that pods of DaemonSets exist and start first. It is for those that do not tolerate the fence.",
    ),
  maxSeconds: z
    .int()
    .min(1)
    .max(3600)
    .default(DEFAULT_FENCE_SECONDS)
    .describe(
      "A fence is lifted at the latest when its node has been open this long; the default is the default of youngForSeconds.",
    ),
  bindSeconds: z
    .int()
    .min(1)
    .max(60)
    .default(15)
    .describe(
      "A released pod that is not bound by then gives its slot back, whichever lever released it; binding took 0.3 s (measured), and the scheduler's longest back-off is 10 s.",
    ),
});

const Steer = section({
  enabled: z
    .boolean()
    .default(true)
    .describe(
      "Give young nodes whose fence is down a soft taint, so that kube-scheduler prefers settled nodes that have room.",
    ),
});

const scoreWeight = (of: string) =>
  z
    .number()
    .min(0)
    .max(10)
    .default(1)
    .describe(`Weight of ${of} in a node's score, relative to the other weight; equal by default.`);

const Extender = section({
  enabled: z
    .boolean()
    .default(false)
    .describe(
      "Answer filter and prioritize with pacing; off by default, because only the owner of the kube-scheduler can configure it.",
    ),
  startupWeight: scoreWeight("pods in startup"),
  awaitWeight: scoreWeight("disk await"),
  offerSeconds: z
    .int()
    .min(1)
    .max(300)
    .default(15)
    .describe(
      "An offer to the scheduler counts as a slot in use this long, or until the pod is seen bound; above the scheduler's longest back-off of 10 s.",
    ),
});

const Exempt = section({
  namespaces: z
    .array(Name)
    .default(["kube-system", "kube-node-lease", "kube-public"])
    .transform(including(ALWAYS_EXEMPT_NAMESPACES))
    .describe(
      "Namespaces whose pods are never held; kube-system is always among them, even when the list leaves it out.",
    ),
  priorityClassNames: z
    .array(Name)
    .default([...ALWAYS_EXEMPT_PRIORITY_CLASSES])
    .transform(including(ALWAYS_EXEMPT_PRIORITY_CLASSES))
    .describe(
      "Priority classes whose pods are never held; the two of the default are always among them, even when the list leaves them out.",
    ),
  minPriority: z
    .int()
    .min(-2_147_483_648)
    .max(SYSTEM_PRIORITY)
    .default(SYSTEM_PRIORITY)
    .describe(
      "Pods of this priority or above are never held; the default is where Kubernetes' own system classes begin.",
    ),
  namespaceSelector: LabelSelector.superRefine(checkSelectsSomething, evenWithErrors)
    .exactOptional()
    .describe(
      "Labels of namespaces whose pods are never held. The label `paceline.dev/pacing: disabled` does the same without the policy.",
    ),
  podSelector: LabelSelector.superRefine(checkSelectsSomething, evenWithErrors)
    .exactOptional()
    .describe("Labels of pods that are never held."),
});

function checkSelectsSomething(selector: unknown, context: z.RefinementCtx) {
  if (!selectsEverything(selector)) return;
  context.addIssue({
    code: "custom",
    message: "is empty and would exempt every pod; give a label, or set mode to off",
  });
}

const Namespaces = section({
  selector: LabelSelector.exactOptional().describe(
    "Only pods of namespaces with these labels are paced, for a start with a few; without it those of all. To name them, use `kubernetes.io/metadata.name`.",
  ),
});

/** The whole of `policy.yaml`. */
export const PacingPolicy = section({
  apiVersion: z.literal(POLICY_API_VERSION).describe("Version of this format."),
  kind: z.literal(POLICY_KIND).describe("Kind of this document."),
  mode: z
    .enum(["enforce", "observe", "off"])
    .default("enforce")
    .describe("enforce paces; observe changes nothing and reports what it would have done; off lets everything go."),
  youngForSeconds: z
    .int()
    .min(0)
    .max(86_400)
    .default(DEFAULT_YOUNG_SECONDS)
    .describe(
      "A node is young until it has been open this long (ADR 11); the herd of a new node is over by then (measured: 330 s at worst).",
    ),
  settledNodes: z
    .enum(["enforce", "observe"])
    .default("enforce")
    .describe(
      "Whether pods that bring images also wait for settled nodes that have been given all they can feed; observe only reports it.",
    ),
  maxHoldSeconds: z
    .int()
    .min(1)
    .max(LONGEST_HOLD_SECONDS)
    .default(300)
    .describe(
      "No pod is held longer while a replica lives; a pod may lower it for itself (`paceline.dev/max-hold-seconds`). With every replica gone, the janitor ends holds a minute and the start of its pod later at most: it runs each minute and goes on for 40 s. The cap stays below the 600 s of a Deployment's progressDeadlineSeconds.",
    ),
  schedulerNames: z
    .array(Name)
    .min(1, "is empty and would leave every pod alone; name a scheduler, or set mode to off")
    .default([...OUR_SCHEDULERS])
    .describe(
      "Schedulers whose pods are paced. Every lever leaves pods of others alone; once bound they are load like any.",
    ),
  startup: Startup.prefault({}).describe("When a pod counts as started, and when as stuck."),
  nodeClasses: NodeClasses.default([]).describe(
    "What nodes can carry. The first class whose selector matches a node's labels counts; nodes that match none get the defaults (class `default`).",
  ),
  gate: Gate.prefault({}).describe("Holds pods that are created for young or hot nodes."),
  fence: Fence.prefault({}).describe("Paces pods that were pending before the node existed."),
  steer: Steer.prefault({}).describe("Turns pods that settled nodes have room for away from young nodes, softly."),
  extender: Extender.prefault({}).describe("Paces every pod of a kube-scheduler that is configured with it."),
  namespaces: Namespaces.prefault({}).describe("Whose pods are paced at all, by every lever alike."),
  exempt: Exempt.prefault({}).describe("Pods that are never held."),
  telemetry: Telemetry.prefault({}).describe("Where the figures of a node's disk and CPU come from."),
});
export type PacingPolicy = DeepReadonly<z.output<typeof PacingPolicy>>;
/** A policy as users write it: only apiVersion and kind are required. */
export type PacingPolicyInput = DeepReadonly<z.input<typeof PacingPolicy>>;
export type { NodeClass } from "./node-class.ts";
