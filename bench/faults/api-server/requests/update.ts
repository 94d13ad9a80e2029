/** PUT and PATCH of an object or of its status. */
import { isDeepStrictEqual } from "node:util";
import type { PatchKind } from "../../../../src/kube/client/api-client.ts";
import { recordOf, textOf } from "../../../../src/kube/parse/kube-json.ts";
import type { KubeObject } from "../../../../src/kube/parse/kube-json.ts";
import { admitted } from "../admission.ts";
import { listOf, normalised, type Json } from "../json.ts";
import { patched } from "../protocol/patches.ts";
import { badRequest, conflict, invalidField, refuseInvalid } from "../refusals.ts";
import type { Target } from "../paths.ts";
import { typed } from "../resources.ts";
import { fixedCauses, keepFixed, metadataCauses } from "../rules/metadata.ts";
import { rulesOf } from "../rules/rules.ts";
import { bodyOf, drawUid, existing, keyOf, ruleContext, type World } from "../world.ts";
import type { WriteOptions } from "./create.ts";

/** PUT. @throws Refusal */
export function update(world: World, target: Target, body: unknown, options: WriteOptions = {}): KubeObject {
  const object = bodyOf(target, body);
  const { uid, name } = object.metadata;
  if (name !== undefined && name !== target.name)
    throw badRequest("the name of the object does not match the name on the URL");
  object.metadata["name"] = target.name;
  const old = existing(world, target);
  if (uid !== undefined && uid !== old.metadata?.uid) {
    throw conflict(target.resource, target.name, "Precondition failed: UID in precondition");
  }
  return write(world, target, old, object, options);
}

/** PATCH. @throws Refusal */
export function patch(
  world: World,
  target: Target,
  body: unknown,
  kind: PatchKind,
  options: WriteOptions = {},
): KubeObject {
  const old = existing(world, target);
  const { kind: _kind, apiVersion: _version, ...object } = patched(typed(target.resource, old), body, kind);
  return write(world, target, old, { ...object, metadata: { ...recordOf(object["metadata"]) } }, options);
}

function write(
  world: World,
  target: Target,
  old: KubeObject,
  given: Json & { metadata: Json },
  { dryRun = false }: WriteOptions,
): KubeObject {
  const { resource, name } = target;
  const before = old as Readonly<Json>;
  const object = target.subresource === "status" ? given : reviewed(world, target, before, given, dryRun);
  const metadata = object["metadata"] as Json;
  refuseOtherVersion(target, textOf(metadata["resourceVersion"]), textOf(old.metadata?.resourceVersion));
  metadata["resourceVersion"] = old.metadata?.resourceVersion;
  keepFixed(object, before);
  normalised(object);
  refuseInvalid(resource, name, causesOf(target, object, before));
  if (isDeepStrictEqual(object, before)) return typed(resource, old);
  if (dryRun) return typed(resource, object);
  if (lostLastFinalizer(object, old)) {
    // The object goes in this very write: watches see it with its finalizer, and the answer has no version of its own.
    world.store.delete(resource, keyOf(target));
    return typed(resource, object);
  }
  return typed(resource, world.store.put(resource, keyOf(target), object));
}

/** Defaults, then webhooks. */
function reviewed(world: World, target: Target, old: Readonly<Json>, given: Json, dryRun: boolean): Json {
  const rules = rulesOf(target.resource);
  const context = ruleContext(world);
  rules.fillIn(given, old, context);
  const review = { operation: "UPDATE", target, old, dryRun, newUid: () => drawUid(world) } as const;
  const object = admitted(world.webhooks, given, review);
  rules.fillIn(object, old, context);
  return object;
}

/** No resourceVersion in the body means: whatever is there, for most resources. */
function refuseOtherVersion({ resource, name }: Target, asked: string, current: string): void {
  if (asked === "" || asked === "0") {
    if (resource.unconditionalUpdate) return;
    refuseInvalid(resource, name, [invalidField("metadata.resourceVersion", "must be specified for an update")]);
  }
  if (asked === current) return;
  throw conflict(resource, name, "the object has been modified; please apply your changes to the latest version");
}

function causesOf({ resource, subresource }: Target, object: Json, old: Readonly<Json>) {
  const rules = rulesOf(resource);
  if (subresource === "status") {
    rules.prepareStatus(object, old);
    return fixedCauses(object, old);
  }
  rules.prepareUpdate(object, old);
  return [
    ...metadataCauses(recordOf(object["metadata"])),
    ...fixedCauses(object, old),
    ...rules.updateCauses(object, old),
  ];
}

/** An object that waited for its finalizers goes with the last of them. */
function lostLastFinalizer(object: KubeObject, old: KubeObject): boolean {
  const metadata = recordOf(object.metadata);
  if (metadata["deletionTimestamp"] === undefined || Number(metadata["deletionGracePeriodSeconds"] ?? 0) > 0)
    return false;
  return listOf(metadata, "finalizers").length === 0 && listOf(recordOf(old.metadata), "finalizers").length > 0;
}
