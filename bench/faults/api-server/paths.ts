/** The paths by which clients name collections and objects. */
import { Refusal } from "./refusals.ts";
import { NAMESPACES, RESOURCES, type Resource } from "./resources.ts";

/** A collection or, with a name, one object of it or a subresource of that object. */
export interface Target {
  readonly resource: Resource;
  /** "" for objects without a namespace, and for a collection across all namespaces. */
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
}

const PATH = /^\/(?:api|apis\/([^/]+))\/v1(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+)(?:\/([^/]+))?)?$/;

const SUBRESOURCES = new Set(["status", "binding"]);

/** @throws Refusal 404 for a path that the server does not serve */
export function parsePath(path: string): Target {
  const target = namespaceItself(path) ?? parseCommon(path);
  if (target === undefined)
    throw new Refusal(404, "NotFound", `the server could not find the requested resource: ${path}`);
  return target;
}

/** `/api/v1/namespaces/x` names a namespace, though it begins like the path of something within one. */
function namespaceItself(path: string): Target | undefined {
  const name = /^\/api\/v1\/namespaces\/([^/]+)$/.exec(path)?.[1];
  return name === undefined ? undefined : { resource: NAMESPACES, namespace: "", name, subresource: "" };
}

function parseCommon(path: string): Target | undefined {
  const [, group = "", namespace = "", plural, name = "", subresource = ""] = PATH.exec(path) ?? [];
  const resource = RESOURCES.find((one) => one.group === group && one.plural === plural);
  if (resource === undefined || (subresource !== "" && !SUBRESOURCES.has(subresource))) return undefined;
  if (!resource.namespaced && namespace !== "") return undefined;
  return { resource, namespace, name, subresource };
}
