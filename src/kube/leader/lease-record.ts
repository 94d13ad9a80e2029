/** A Lease of coordination.k8s.io/v1 as leader election uses it, and the conclusions from it. Pure. */
import { ASKED_ANNOTATION, LEADER_FIGURES_ANNOTATION } from "../../api/names.ts";
import { recordOf, textMapOf, textOf, timeOf } from "../parse/kube-json.ts";
import type { KubeObject } from "../parse/kube-json.ts";

export interface LeaseRecord {
  /** "" if no candidate holds it. */
  readonly holder: string;
  readonly durationMs: number;
  /** As the holder wrote it; compared for equality only, because other machines' clocks are not trusted. */
  readonly renewTime: string;
  readonly acquireTime: string;
  readonly transitions: number;
  /** {@link LEADER_FIGURES_ANNOTATION}; "" if it is not there. */
  readonly note: string;
  /** {@link ASKED_ANNOTATION}, epoch ms; undefined if it is not there. */
  readonly askedMs: number | undefined;
  readonly resourceVersion: string;
}

/** A record, and the time on our own clock since which it is unchanged. */
export interface Observation {
  readonly record: LeaseRecord;
  readonly sinceMs: number;
  /** When the Lease was last read. */
  readonly lookedMs: number;
  /**
   * The record followed another one that we saw less than the Lease's duration before, so its holder really renewed it
   * while we looked. After a longer time without an answer the record may be as old as that.
   */
  readonly renewalSeen: boolean;
}

export function parseLease(raw: KubeObject, defaultDurationMs: number): LeaseRecord {
  const spec = recordOf(raw["spec"]);
  const seconds = spec["leaseDurationSeconds"];
  const annotations = textMapOf(raw.metadata?.annotations);
  return {
    holder: textOf(spec["holderIdentity"]),
    durationMs: typeof seconds === "number" && seconds > 0 ? seconds * 1_000 : defaultDurationMs,
    renewTime: textOf(spec["renewTime"]),
    acquireTime: textOf(spec["acquireTime"]),
    transitions: typeof spec["leaseTransitions"] === "number" ? spec["leaseTransitions"] : 0,
    note: annotations[LEADER_FIGURES_ANNOTATION] ?? "",
    askedMs: timeOf(annotations[ASKED_ANNOTATION]),
    resourceVersion: textOf(raw.metadata?.resourceVersion),
  };
}

/** The observation after `record` was read at `nowMs`. */
export function observe(before: Observation | undefined, record: LeaseRecord, nowMs: number): Observation {
  if (before === undefined) return { record, sinceMs: nowMs, lookedMs: nowMs, renewalSeen: false };
  const same = before.record.holder === record.holder && before.record.renewTime === record.renewTime;
  if (same) return { ...before, record, lookedMs: nowMs };
  return { record, sinceMs: nowMs, lookedMs: nowMs, renewalSeen: nowMs < before.lookedMs + record.durationMs };
}

/** True if the Lease has no holder, or if its holder has not renewed it for its whole duration while we looked. */
export function isFree({ record, sinceMs }: Observation, nowMs: number): boolean {
  return record.holder === "" || nowMs >= sinceMs + record.durationMs;
}

/**
 * The patch that makes `identity` the holder from `nowMs` on; conditional on `previous.resourceVersion`.
 * @param note to be written with it, where it has changed; undefined leaves the one that is there.
 */
export function heldLease(
  where: { namespace: string; name: string },
  identity: string,
  durationMs: number,
  previous: LeaseRecord | undefined,
  nowMs: number,
  note?: string,
): KubeObject {
  const now = microTime(nowMs);
  const isRenewal = previous?.holder === identity;
  const annotations = note === undefined || note === previous?.note ? {} : { [LEADER_FIGURES_ANNOTATION]: note };
  const named = Object.keys(annotations).length === 0 ? where : { ...where, annotations };
  return leaseObject(named, previous?.resourceVersion, {
    holderIdentity: identity,
    leaseDurationSeconds: Math.ceil(durationMs / 1_000),
    renewTime: now,
    acquireTime: isRenewal && previous.acquireTime !== "" ? previous.acquireTime : now,
    leaseTransitions: previous === undefined ? 0 : previous.transitions + (isRenewal ? 0 : 1),
  });
}

/** The patch that gives the Lease back, so that the next candidate need not wait for its end. */
export function releasedLease(
  where: { namespace: string; name: string },
  previous: LeaseRecord,
  nowMs: number,
): KubeObject {
  return leaseObject(where, previous.resourceVersion, {
    holderIdentity: "",
    leaseDurationSeconds: 1,
    renewTime: microTime(nowMs),
    acquireTime: microTime(nowMs),
    leaseTransitions: previous.transitions,
  });
}

function leaseObject(
  where: { namespace: string; name: string },
  resourceVersion: string | undefined,
  spec: object,
): KubeObject {
  const metadata = { ...where, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
  return { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec };
}

/** RFC 3339 with exactly six fractional digits. The API server refuses any other number of digits. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}
