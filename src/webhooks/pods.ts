/**
 * The gate, for pods CREATE. Fails open: if anything goes wrong here, the pod is created as it came. A pod that is not
 * gated starts too early at worst. A pod that is refused, or gated by mistake, does not start at all.
 */
import type { AdmissionRequest, AdmissionResponse } from "../api/admission-review.ts";
import { GATE, HOLD_ANNOTATION } from "../api/names.ts";
import type { PodFacts } from "../core/facts.ts";
import type { Pacer } from "../core/pacer.ts";
import type { ReplicaState } from "../core/verdict.ts";
import type { Hold, Verdict } from "../core/verdict.ts";
import { ignoredTerms } from "../policy/own-terms.ts";
import { allowAsIs, allowWithPatch, type Touched } from "./patch.ts";

/** Reads the pod inside an AdmissionReview. Its own namespace may be missing, so the context has the request's. */
export type ToPodFacts = (raw: unknown, context: { readonly namespace: string }) => PodFacts;

/** Writes the value of {@link HOLD_ANNOTATION}, as the release loop will read it. */
export type FormatHold = (hold: Pick<Hold, "node" | "reason"> & { readonly sinceMs: number }) => string;

/** The result of one request; for metrics and logs. */
export type PodAdmissionReport =
  | {
      readonly kind: "verdict";
      readonly pod: PodFacts;
      readonly verdict: Verdict;
      readonly dryRun: boolean;
      readonly ignored: readonly string[];
    }
  | { readonly kind: "failure"; readonly error: unknown };

export interface PodAdmissionOptions {
  readonly pacer: Pick<Pacer, "admit">;
  readonly toPodFacts: ToPodFacts;
  readonly formatHold: FormatHold;
  readonly replica: () => ReplicaState;
  readonly now: () => number;
  readonly report: (report: PodAdmissionReport) => void;
}

/** Adds gate and annotation. Other gates stay, in their order. */
function gatePatch(request: AdmissionRequest, holdNote: string): AdmissionResponse {
  const { metadata, spec } = request.object as Touched;
  const gates = Array.isArray(spec?.schedulingGates) ? (spec.schedulingGates as unknown[]) : undefined;
  const annotations = metadata?.annotations;
  const before = {
    ...(metadata && { metadata: annotations ? { annotations } : {} }),
    ...(spec && { spec: gates ? { schedulingGates: gates } : {} }),
  };
  const after = {
    metadata: { annotations: { ...annotations, [HOLD_ANNOTATION]: holdNote } },
    spec: { schedulingGates: [...(gates ?? []), { name: GATE }] },
  };
  return allowWithPatch(request.uid, before, after);
}

/** Takes both off again, where a webhook that ran in between has made the pod one that is left alone. */
function ungatePatch(request: AdmissionRequest): AdmissionResponse {
  const { metadata, spec } = request.object as Touched;
  const gates = spec?.["schedulingGates"] as readonly { readonly name?: string }[];
  const { [HOLD_ANNOTATION]: _, ...annotations } = metadata?.annotations ?? {};
  const before = {
    metadata: { ...(metadata?.annotations && { annotations: metadata.annotations }) },
    spec: { schedulingGates: gates },
  };
  const after = {
    metadata: { ...(metadata?.annotations && { annotations }) },
    spec: { schedulingGates: gates.filter(({ name }) => name !== GATE) },
  };
  return allowWithPatch(request.uid, before, after);
}

const isPodCreation = ({ operation, resource, subResource }: AdmissionRequest) =>
  operation === "CREATE" && resource.group === "" && resource.resource === "pods" && (subResource ?? "") === "";

/**
 * Makes the handler of `/mutate/pods`. It never throws. A dry run gets the same answer, and counts for nothing.
 */
export function podAdmission(options: PodAdmissionOptions): (request: AdmissionRequest) => AdmissionResponse {
  const { pacer, toPodFacts, formatHold, replica, now, report } = options;
  const answerTo = (request: AdmissionRequest, pod: PodFacts, verdict: Verdict, nowMs: number) => {
    if (verdict.kind === "hold") return gatePatch(request, formatHold({ ...verdict, sinceMs: nowMs }));
    return verdict.reason === "Exempt" && pod.gated ? ungatePatch(request) : allowAsIs(request.uid);
  };
  return (request) => {
    if (!isPodCreation(request)) return allowAsIs(request.uid);
    try {
      const nowMs = now();
      const pod = toPodFacts(request.object, { namespace: request.namespace ?? "" });
      const verdict = pacer.admit(pod, replica(), nowMs, request.dryRun === true);
      const answer = answerTo(request, pod, verdict, nowMs);
      const ignored = ignoredTerms((request.object as Touched).metadata?.annotations ?? {});
      report({ kind: "verdict", pod, verdict, dryRun: request.dryRun === true, ignored });
      return ignored.length > 0 ? { ...answer, warnings: ignored } : answer;
    } catch (error) {
      // Fails open: the pod is created as it came (promise 1).
      report({ kind: "failure", error });
      return allowAsIs(request.uid);
    }
  };
}
