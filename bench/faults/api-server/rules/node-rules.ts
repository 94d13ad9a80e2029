/** Rules of nodes. */
import { isDeepStrictEqual } from "node:util";
import { recordOf } from "../../../../src/kube/parse/kube-json.ts";
import { childOf, listOf, type Json } from "../json.ts";
import { forbiddenField, type Cause } from "../refusals.ts";
import { plainRules } from "./other-rules.ts";
import type { Rules } from "./rule-set.ts";
import { taintCauses } from "./tolerations.ts";

const NOT_READY = { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" };

export const nodeRules: Rules = {
  ...plainRules,
  /** Admission plug-in TaintNodesByCondition: each new node starts with the taint. */
  fillIn(node, old) {
    if (old !== undefined) return;
    const spec = childOf(node, "spec");
    const taints = listOf(spec, "taints");
    const isThere = taints.some(({ key, effect }) => key === NOT_READY.key && effect === NOT_READY.effect);
    if (!isThere) spec["taints"] = [...taints, { ...NOT_READY }];
  },
  /** A kubelet may set the status of the node that it creates. */
  createCauses: (node) => taintCauses(recordOf(node["spec"])),
  prepareUpdate(node, old) {
    if (old["status"] === undefined) Reflect.deleteProperty(node, "status");
    else node["status"] = old["status"];
  },
  updateCauses: (node, old) => [
    ...taintCauses(recordOf(node["spec"])),
    ...fixedOnceSet(recordOf(node["spec"]), recordOf(old["spec"])),
  ],
  prepareStatus(node, old) {
    node["spec"] = old["spec"];
  },
};

function fixedOnceSet(spec: Readonly<Json>, before: Readonly<Json>): readonly Cause[] {
  return ["podCIDR", "podCIDRs", "providerID"]
    .filter((field) => before[field] !== undefined && !isDeepStrictEqual(before[field], spec[field]))
    .map((field) => forbiddenField(`spec.${field}`, `node updates may not change ${field} once it is set`));
}
