/** Rules of pods on create, update and `/status`. */
import { isDeepStrictEqual } from "node:util";
import { recordOf, textOf } from "../../../../src/kube/parse/kube-json.ts";
import { childOf, copyOf, listOf, type Json } from "../json.ts";
import { forbiddenField, invalidField, requiredField, type Cause } from "../refusals.ts";
import { isQualifiedName, wholeSeconds } from "./metadata.ts";
import { applyDefaultTolerations, applyPodDefaults, applyPriority } from "./pod-defaults.ts";
import { podUpdateCauses } from "./pod-update.ts";
import type { Rules } from "./rule-set.ts";
import { tolerationCauses } from "./tolerations.ts";

export const podRules: Rules = {
  fillIn(pod, old, { priorityClasses, topologyOf }) {
    applyPodDefaults(pod);
    if (old === undefined) {
      applyPriority(pod, priorityClasses);
      const topology = topologyOf(textOf(recordOf(pod["spec"])["nodeName"]));
      Object.assign(childOf(childOf(pod, "metadata"), "labels"), topology);
    } else keepPriority(childOf(pod, "spec"), recordOf(old["spec"]));
    applyDefaultTolerations(pod);
  },
  prepareCreate(pod, { nowMs }) {
    const gates = listOf(recordOf(pod["spec"]), "schedulingGates");
    childOf(pod, "metadata")["generation"] = 1;
    pod["status"] = {
      phase: "Pending",
      ...(gates.length === 0 ? {} : { conditions: [gatedCondition(nowMs)] }),
      qosClass: qosClass(pod),
    };
  },
  createCauses(pod) {
    const spec = recordOf(pod["spec"]);
    return [
      ...specCauses(spec),
      ...(textOf(spec["nodeName"]) !== "" && listOf(spec, "schedulingGates").length > 0
        ? [forbiddenField("spec.nodeName", "cannot be set until all schedulingGates have been cleared")]
        : []),
    ];
  },
  prepareUpdate(pod, old) {
    pod["status"] = old["status"];
    if (isDeepStrictEqual(pod["spec"], old["spec"])) return;
    const metadata = childOf(pod, "metadata");
    metadata["generation"] = Number(metadata["generation"] ?? 0) + 1;
  },
  updateCauses: (pod, old) => [...specCauses(recordOf(pod["spec"])), ...podUpdateCauses(pod, old)],
  prepareStatus(pod, old) {
    pod["spec"] = old["spec"];
    keepOwners(childOf(pod, "metadata"), recordOf(old["metadata"]));
    keepObservedGenerations(childOf(pod, "status"), recordOf(old["status"]));
  },
};

/** Admission plug-in Priority on update: what the client left out comes from the old pod. */
function keepPriority(spec: Json, before: Readonly<Json>): void {
  for (const field of ["priority", "preemptionPolicy"]) {
    if (spec[field] === undefined && before[field] !== undefined) spec[field] = before[field];
  }
}

function gatedCondition(nowMs: number): Json {
  return {
    type: "PodScheduled",
    status: "False",
    lastTransitionTime: wholeSeconds(nowMs),
    reason: "SchedulingGated",
    message: "Scheduling is blocked due to non-empty scheduling gates",
  };
}

/** What no pod's spec may hold, on create or later. */
const specCauses = (spec: Readonly<Json>): readonly Cause[] => [
  ...containerCauses(spec),
  ...gateCauses(spec),
  ...tolerationCauses(spec),
];

function containerCauses(spec: Readonly<Json>): readonly Cause[] {
  const containers = listOf(spec, "containers");
  if (containers.length === 0) return [requiredField("spec.containers")];
  return containers.flatMap(({ name, image }, index) => [
    ...(textOf(name) === "" ? [requiredField(`spec.containers[${index}].name`)] : []),
    ...(textOf(image) === "" ? [requiredField(`spec.containers[${index}].image`)] : []),
  ]);
}

function gateCauses(spec: Readonly<Json>): readonly Cause[] {
  const seen = new Set<string>();
  return listOf(spec, "schedulingGates").flatMap((gate, index): readonly Cause[] => {
    const at = `spec.schedulingGates[${index}]`;
    const name = textOf(gate["name"]);
    if (!isQualifiedName(name)) return [invalidField(at, "no qualified name")];
    if (seen.has(name)) return [{ reason: "FieldValueDuplicate", field: at, message: name }];
    seen.add(name);
    return [];
  });
}

/** Guaranteed needs equal limits of cpu and memory in every container; BestEffort has neither requests nor limits. */
function qosClass(pod: Readonly<Json>): string {
  const spec = recordOf(pod["spec"]);
  const resources = [...listOf(spec, "initContainers"), ...listOf(spec, "containers")].map((container) => {
    const { requests, limits } = recordOf(container["resources"]);
    return { requests: recordOf(requests), limits: recordOf(limits) };
  });
  const counted = ["cpu", "memory"];
  const asks = resources.some(({ requests, limits }) => counted.some((one) => one in requests || one in limits));
  if (!asks) return "BestEffort";
  const isFull = resources.every(({ requests, limits }) =>
    counted.every((one) => one in limits && requests[one] === limits[one]),
  );
  return isFull ? "Guaranteed" : "Burstable";
}

function keepOwners(metadata: Json, before: Readonly<Json>): void {
  if (before["ownerReferences"] === undefined) Reflect.deleteProperty(metadata, "ownerReferences");
  else metadata["ownerReferences"] = before["ownerReferences"];
}

/** A status that leaves out `observedGeneration` keeps the old one; qosClass as well. */
function keepObservedGenerations(status: Json, before: Readonly<Json>): void {
  for (const field of ["observedGeneration", "qosClass"]) {
    if (status[field] === undefined && before[field] !== undefined) status[field] = before[field];
  }
  const old = new Map(listOf(before, "conditions").map((one) => [one["type"], one["observedGeneration"]]));
  if (status["conditions"] === undefined) return;
  status["conditions"] = listOf(status, "conditions").map((condition) => {
    const generation = condition["observedGeneration"] ?? old.get(condition["type"]);
    return generation === undefined ? condition : { ...copyOf(condition), observedGeneration: generation };
  });
}
