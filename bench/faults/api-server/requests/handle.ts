/** Any request except a watch: method, path, query and body to status and body, as over HTTP. */
import type { PatchKind, Query } from "../../../../src/kube/client/api-client.ts";
import type { KubeObject } from "../../../../src/kube/parse/kube-json.ts";
import { isRecord, recordOf, textOf } from "../../../../src/kube/parse/kube-json.ts";
import { badRequest, Refusal } from "../refusals.ts";
import { parsePath, type Target } from "../paths.ts";
import { apiVersionOf, PODS, typed } from "../resources.ts";
import { existing, type World } from "../world.ts";
import { bind } from "./bind.ts";
import { create } from "./create.ts";
import { remove, type DeleteOptions, type Removed } from "./delete.ts";
import { list } from "./list.ts";
import { patch, update } from "./update.ts";

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly query?: Query | undefined;
  readonly body?: unknown;
  /** Of a PATCH. */
  readonly patchKind?: PatchKind | undefined;
}

export interface Answer {
  readonly status: number;
  readonly body: KubeObject;
}

/** Never throws a Refusal: that is an answer with its status. */
export function handle(world: World, request: Request): Answer {
  try {
    return answered(world, request, parsePath(request.path));
  } catch (error) {
    if (error instanceof Refusal) return { status: error.status, body: error.toStatus() as KubeObject };
    throw error;
  }
}

function answered(world: World, request: Request, target: Target): Answer {
  const { method, body, query = {}, patchKind = "json" } = request;
  const options = { dryRun: query["dryRun"] === "All" };
  if (method === "POST") return posted(world, target, body, options);
  if (target.name === "") return { status: 200, body: collection(world, method, target, query) };
  switch (method) {
    case "GET":
      return { status: 200, body: typed(target.resource, existing(world, target)) };
    case "PUT":
      return { status: 200, body: update(world, target, body, options) };
    case "PATCH":
      return { status: 200, body: patch(world, target, body, patchKind, options) };
    case "DELETE":
      return { status: 200, body: deleted(target, remove(world, target, deleteOptions(query, body))) };
    default:
      throw new Refusal(405, "MethodNotAllowed", `${method} is not served`);
  }
}

function posted(world: World, target: Target, body: unknown, options: { dryRun: boolean }): Answer {
  if (target.subresource === "binding") {
    bind(world, target, body);
    return { status: 201, body: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 } };
  }
  if (target.name !== "") throw new Refusal(405, "MethodNotAllowed", "POST goes to a collection");
  return { status: 201, body: create(world, target, body, options) };
}

function collection(world: World, method: string, target: Target, query: Query): KubeObject {
  if (method !== "GET") throw new Refusal(405, "MethodNotAllowed", `${method} of a collection is not served`);
  const { kind } = target.resource;
  return { kind: `${kind}List`, apiVersion: apiVersionOf(target.resource), ...list(world, target, query) };
}

/** Of what is gone, only pods are shown as they were. */
function deleted({ resource, name }: Target, { object, isGone }: Removed): KubeObject {
  if (!isGone || resource === PODS) return object;
  const details = { name, kind: resource.plural, uid: object.metadata?.uid };
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details };
}

function deleteOptions(query: Query, body: unknown): DeleteOptions {
  if (body !== undefined && !isRecord(body)) throw badRequest("the body is no DeleteOptions");
  const { uid, resourceVersion } = recordOf(recordOf(body)["preconditions"]);
  const grace = recordOf(body)["gracePeriodSeconds"] ?? query["gracePeriodSeconds"];
  return {
    gracePeriodSeconds: grace === undefined ? undefined : Number(grace),
    preconditions: { uid: textOf(uid) || undefined, resourceVersion: textOf(resourceVersion) || undefined },
    dryRun: query["dryRun"] === "All",
  };
}
