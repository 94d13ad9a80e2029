/**
 * AdmissionReview v1 as kube-apiserver sends and accepts it (k8s.io/api/admission/v1). Only the envelope is checked
 * here. The reader of the object inside checks that object.
 */
import { z } from "zod";
import { wireError } from "./wire-error.ts";

const groupVersionResource = z.looseObject({ group: z.string(), version: z.string(), resource: z.string() });

const admissionRequest = z.looseObject({
  uid: z.string().min(1),
  resource: groupVersionResource,
  subResource: z.string().optional(),
  operation: z.enum(["CREATE", "UPDATE", "DELETE", "CONNECT"]),
  /** Absent for cluster-scoped objects. */
  namespace: z.string().optional(),
  /** Absent while `generateName` has not been resolved. */
  name: z.string().optional(),
  dryRun: z.boolean().optional(),
  /** Null on DELETE. */
  object: z.record(z.string(), z.unknown()).nullish(),
});

const admissionReview = z.looseObject({
  apiVersion: z.literal("admission.k8s.io/v1"),
  kind: z.literal("AdmissionReview"),
  request: admissionRequest,
});

/** What the API server asks. */
export type AdmissionRequest = z.infer<typeof admissionRequest>;

/** What a webhook answers; `patch` is base64 of an RFC 6902 document. */
export interface AdmissionResponse {
  readonly uid: string;
  readonly allowed: boolean;
  readonly patchType?: "JSONPatch";
  readonly patch?: string;
  /** Shown to the user, though the request is allowed. */
  readonly warnings?: readonly string[];
  /** The reason of a denial, shown to the user. */
  readonly status?: { readonly code: number; readonly reason: string; readonly message: string };
}

/** The whole document of the answer. */
export interface AdmissionReviewAnswer {
  readonly apiVersion: "admission.k8s.io/v1";
  readonly kind: "AdmissionReview";
  readonly response: AdmissionResponse;
}

/**
 * Reads the envelope of an AdmissionReview.
 * @throws WireError that names every wrong place
 */
export function parseAdmissionReview(body: unknown): AdmissionRequest {
  const parsed = admissionReview.safeParse(body);
  if (!parsed.success) throw wireError("AdmissionReview (admission.k8s.io/v1)", parsed.error.issues);
  return parsed.data.request;
}

/** Wraps a response into the document that the API server expects. */
export function admissionAnswer(response: AdmissionResponse): AdmissionReviewAnswer {
  return { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response };
}
