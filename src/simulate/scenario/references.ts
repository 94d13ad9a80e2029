/** Rules across several places of a scenario. They run even if there are other errors. */
import type * as z from "zod";
import { fieldsOf } from "../../policy/section.ts";

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as readonly unknown[]) : []);

type Refuse = (path: readonly PropertyKey[], message: string) => void;

/**
 * Checks that names are unique, images and devices exist, cordons end, only Deployments have replicas, and the
 * autoscaler's nodes exist.
 */
export function checkReferences(scenario: unknown, context: z.RefinementCtx): void {
  const refuse: Refuse = (path, message) => context.addIssue({ code: "custom", path: [...path], message });
  const { nodes, images, workloads, autoscaler } = fieldsOf(scenario);
  const known = new Set(listOf(images).map((image) => fieldsOf(image)["name"]));
  const names = new Set(listOf(workloads).map((workload) => fieldsOf(workload)["name"]));
  const devices = new Set(listOf(nodes).map((entry) => fieldsOf(fieldsOf(entry)["devices"])["resource"]));
  checkUnique(listOf(images), "images", refuse);
  checkUnique(listOf(workloads), "workloads", refuse);
  for (const [index, entry] of listOf(nodes).entries()) {
    checkImages(listOf(fieldsOf(entry)["present"]), known, ["nodes", index, "present"], refuse);
    const { fromSeconds, untilSeconds } = fieldsOf(fieldsOf(entry)["cordon"]);
    if (typeof fromSeconds === "number" && typeof untilSeconds === "number" && untilSeconds <= fromSeconds) {
      refuse(["nodes", index, "cordon", "untilSeconds"], `is not after fromSeconds (${fromSeconds})`);
    }
  }
  for (const [index, workload] of listOf(workloads).entries()) {
    checkImages(listOf(fieldsOf(workload)["images"]), known, ["workloads", index, "images"], refuse);
    for (const [at, entry] of listOf(fieldsOf(workload)["initContainers"]).entries()) {
      const { image, waitsFor } = fieldsOf(entry);
      const path = ["workloads", index, "initContainers", at];
      checkName(image, known, [...path, "image"], "images", refuse);
      checkName(waitsFor, names, [...path, "waitsFor"], "workloads", refuse);
    }
    const { kind, replicas, device } = fieldsOf(workload);
    checkName(device, devices, ["workloads", index, "device"], "nodes[].devices", refuse);
    if (kind === "DaemonSet" && replicas !== undefined) {
      refuse(["workloads", index, "replicas"], "is given for a DaemonSet, which has one pod per node; leave it out");
    }
  }
  const which = fieldsOf(autoscaler)["nodes"] ?? 0;
  if (autoscaler !== undefined && typeof which === "number" && which >= listOf(nodes).length) {
    refuse(["autoscaler", "nodes"], `is ${which}, but nodes has ${listOf(nodes).length} entries, counted from 0`);
  }
}

function checkUnique(entries: readonly unknown[], list: string, refuse: Refuse): void {
  const seen = new Set<unknown>();
  for (const [index, entry] of entries.entries()) {
    const { name } = fieldsOf(entry);
    if (typeof name === "string" && seen.has(name)) {
      refuse([list, index, "name"], "is the name of an earlier one too; choose another");
    }
    seen.add(name);
  }
}

function checkImages(
  names: readonly unknown[],
  known: ReadonlySet<unknown>,
  path: readonly PropertyKey[],
  refuse: Refuse,
) {
  for (const [index, name] of names.entries()) {
    checkName(name, known, [...path, index], "images", refuse);
  }
}

function checkName(
  name: unknown,
  known: ReadonlySet<unknown>,
  path: readonly PropertyKey[],
  list: string,
  refuse: Refuse,
) {
  if (typeof name === "string" && !known.has(name)) {
    refuse(path, `is "${name}", which is not under ${list}; add it there or correct the name`);
  }
}
