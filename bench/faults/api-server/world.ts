/** What every request works on. */
import { isRecord, textMapOf, textOf } from "../../../src/kube/parse/kube-json.ts";
import type { KubeObject } from "../../../src/kube/parse/kube-json.ts";
import type { Webhook } from "./admission.ts";
import { newUid } from "./chance.ts";
import { copyOf, type Json } from "./json.ts";
import { badRequest, notFound } from "./refusals.ts";
import type { Target } from "./paths.ts";
import { NODES } from "./resources.ts";
import type { RuleContext } from "./rules/rule-set.ts";
import type { Store } from "./storage/store.ts";

export interface World {
  readonly now: () => number;
  readonly random: () => number;
  readonly store: Store;
  readonly webhooks: readonly Webhook[];
  readonly priorityClasses: Readonly<Record<string, number>>;
}

/** Key of an object in the store; the order of keys is the order of lists. */
export const keyOf = ({ namespace, name }: Pick<Target, "namespace" | "name">) =>
  namespace === "" ? name : `${namespace}/${name}`;

/** @throws Refusal 404 */
export function existing(world: World, target: Target): KubeObject {
  const found = world.store.get(target.resource, keyOf(target));
  if (found === undefined) throw notFound(target.resource, target.name);
  return found;
}

/** The body of a request as an object of this resource, without kind and apiVersion. @throws Refusal 400 */
export function bodyOf({ resource, namespace }: Target, body: unknown): Json & { metadata: Json } {
  if (!isRecord(body)) throw badRequest("the body is no object");
  const { kind, apiVersion: _version, ...object } = copyOf(body) as Json;
  if (kind !== undefined && kind !== resource.kind) throw badRequest(`${textOf(kind)} is no ${resource.kind}`);
  const metadata = isRecord(object["metadata"]) ? (object["metadata"] as Json) : {};
  const named = textOf(metadata["namespace"]);
  if (named !== "" && named !== namespace) {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  return { ...object, metadata: namespace === "" ? metadata : { ...metadata, namespace } };
}

/** Labels of a node that its pods get when they are bound (admission plug-in PodTopologyLabels). */
const TOPOLOGY = ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"];

export function topologyOf({ store }: World, node: string): Readonly<Record<string, string>> {
  const labels = Object.entries(textMapOf(store.get(NODES, node)?.metadata?.labels));
  return Object.fromEntries(labels.filter(([key]) => TOPOLOGY.includes(key)));
}

export const ruleContext = (world: World): RuleContext => ({
  nowMs: world.now(),
  priorityClasses: world.priorityClasses,
  topologyOf: (node) => topologyOf(world, node),
});

export const drawUid = (world: World) => newUid(world.random);
