/** Tolerations and taints that Kubernetes takes. */
import { textOf } from "../../../../src/kube/parse/kube-json.ts";
import { listOf, type Json } from "../json.ts";
import { invalidField, requiredField, type Cause } from "../refusals.ts";
import { isLabelValue, isQualifiedName } from "./metadata.ts";

const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

const unsupported = (field: string, value: unknown): Cause => ({
  reason: "FieldValueNotSupported",
  field,
  message: `unsupported value: ${JSON.stringify(value)}`,
});

/** Causes for the tolerations of a pod's spec. */
export function tolerationCauses(spec: Readonly<Json>): readonly Cause[] {
  return listOf(spec, "tolerations").flatMap((one, index) => tolerationCause(one, `spec.tolerations[${index}]`));
}

function tolerationCause(toleration: Readonly<Json>, at: string): readonly Cause[] {
  const { operator = "", effect = "", tolerationSeconds } = toleration;
  const [key, value] = [textOf(toleration["key"]), textOf(toleration["value"])];
  const causes: Cause[] = [];
  if (key !== "" && !isQualifiedName(key)) causes.push(invalidField(`${at}.key`, "no qualified name"));
  if (key === "" && operator !== "Exists") causes.push(invalidField(`${at}.operator`, "must be Exists without a key"));
  if (tolerationSeconds !== undefined && effect !== "NoExecute") {
    causes.push(invalidField(`${at}.effect`, "effect must be 'NoExecute' when `tolerationSeconds` is set"));
  }
  if (operator === "Exists" && value !== "") causes.push(invalidField(`${at}.operator`, "value must be empty"));
  if (["", "Equal"].includes(operator as string) && !isLabelValue(value)) {
    causes.push(invalidField(`${at}.operator`, "no label value"));
  }
  if (!["", "Equal", "Exists"].includes(operator as string)) causes.push(unsupported(`${at}.operator`, operator));
  if (effect !== "" && !EFFECTS.includes(effect as string)) causes.push(unsupported(`${at}.effect`, effect));
  return causes;
}

/** Causes for the taints of a node's spec. */
export function taintCauses(spec: Readonly<Json>): readonly Cause[] {
  const seen = new Set<string>();
  return listOf(spec, "taints").flatMap((taint, index) => {
    const at = `metadata.taints[${index}]`;
    const [key, effect] = [textOf(taint["key"]), textOf(taint["effect"])];
    const pair = `${key} ${effect}`;
    const causes: Cause[] = [];
    if (!isQualifiedName(key)) causes.push(invalidField(`${at}.key`, "no qualified name"));
    if (!isLabelValue(textOf(taint["value"]))) causes.push(invalidField(`${at}.value`, "no label value"));
    if (effect === "") causes.push(requiredField(`${at}.effect`));
    else if (!EFFECTS.includes(effect)) causes.push(unsupported(`${at}.effect`, effect));
    if (seen.has(pair)) {
      causes.push({
        reason: "FieldValueDuplicate",
        field: at,
        message: "taints must be unique by key and effect pair",
      });
    }
    seen.add(pair);
    return causes;
  });
}
