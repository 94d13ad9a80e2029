/**
 * The gang that a pod belongs to: pods that are of no use one by one, because a scheduler, or a queue, lets them start
 * all or none. A gang is known by what its pods carry; no object of it is read.
 */
import { recordOf, textOf } from "./kube-json.ts";

type Json = Readonly<Record<string, unknown>>;

const KUEUE_GROUP = "kueue.x-k8s.io/pod-group-name";
/** Kueue's groups of long-lived pods (StatefulSets) start one by one, and their replicas come and go. */
const KUEUE_SERVING = "kueue.x-k8s.io/pod-group-serving";

/**
 * Labels whose value names a gang of the pod's namespace. JobSet's labels are not among them: without one of these its
 * pods are scheduled one by one.
 */
const LABELS = [
  "scheduling.x-k8s.io/pod-group", // coscheduling
  "pod-group.scheduling.sigs.k8s.io", // the same, before it had a CRD of its own
  "pod-group.scheduling.sigs.k8s.io/name", // and before that
  KUEUE_GROUP,
  "leaderworkerset.sigs.k8s.io/group-key",
] as const;

/** The same, as annotations: Volcano's, and of schedulers that took it over. */
const ANNOTATIONS = ["scheduling.k8s.io/group-name"] as const;

/** A name that is the same for all pods of a gang and for no others; undefined: of none. Never throws. */
export function gangOf(spec: Json, labels: Json, annotations: Json, namespace: string): string | undefined {
  const isServing = annotations[KUEUE_SERVING] === "true" || labels[KUEUE_SERVING] === "true";
  const [kind, name] =
    named(isServing ? LABELS.filter((label) => label !== KUEUE_GROUP) : LABELS, labels) ??
    named(ANNOTATIONS, annotations) ??
    schedulingGroup(spec) ??
    workload(spec) ??
    [];
  return kind === undefined ? undefined : `${namespace}/${kind}/${name}`;
}

type Named = readonly [kind: string, name: string];

function named(keys: readonly string[], values: Json): Named | undefined {
  const key = keys.find((one) => textOf(values[one]) !== "");
  return key === undefined ? undefined : [key, textOf(values[key])];
}

/** Kubernetes 1.36 (KEP-4671). Whether its policy is `gang` or `basic` is not on the pod: it is taken for a gang. */
function schedulingGroup(spec: Json): Named | undefined {
  const name = textOf(recordOf(spec["schedulingGroup"])["podGroupName"]);
  return name === "" ? undefined : ["schedulingGroup", name];
}

/** The same in Kubernetes 1.35. */
function workload(spec: Json): Named | undefined {
  const reference = recordOf(spec["workloadRef"]);
  const parts = ["name", "podGroup", "podGroupReplicaKey"].map((field) => textOf(reference[field]));
  return parts[0] === "" ? undefined : ["workloadRef", parts.join("/")];
}
