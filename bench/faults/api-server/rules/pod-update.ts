/** What an update of a pod may change: gates may go, tolerations may come, and little else (ValidatePodUpdate). */
import { isDeepStrictEqual } from "node:util";
import { isRecord, recordOf, textMapOf } from "../../../../src/kube/parse/kube-json.ts";
import { copyOf, listOf, type Json } from "../json.ts";
import { forbiddenField, invalidField, type Cause } from "../refusals.ts";

/** Causes for every change of `spec` that Kubernetes does not allow. */
export function podUpdateCauses(pod: Readonly<Json>, old: Readonly<Json>): readonly Cause[] {
  const spec = recordOf(pod["spec"]);
  const before = recordOf(old["spec"]);
  const containers = ["containers", "initContainers"].flatMap((field) => containerCauses(spec, before, field));
  if (containers.length > 0) return containers;
  return [
    ...addedTolerationsOnly(spec, before),
    ...deletedGatesOnly(spec, before),
    ...(isGated(before) ? tighteningCauses(spec, before) : []),
    ...(isDeepStrictEqual(withChangeable(spec, before), before)
      ? []
      : [forbiddenField("spec", "pod updates may not change fields other than image, tolerations (only additions) …")]),
  ];
}

const isGated = (spec: Readonly<Json>) => listOf(spec, "schedulingGates").length > 0;

function containerCauses(spec: Readonly<Json>, before: Readonly<Json>, field: string): readonly Cause[] {
  const containers = listOf(spec, field);
  if (containers.length !== listOf(before, field).length) {
    return [forbiddenField(`spec.${field}`, "pod updates may not add or remove containers")];
  }
  return [];
}

/** Every old toleration must still be there, with any `tolerationSeconds`. */
function addedTolerationsOnly(spec: Readonly<Json>, before: Readonly<Json>): readonly Cause[] {
  const without = ({ tolerationSeconds: _, ...rest }: Readonly<Json>) => rest;
  const now = listOf(spec, "tolerations").map(without);
  const kept = listOf(before, "tolerations").every((old) => now.some((one) => isDeepStrictEqual(one, without(old))));
  if (kept) return [];
  return [forbiddenField("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")];
}

function deletedGatesOnly(spec: Readonly<Json>, before: Readonly<Json>): readonly Cause[] {
  const old = new Set(listOf(before, "schedulingGates").map(({ name }) => name));
  const added = new Map(listOf(spec, "schedulingGates").map(({ name }, index) => [name, index]));
  return [...added]
    .filter(([name]) => !old.has(name))
    .map(([name, index]) =>
      forbiddenField(
        `spec.schedulingGates[${index}].name`,
        `only deletion is allowed, but found new scheduling gate '${String(name)}'`,
      ),
    );
}

/** The new spec with the old value of every field that may change, or that has its own check. */
function withChangeable(spec: Readonly<Json>, before: Readonly<Json>): Readonly<Json> {
  const munged = copyOf(spec) as Json;
  for (const field of ["containers", "initContainers"]) {
    listOf(munged, field).forEach((container, index) => {
      (container as Json)["image"] = listOf(before, field)[index]?.["image"];
    });
  }
  for (const field of ["schedulingGates", "tolerations", "activeDeadlineSeconds"]) take(munged, before, field);
  if (isGated(before)) {
    take(munged, before, "nodeSelector");
    takeNodeAffinity(munged, before);
  }
  return munged;
}

function take(spec: Json, before: Readonly<Json>, field: string): void {
  if (before[field] === undefined) Reflect.deleteProperty(spec, field);
  else spec[field] = before[field];
}

function takeNodeAffinity(spec: Json, before: Readonly<Json>): void {
  const affinity = { ...recordOf(spec["affinity"]) };
  take(affinity, recordOf(before["affinity"]), "nodeAffinity");
  if (Object.keys(affinity).length > 0) spec["affinity"] = affinity;
  else take(spec, before, "affinity");
}

/** A gated pod's node selector and required node affinity may only get narrower. */
function tighteningCauses(spec: Readonly<Json>, before: Readonly<Json>): readonly Cause[] {
  const selector = textMapOf(spec["nodeSelector"]);
  const kept = Object.entries(textMapOf(before["nodeSelector"])).every(([key, value]) => selector[key] === value);
  return [
    ...(kept ? [] : [invalidField("spec.nodeSelector", "only additions to spec.nodeSelector are allowed")]),
    ...affinityCauses(requiredTerms(spec), requiredTerms(before)),
  ];
}

const AFFINITY = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";

function requiredTerms(spec: Readonly<Json>): readonly Readonly<Json>[] {
  const affinity = recordOf(recordOf(spec["affinity"])["nodeAffinity"]);
  return listOf(recordOf(affinity["requiredDuringSchedulingIgnoredDuringExecution"]), "nodeSelectorTerms");
}

function affinityCauses(terms: readonly Readonly<Json>[], old: readonly Readonly<Json>[]): readonly Cause[] {
  if (old.length === 0) return [];
  if (old.length !== terms.length) return [invalidField(AFFINITY, "no additions or deletions are allowed")];
  return old.flatMap((term, index) =>
    onlyAdds(terms[index], term) ? [] : [invalidField(`${AFFINITY}[${index}]`, "only additions are allowed")],
  );
}

function onlyAdds(term: Readonly<Json> | undefined, old: Readonly<Json>): boolean {
  if (!isRecord(term)) return false;
  const fields = ["matchExpressions", "matchFields"];
  const wasEmpty = fields.every((field) => listOf(old, field).length === 0);
  if (wasEmpty && fields.some((field) => listOf(term, field).length > 0)) return false;
  return fields.every((field) => {
    const before = listOf(old, field);
    return isDeepStrictEqual(listOf(term, field).slice(0, before.length), before);
  });
}
