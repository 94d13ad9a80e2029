/** What a watch shows of a change, as lines of JSON. */
import type { KubeObject } from "../../../../src/kube/parse/kube-json.ts";
import type { Matches } from "../protocol/selectors.ts";
import type { Refusal } from "../refusals.ts";
import { apiVersionOf, typed, type Resource } from "../resources.ts";
import type { Change } from "../storage/history.ts";
import { withVersion } from "../storage/store.ts";

/** JSON of stored objects, which many watches show. */
const texts = new WeakMap<KubeObject, string>();

function textOf(resource: Resource, object: KubeObject): string {
  let text = texts.get(object);
  if (text === undefined) {
    text = JSON.stringify(typed(resource, object));
    texts.set(object, text);
  }
  return text;
}

/**
 * The line for a change, or undefined if the selectors match neither the old nor the new object. An object that the
 * selectors do not match any more is shown as deleted, in its last matching form with the version of the change.
 */
export function lineOf(resource: Resource, { before, after, version }: Change, matches: Matches): string | undefined {
  const was = before !== undefined && matches(before);
  if (after !== undefined && matches(after)) return event(was ? "MODIFIED" : "ADDED", textOf(resource, after));
  return was ? event("DELETED", JSON.stringify(typed(resource, withVersion(before, version)))) : undefined;
}

/** For a watch without a position: shows what is there. */
export const addedLine = (resource: Resource, object: KubeObject) => event("ADDED", textOf(resource, object));

export function bookmarkLine(resource: Resource, version: number): string {
  const { kind } = resource;
  const metadata = { resourceVersion: String(version), creationTimestamp: null };
  return event("BOOKMARK", JSON.stringify({ kind, apiVersion: apiVersionOf(resource), metadata }));
}

export const errorLine = (refusal: Refusal) => event("ERROR", JSON.stringify(refusal.toStatus()));

const event = (type: string, object: string) => `{"type":"${type}","object":${object}}`;
