/**
 * Gives new pods of selected namespaces to the second scheduler, for pods CREATE. Fails open: if anything goes wrong
 * here, or if that scheduler's Lease is stale, the pod keeps its scheduler.
 */
import type { AdmissionRequest, AdmissionResponse } from "../api/admission-review.ts";
import { allowAsIs, allowWithPatch, type Touched } from "./patch.ts";

/** The API server's default of `spec.schedulerName`. */
const DEFAULT_SCHEDULER = "default-scheduler";

/** The result of one request; for metrics and logs. */
export type SchedulerNameReport =
  { readonly kind: "redirected"; readonly dryRun: boolean } | { readonly kind: "failure"; readonly error: unknown };

export interface SchedulerNameOptions {
  /** The name that pods get. */
  readonly schedulerName: string;
  /** True if that scheduler was seen to renew its Lease: it will schedule the pods. */
  readonly isAlive: () => boolean;
  readonly report: (report: SchedulerNameReport) => void;
}

/** True for a new pod that names no scheduler of its own. */
function isUndecided({ operation, resource, subResource, object }: AdmissionRequest): boolean {
  if (operation !== "CREATE" || resource.group !== "" || resource.resource !== "pods" || subResource) return false;
  const { nodeName = "", schedulerName = DEFAULT_SCHEDULER } = (object as Touched).spec ?? {};
  return nodeName === "" && schedulerName === DEFAULT_SCHEDULER;
}

/** Makes the handler of `/mutate/scheduler`. It never throws. */
export function schedulerNameAdmission({ schedulerName, isAlive, report }: SchedulerNameOptions) {
  return (request: AdmissionRequest): AdmissionResponse => {
    try {
      if (!isUndecided(request) || !isAlive()) return allowAsIs(request.uid);
      const given = (request.object as Touched).spec;
      const before = {
        ...(given && { spec: "schedulerName" in given ? { schedulerName: given["schedulerName"] } : {} }),
      };
      const answer = allowWithPatch(request.uid, before, { spec: { schedulerName } });
      report({ kind: "redirected", dryRun: request.dryRun === true });
      return answer;
    } catch (error) {
      // Fails open: the cluster's own scheduler takes the pod (promise 1).
      report({ kind: "failure", error });
      return allowAsIs(request.uid);
    }
  };
}
