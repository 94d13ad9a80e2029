/** Admission answers with and without a JSON Patch. */
import fastJsonPatch from "fast-json-patch";
import type { AdmissionResponse } from "../api/admission-review.ts";

/** The part of a Kubernetes object that Paceline's webhooks touch. */
export interface Touched {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** Allows a request as it is. */
export const allowAsIs = (uid: string): AdmissionResponse => ({ uid, allowed: true });

/**
 * Allows a request, with the difference between two forms of an object as its patch. Both need only the changed fields
 * and their parents as they are in the request: comparing whole pods would cost time.
 */
export function allowWithPatch(uid: string, before: Touched, after: Touched): AdmissionResponse {
  const operations = fastJsonPatch.compare(before, after);
  if (operations.length === 0) return allowAsIs(uid);
  const patch = Buffer.from(JSON.stringify(operations)).toString("base64");
  return { uid, allowed: true, patchType: "JSONPatch", patch };
}
