/** The rules of each resource. */
import { EVENTS, LEASES, NAMESPACES, NODES, PODS, type Resource } from "../resources.ts";
import { nodeRules } from "./node-rules.ts";
import { eventRules, leaseRules, namespaceRules, plainRules } from "./other-rules.ts";
import { podRules } from "./pod-rules.ts";
import type { Rules } from "./rule-set.ts";

const RULES = new Map<Resource, Rules>([
  [PODS, podRules],
  [NODES, nodeRules],
  [NAMESPACES, namespaceRules],
  [LEASES, leaseRules],
  [EVENTS, eventRules],
]);

export const rulesOf = (resource: Resource): Rules => RULES.get(resource) ?? plainRules;
