/** GET of a collection, page by page; all pages show the objects as they were at the first one. */
import type { Query } from "../../../../src/kube/client/api-client.ts";
import type { KubeObject } from "../../../../src/kube/parse/kube-json.ts";
import { selection } from "../protocol/selectors.ts";
import { badRequest } from "../refusals.ts";
import type { Target } from "../paths.ts";
import type { World } from "../world.ts";

export interface List {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly KubeObject[];
}

/** Where the next page begins. */
interface Token {
  readonly version: number;
  readonly after: string;
}

/** @throws Refusal 410 when the version of the continue token is compacted */
export function list(world: World, target: Target, query: Query): List {
  const matches = selection(target, query);
  const { version, after } = tokenOf(query["continue"]) ?? { version: world.store.version, after: "" };
  const objects = world.store.at(target.resource, version);
  const limit = Number(query["limit"] ?? 0) || Infinity;
  const items: KubeObject[] = [];
  let last = "";
  for (const key of keysOf(objects, target)) {
    if (key <= after) continue;
    // There may be another page though nothing in it matches.
    if (items.length === limit) return page(items, version, { version, after: last });
    const object = objects.get(key);
    if (object === undefined || !matches(object)) continue;
    items.push(object);
    last = key;
  }
  return page(items, version);
}

function keysOf(objects: ReadonlyMap<string, KubeObject>, { namespace }: Target): readonly string[] {
  const keys = [...objects.keys()];
  return (namespace === "" ? keys : keys.filter((key) => key.startsWith(`${namespace}/`))).sort(byBytes);
}

const byBytes = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0);

function page(items: readonly KubeObject[], version: number, next?: Token): List {
  const token = next === undefined ? {} : { continue: Buffer.from(JSON.stringify(next)).toString("base64url") };
  return { metadata: { resourceVersion: String(version), ...token }, items };
}

function tokenOf(text: unknown): Token | undefined {
  if (typeof text !== "string" || text === "") return undefined;
  try {
    const token = JSON.parse(Buffer.from(text, "base64url").toString()) as Token;
    if (typeof token.version === "number" && typeof token.after === "string") return token;
  } catch {
    // falls through: no token of ours
  }
  throw badRequest("continue key is not valid");
}
