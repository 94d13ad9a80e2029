/** One line of a watch. */
import { ApiError } from "../client/api-error.ts";
import { isRecord, recordOf, textOf } from "../parse/kube-json.ts";
import type { KubeObject } from "../parse/kube-json.ts";

export type WatchEvent =
  | { readonly kind: "upsert"; readonly object: KubeObject }
  | { readonly kind: "delete"; readonly object: KubeObject }
  | { readonly kind: "bookmark"; readonly object: KubeObject }
  | { readonly kind: "error"; readonly error: ApiError }
  | { readonly kind: "unknown"; readonly type: string };

/** Reads a line; undefined if it is no watch event (cut off, garbled). Never throws. */
export function parseWatchEvent(line: string): WatchEvent | undefined {
  const event = parse(line);
  if (event === undefined || !isRecord(event["object"])) return undefined;
  const object = event["object"] as KubeObject;
  const type = textOf(event["type"]);
  switch (type) {
    case "ADDED":
    case "MODIFIED":
      return { kind: "upsert", object };
    case "DELETED":
      return { kind: "delete", object };
    case "BOOKMARK":
      return { kind: "bookmark", object };
    case "ERROR":
      return { kind: "error", error: statusError(object) };
    default:
      return { kind: "unknown", type };
  }
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function statusError(status: KubeObject): ApiError {
  const code = typeof status["code"] === "number" ? status["code"] : 500;
  const seconds = recordOf(status["details"])["retryAfterSeconds"];
  return new ApiError(code, textOf(status["reason"]), `watch: ${textOf(status["message"])}`, {
    retryAfterSeconds: typeof seconds === "number" ? seconds : undefined,
  });
}
