/** The part of a pod that all pods of one template share, from the API server's JSON. */
import type { HostPort, NodeRequirement, NodeSelectorTerm, PodShape, Resources } from "../../core/facts.ts";
import { nodeName, type NodeName } from "../../core/ids.ts";
import { ownTerms } from "../../policy/own-terms.ts";
import { recordOf, recordsOf, textMapOf, textOf, textsOf } from "./kube-json.ts";
import type { KubeObject } from "./kube-json.ts";
import { podImages } from "./pod-images.ts";
import { podRules } from "./pod-rules.ts";
import { atLeast, plus, quantity, resources } from "./quantity.ts";
import { sortTolerations } from "./tolerations.ts";

type Json = Readonly<Record<string, unknown>>;

export interface ShapedPod {
  readonly shape: PodShape;
  readonly pinnedTo: NodeName | undefined;
  readonly fencesTolerated: readonly string[];
}

/** Never throws, whatever the JSON holds. `namespace` is used if the object of an admission has none. */
export function shapePod(raw: KubeObject, namespace = ""): ShapedPod {
  const metadata = recordOf(raw.metadata);
  const spec = recordOf(raw["spec"]);
  const owner = recordsOf(metadata["ownerReferences"]).find((one) => one["controller"] === true) ?? {};
  const annotations = recordOf(metadata["annotations"]);
  const { tolerations, fencesTolerated } = sortTolerations(spec["tolerations"]);
  const { pinnedTo, affinityTerms } = requiredNodes(recordOf(spec["affinity"]));
  const shape: PodShape = {
    namespace: textOf(metadata["namespace"]) || namespace,
    labels: textMapOf(metadata["labels"]),
    ownerKind: textOf(owner["kind"]),
    ownerName: textOf(owner["name"]),
    nodeSelector: textMapOf(spec["nodeSelector"]),
    affinityTerms,
    tolerations,
    requests: podRequests(spec),
    hostPorts: hostPorts(spec),
    ...podImages(spec),
    priority: quantity(spec["priority"]) ?? 0,
    priorityClassName: textOf(spec["priorityClassName"]),
    schedulerName: textOf(spec["schedulerName"]) || "default-scheduler",
    interPodRules: onlySchedulerKnows(spec),
    ...podRules(spec),
    mirror: runsWithoutScheduler(annotations),
    ...ownTerms(annotations),
  };
  return { shape, pinnedTo, fencesTolerated };
}

/**
 * The requests that the scheduler counts: the larger of (app containers + sidecars) and the largest init container with
 * the sidecars before it. Pod-level requests override both; overhead is added.
 */
function podRequests(spec: Json): Resources {
  const requestsOf = (container: Json) => resources(recordOf(container["resources"])["requests"]);
  let running = recordsOf(spec["containers"]).map(requestsOf).reduce(plus, {});
  let sidecars: Resources = {};
  let starting: Resources = {};
  for (const container of recordsOf(spec["initContainers"])) {
    const requests = requestsOf(container);
    starting = atLeast(starting, plus(sidecars, requests));
    if (container["restartPolicy"] !== "Always") continue;
    sidecars = plus(sidecars, requests);
    running = plus(running, requests);
  }
  const podLevel = resources(recordOf(spec["resources"])["requests"]);
  const total = plus({ ...atLeast(running, starting), ...podLevel }, resources(spec["overhead"]));
  return { ...total, pods: 1 };
}

/**
 * Required node affinity. If every term requires the same node by name (as for DaemonSet pods), that node is `pinnedTo`
 * and the requirement is removed from the terms, so that all pods of a DaemonSet share a shape.
 */
function requiredNodes(affinity: Json): Pick<PodShape, "affinityTerms"> & { pinnedTo: NodeName | undefined } {
  const required = recordOf(recordOf(affinity["nodeAffinity"])["requiredDuringSchedulingIgnoredDuringExecution"]);
  const terms = recordsOf(required["nodeSelectorTerms"]).map(selectorTerm);
  const [first] = terms;
  if (first === undefined) return { pinnedTo: undefined, affinityTerms: undefined };
  const only = pinOf(first);
  if (only === undefined || !terms.every((term) => pinOf(term) === only)) {
    return { pinnedTo: undefined, affinityTerms: terms };
  }
  const unpinned = terms.map((term) => ({ ...term, fields: [] }));
  // In Kubernetes an empty term matches no node. Here it means "that node, whatever its labels".
  const anyLabels = unpinned.some((term) => term.labels.length === 0);
  return { pinnedTo: nodeName(only), affinityTerms: anyLabels ? undefined : unpinned };
}

/** The node that a term requires by name, if that is its only field requirement. */
function pinOf(term: NodeSelectorTerm): string | undefined {
  const [field, ...more] = term.fields;
  if (field === undefined || more.length > 0) return undefined;
  const isPin = field.key === "metadata.name" && field.operator === "In" && field.values.length === 1;
  return isPin ? field.values[0] : undefined;
}

function selectorTerm(term: Json): NodeSelectorTerm {
  return { labels: requirements(term["matchExpressions"]), fields: requirements(term["matchFields"]) };
}

function requirements(raw: unknown): readonly NodeRequirement[] {
  return recordsOf(raw).map((one) => ({
    key: textOf(one["key"]),
    operator: textOf(one["operator"]) as NodeRequirement["operator"],
    values: textsOf(one["values"]),
  }));
}

function hostPorts(spec: Json): readonly HostPort[] {
  const sidecars = recordsOf(spec["initContainers"]).filter((one) => one["restartPolicy"] === "Always");
  return [...sidecars, ...recordsOf(spec["containers"])]
    .flatMap((container) => recordsOf(container["ports"]))
    .filter((port) => typeof port["hostPort"] === "number" && port["hostPort"] > 0)
    .map((port) => ({
      protocol: textOf(port["protocol"]) || "TCP",
      hostIP: textOf(port["hostIP"]) || "0.0.0.0",
      port: Number(port["hostPort"]),
    }));
}

/** True for rules about other pods, and for volumes and devices that exist on certain nodes only. */
function onlySchedulerKnows(spec: Json): boolean {
  const affinity = recordOf(spec["affinity"]);
  const required = (kind: string) =>
    recordsOf(recordOf(affinity[kind])["requiredDuringSchedulingIgnoredDuringExecution"]).length > 0;
  return (
    required("podAffinity") ||
    required("podAntiAffinity") ||
    recordsOf(spec["topologySpreadConstraints"]).some((one) => one["whenUnsatisfiable"] === "DoNotSchedule") ||
    recordsOf(spec["volumes"]).some((one) => one["persistentVolumeClaim"] != null || one["ephemeral"] != null) ||
    recordsOf(spec["resourceClaims"]).length > 0
  );
}

function runsWithoutScheduler(annotations: Json): boolean {
  const source = textOf(annotations["kubernetes.io/config.source"]);
  return annotations["kubernetes.io/config.mirror"] !== undefined || (source !== "" && source !== "api");
}
