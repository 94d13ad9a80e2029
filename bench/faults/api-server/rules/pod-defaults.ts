/** What the API server fills in on a pod: its type's defaults, and those of its own admission plug-ins. */
import { textOf } from "../../../../src/kube/parse/kube-json.ts";
import { childOf, listOf, type Json } from "../json.ts";
import { forbidden } from "../refusals.ts";

/** Priorities of the classes that Kubernetes makes for itself. */
export const PRIORITY_CLASSES: Readonly<Record<string, number>> = {
  "system-node-critical": 2_000_001_000,
  "system-cluster-critical": 2_000_000_000,
};

/** Defaults of the types (pkg/apis/core/v1/defaults.go). */
export function applyPodDefaults(pod: Json): void {
  const spec = childOf(pod, "spec");
  setMissing(spec, {
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    dnsPolicy: "ClusterFirst",
    securityContext: {},
    schedulerName: "default-scheduler",
    enableServiceLinks: true,
  });
  for (const container of [...listOf(spec, "initContainers"), ...listOf(spec, "containers")] as Json[]) {
    setMissing(container, {
      resources: {},
      terminationMessagePath: "/dev/termination-log",
      terminationMessagePolicy: "File",
      imagePullPolicy: pullPolicy(container["image"]),
    });
    const resources = childOf(container, "resources");
    if (resources["limits"] !== undefined) setMissing(childOf(resources, "requests"), resources["limits"] as Json);
  }
}

function setMissing(object: Json, defaults: Readonly<Json>): void {
  for (const [field, value] of Object.entries(defaults)) object[field] ??= value;
}

function pullPolicy(image: unknown): string {
  const last = typeof image === "string" ? (image.split("/").at(-1) ?? "") : "";
  return /:latest$/.test(last) || !/[:@]/.test(last) ? "Always" : "IfNotPresent";
}

/** Admission plug-in Priority: `priorityClassName` decides; pods without a class get 0. @throws Refusal 403 */
export function applyPriority(pod: Json, classes: Readonly<Record<string, number>>): void {
  const spec = childOf(pod, "spec");
  const name = textOf(spec["priorityClassName"]);
  const priority = name === "" ? 0 : classes[name];
  if (priority === undefined) throw forbidden(`no PriorityClass with name ${name} was found`);
  setMissing(spec, { priority, preemptionPolicy: "PreemptLowerPriority" });
  if (spec["priority"] !== priority)
    throw forbidden(`the priority must not be provided; the computed one is ${priority}`);
}

/** Seconds that a pod stays on a node that is not ready, unless it says otherwise. */
const TOLERATION_SECONDS = 300;

const NODE_TROUBLES = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

/** Admission plug-in DefaultTolerationSeconds, on create and on update. */
export function applyDefaultTolerations(pod: Json): void {
  const spec = childOf(pod, "spec");
  const tolerations = [...listOf(spec, "tolerations")];
  for (const key of NODE_TROUBLES) {
    if (tolerations.some((one) => toleratesEviction(one, key))) continue;
    tolerations.push({ key, operator: "Exists", effect: "NoExecute", tolerationSeconds: TOLERATION_SECONDS });
  }
  spec["tolerations"] = tolerations;
}

function toleratesEviction({ key, effect }: Readonly<Json>, trouble: string): boolean {
  return (
    (key === trouble || key === undefined || key === "") && [undefined, "", "NoExecute"].includes(effect as string)
  );
}
