/** POST of `/binding`: what a scheduler does. */
import { recordOf, textMapOf, textOf } from "../../../../src/kube/parse/kube-json.ts";
import type { KubeObject } from "../../../../src/kube/parse/kube-json.ts";
import { listOf, type Json } from "../json.ts";
import { badRequest, conflict, Refusal } from "../refusals.ts";
import type { Target } from "../paths.ts";
import { wholeSeconds } from "../rules/metadata.ts";
import { existing, keyOf, topologyOf, type World } from "../world.ts";

/** Binds a pod. @throws Refusal 409 for a pod that is bound, gated, or being deleted */
export function bind(world: World, target: Target, body: unknown): void {
  const binding = recordOf(body);
  const { name, uid, resourceVersion, annotations } = recordOf(binding["metadata"]);
  if (name !== target.name) throw badRequest("name in URL does not match name in Binding object");
  const node = textOf(recordOf(binding["target"])["name"]);
  if (node === "") throw new Refusal(500, "", "target.name: Required value");
  const pod = existing(world, target);
  refuseUnmet(target, pod, { uid, resourceVersion });
  const why = whyNot(pod);
  if (why !== undefined) throw conflict({ ...target.resource, plural: "pods/binding" }, target.name, why);
  world.store.put(target.resource, keyOf(target), bound(world, pod, node, textMapOf(annotations)));
}

function refuseUnmet({ resource, name }: Target, { metadata }: KubeObject, wanted: Readonly<Json>): void {
  for (const [field, value] of Object.entries(wanted)) {
    if (textOf(value) !== "" && value !== metadata?.[field]) {
      throw conflict(resource, name, `Precondition failed: ${field}`);
    }
  }
}

function whyNot(pod: KubeObject): string | undefined {
  const spec = recordOf(pod["spec"]);
  if (pod.metadata?.deletionTimestamp !== undefined) return "the pod is being deleted, cannot be assigned to a host";
  if (textOf(spec["nodeName"]) !== "") return `the pod is already assigned to node ${textOf(spec["nodeName"])}`;
  return listOf(spec, "schedulingGates").length > 0 ? "the pod has non-empty .spec.schedulingGates" : undefined;
}

function bound(world: World, pod: KubeObject, node: string, annotations: Readonly<Record<string, string>>): KubeObject {
  const { nominatedNodeName: _nominated, ...status } = recordOf(pod["status"]);
  const scheduled = { type: "PodScheduled", status: "True", lastTransitionTime: wholeSeconds(world.now()) };
  const others = listOf(status, "conditions").filter(({ type }) => type !== "PodScheduled");
  const labels = { ...pod.metadata?.labels, ...topologyOf(world, node) };
  const allAnnotations = { ...pod.metadata?.annotations, ...annotations };
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      ...(Object.keys(allAnnotations).length === 0 ? {} : { annotations: allAnnotations }),
    },
    spec: { ...recordOf(pod["spec"]), nodeName: node },
    status: { ...status, conditions: [...others, scheduled] },
  };
}
