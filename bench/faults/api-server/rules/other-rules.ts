/** Rules of Leases, Events, Namespaces, and of resources without rules of their own. */
import { recordOf, textOf } from "../../../../src/kube/parse/kube-json.ts";
import { childOf, type Json } from "../json.ts";
import { invalidField, requiredField, type Cause } from "../refusals.ts";
import type { Rules } from "./rule-set.ts";

const nothing = (): void => undefined;
const noCauses = (): readonly Cause[] => [];

export const plainRules: Rules = {
  fillIn: nothing,
  prepareCreate: nothing,
  createCauses: noCauses,
  prepareUpdate: nothing,
  updateCauses: noCauses,
  prepareStatus: nothing,
};

export const leaseRules: Rules = { ...plainRules, createCauses: leaseCauses, updateCauses: leaseCauses };

/** RFC 3339 with exactly six fractional digits: the only form that Kubernetes decodes as MicroTime. */
const MICRO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$/;

function leaseCauses(lease: Readonly<Json>): readonly Cause[] {
  const spec = recordOf(lease["spec"]);
  const seconds = spec["leaseDurationSeconds"];
  const transitions = spec["leaseTransitions"];
  const isWrong = (time: unknown) => time !== undefined && !MICRO_TIME.test(textOf(time));
  return [
    ...(typeof seconds === "number" && seconds <= 0
      ? [invalidField("spec.leaseDurationSeconds", "must be greater than 0")]
      : []),
    ...(typeof transitions === "number" && transitions < 0
      ? [invalidField("spec.leaseTransitions", "must be greater than or equal to 0")]
      : []),
    ...["renewTime", "acquireTime"]
      .filter((field) => isWrong(spec[field]))
      .map((field) => invalidField(`spec.${field}`, "must have six fractional digits")),
  ];
}

/** Bytes of a note. */
const LONGEST_NOTE_BYTES = 1_024;

export const eventRules: Rules = {
  ...plainRules,
  createCauses(event) {
    const missing = ["eventTime", "reportingController", "reportingInstance", "action", "reason"].filter(
      (field) => event[field] === undefined,
    );
    const namespace = textOf(recordOf(event["regarding"])["namespace"]) || "default";
    return [
      ...missing.map((field) => requiredField(field)),
      ...(Buffer.byteLength(textOf(event["note"])) > LONGEST_NOTE_BYTES
        ? [invalidField("message", "can have at most 1024 characters")]
        : []),
      ...(["Normal", "Warning"].includes(textOf(event["type"])) ? [] : [invalidField("type", "has invalid value")]),
      ...(namespace === textOf(recordOf(event["metadata"])["namespace"])
        ? []
        : [invalidField("involvedObject.namespace", "does not match event.namespace")]),
    ];
  },
};

export const namespaceRules: Rules = {
  ...plainRules,
  prepareCreate(namespace) {
    namespace["status"] = { phase: "Active" };
    const metadata = childOf(namespace, "metadata");
    const labels = childOf(metadata, "labels");
    labels["kubernetes.io/metadata.name"] = metadata["name"];
  },
  prepareUpdate(namespace, old) {
    namespace["status"] = old["status"];
  },
  prepareStatus(namespace, old) {
    namespace["spec"] = old["spec"];
  },
};
