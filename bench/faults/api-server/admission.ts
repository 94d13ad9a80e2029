/** Webhooks of the modelled cluster: they change or refuse a request, in order. Their failurePolicy is Ignore. */
import type { AdmissionRequest, AdmissionResponse } from "../../../src/api/admission-review.ts";
import { textOf } from "../../../src/kube/parse/kube-json.ts";
import { copyOf, type Json } from "./json.ts";
import { jsonPatched } from "./protocol/json-patch.ts";
import { Refusal } from "./refusals.ts";
import type { Target } from "./paths.ts";
import { typed } from "./resources.ts";

/** A webhook. When it throws, the request goes on as if it had not been asked. */
export type Webhook = (request: AdmissionRequest) => AdmissionResponse;

/** What is asked of every webhook, in the order of the list. */
export interface Review {
  readonly operation: "CREATE" | "UPDATE";
  readonly target: Target;
  readonly old?: Readonly<Json> | undefined;
  readonly dryRun: boolean;
  readonly newUid: () => string;
}

/** @returns the object after all webhooks. @throws Refusal if one of them does not allow it */
export function admitted(webhooks: readonly Webhook[], object: Json, review: Review): Json {
  let current = object;
  for (const webhook of webhooks) current = answered(webhook, current, review);
  return current;
}

function answered(webhook: Webhook, object: Json, review: Review): Json {
  const request = requestFor(object, review);
  let response: AdmissionResponse;
  let changed = object;
  try {
    response = webhook(request);
    if (response.allowed && response.patch !== undefined) {
      const patch: unknown = JSON.parse(Buffer.from(response.patch, "base64").toString());
      const { kind: _kind, apiVersion: _version, ...rest } = jsonPatched(copyOf(request.object) as Json, patch);
      changed = rest;
    }
  } catch {
    return object;
  }
  if (response.allowed) return changed;
  const { code = 403, reason = "Forbidden", message = "denied" } = response.status ?? {};
  throw new Refusal(code, reason, `admission webhook denied the request: ${message}`);
}

function requestFor(object: Json, { operation, target, old, dryRun, newUid }: Review): AdmissionRequest {
  const { resource, namespace, subresource } = target;
  const name = target.name || textOf((object["metadata"] as Json)["name"]);
  return {
    uid: newUid(),
    kind: { group: resource.group, version: "v1", kind: resource.kind },
    resource: { group: resource.group, version: "v1", resource: resource.plural },
    ...(subresource === "" ? {} : { subResource: subresource }),
    ...(namespace === "" ? {} : { namespace }),
    ...(name === "" ? {} : { name }),
    operation,
    dryRun,
    object: copyOf(typed(resource, object)),
    oldObject: old === undefined ? null : copyOf(old),
  };
}
