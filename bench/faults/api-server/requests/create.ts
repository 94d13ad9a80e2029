/** POST of a new object. */
import { recordOf, textOf } from "../../../../src/kube/parse/kube-json.ts";
import type { KubeObject } from "../../../../src/kube/parse/kube-json.ts";
import { admitted } from "../admission.ts";
import { generatedName } from "../chance.ts";
import { normalised, type Json } from "../json.ts";
import { alreadyExists, badRequest, notFound, Refusal, refuseInvalid } from "../refusals.ts";
import type { Target } from "../paths.ts";
import { NAMESPACES, typed } from "../resources.ts";
import { metadataCauses, stampNew } from "../rules/metadata.ts";
import { rulesOf } from "../rules/rules.ts";
import { bodyOf, drawUid, keyOf, ruleContext, type World } from "../world.ts";

export interface WriteOptions {
  /** Everything happens except the write. */
  readonly dryRun?: boolean | undefined;
}

/** Draws of a generated name before the server says that it exists. */
const NAME_DRAWS = 8;

/** @throws Refusal */
export function create(world: World, target: Target, body: unknown, { dryRun = false }: WriteOptions = {}): KubeObject {
  const { resource } = target;
  if (resource.namespaced && target.namespace === "")
    throw new Refusal(405, "MethodNotAllowed", "no namespace in the path");
  const given = bodyOf(target, body);
  refuseMissingNamespace(world, target);
  const givenVersion = textOf(given.metadata["resourceVersion"]);
  const context = ruleContext(world);
  const rules = rulesOf(resource);
  rules.fillIn(given, undefined, context);
  const review = { operation: "CREATE", target, dryRun, newUid: () => drawUid(world) } as const;
  const object = admitted(world.webhooks, given, review);
  rules.fillIn(object, undefined, context);
  nameIt(world, target, object);
  stampNew(object, drawUid(world), context.nowMs);
  normalised(object);
  rules.prepareCreate(object, context);
  const metadata = recordOf(object["metadata"]);
  const name = textOf(metadata["name"]);
  refuseInvalid(resource, name, [...metadataCauses(metadata), ...rules.createCauses(object)]);
  if (givenVersion !== "") throw new Refusal(500, "", "resourceVersion should not be set on objects to be created");
  const key = keyOf({ ...target, name });
  if (world.store.get(resource, key) !== undefined) throw alreadyExists(resource, name);
  return typed(resource, dryRun ? object : world.store.put(resource, key, object));
}

/** Admission plug-in NamespaceLifecycle. */
function refuseMissingNamespace({ store }: World, { namespace }: Target): void {
  if (namespace === "") return;
  const found = store.get(NAMESPACES, namespace);
  if (found === undefined) throw notFound(NAMESPACES, namespace);
  if (recordOf(found["status"])["phase"] === "Terminating") {
    throw new Refusal(
      403,
      "Forbidden",
      `unable to create new content in namespace ${namespace}: it is being terminated`,
    );
  }
}

function nameIt({ random, store }: World, target: Target, object: Json): void {
  const metadata = object["metadata"] as Json;
  const start = textOf(metadata["generateName"]);
  if (textOf(metadata["name"]) !== "" || start === "") return;
  if (target.name !== "") throw badRequest("a name in the path and generateName in the object");
  for (let draw = 0; draw < NAME_DRAWS; draw++) {
    const name = generatedName(start, random);
    metadata["name"] = name;
    if (store.get(target.resource, keyOf({ ...target, name })) === undefined) return;
  }
}
