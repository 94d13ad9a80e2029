/**
 * Takes Paceline's own annotations off new pods, for pods CREATE: a tenant forged them, or a backup brought them back.
 * Fails open: if anything goes wrong here, the pod keeps them, and the core believes them no further than they can be
 * Paceline's.
 */
import type { AdmissionRequest, AdmissionResponse } from "../api/admission-review.ts";
import { POD_NOTES } from "../api/names.ts";
import type { PacingPolicy } from "../policy/schema.ts";
import { allowAsIs, allowWithPatch, type Touched } from "./patch.ts";

/** The result of one request; for metrics and logs. */
export type AnnotationsReport =
  | { readonly kind: "stripped"; readonly pod: string; readonly user: string; readonly dryRun: boolean }
  | { readonly kind: "failure"; readonly error: unknown };

export interface AnnotationsOptions {
  /** The policy in force; undefined until one has been read. Where it does not enforce, nothing is changed. */
  readonly policy: () => PacingPolicy | undefined;
  readonly report: (report: AnnotationsReport) => void;
}

const isPodCreation = ({ operation, resource, subResource }: AdmissionRequest) =>
  operation === "CREATE" && resource.group === "" && resource.resource === "pods" && (subResource ?? "") === "";

const userOf = ({ userInfo }: AdmissionRequest) => (userInfo as { username?: string } | undefined)?.username ?? "";

/**
 * Makes the handler of `/mutate/annotations`. It never throws. The gate's webhook comes after it, so what that writes
 * in the same request stays.
 */
export function annotationsAdmission({ policy, report }: AnnotationsOptions) {
  return (request: AdmissionRequest): AdmissionResponse => {
    try {
      if (!isPodCreation(request) || policy()?.mode !== "enforce") return allowAsIs(request.uid);
      const annotations = (request.object as Touched).metadata?.annotations ?? {};
      const isForeign = (name: string) => (POD_NOTES as readonly string[]).includes(name);
      const kept = Object.fromEntries(Object.entries(annotations).filter(([name]) => !isForeign(name)));
      if (Object.keys(kept).length === Object.keys(annotations).length) return allowAsIs(request.uid);
      const answer = allowWithPatch(request.uid, { metadata: { annotations } }, { metadata: { annotations: kept } });
      const pod = `${request.namespace ?? ""}/${request.name ?? ""}`;
      report({ kind: "stripped", pod, user: userOf(request), dryRun: request.dryRun === true });
      return answer;
    } catch (error) {
      report({ kind: "failure", error });
      return allowAsIs(request.uid);
    }
  };
}
