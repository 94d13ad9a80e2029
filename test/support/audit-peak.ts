/**
 * Reads from the API server's audit log when pods were bound and when they had started. So tests of the limit depend
 * neither on our code nor on our metrics.
 */
import { readFileSync } from "node:fs";
import { recordOf, recordsOf, textOf } from "../../src/kube/parse/kube-json.ts";

interface Moment {
  readonly atMs: number;
  readonly pod: string;
  readonly node: string;
  readonly kind: "bound" | "over";
}

/** The most pods of a namespace that were bound to each node and not started at one moment, by node. */
export function peakInStartup(auditLogPath: string, namespace: string): ReadonlyMap<string, number> {
  const starting = new Map<string, Set<string>>();
  const peaks = new Map<string, number>();
  const nodeOf = new Map<string, string>();
  for (const { kind, pod, node } of moments(auditLogPath, namespace)) {
    if (kind === "bound") nodeOf.set(pod, node);
    const here = nodeOf.get(pod) ?? "";
    const set = starting.get(here) ?? new Set<string>();
    starting.set(here, set);
    if (kind === "bound") set.add(pod);
    else set.delete(pod);
    peaks.set(here, Math.max(peaks.get(here) ?? 0, set.size));
  }
  return peaks;
}

function moments(path: string, namespace: string): Moment[] {
  const lines = readFileSync(path, "utf8").trim().split("\n");
  const all = lines.map((line) => momentOf(recordOf(JSON.parse(line)), namespace));
  return all.filter((moment) => moment !== undefined).sort((a, b) => a.atMs - b.atMs);
}

/**
 * A binding counts from the API server's answer, and a start or an end from the request. The write itself lies in
 * between. So a slot that is free and given again is never counted twice.
 */
function momentOf(event: Readonly<Record<string, unknown>>, namespace: string): Moment | undefined {
  const ref = recordOf(event["objectRef"]);
  if (ref["resource"] !== "pods" || ref["namespace"] !== namespace) return undefined;
  const code = Number(recordOf(event["responseStatus"])["code"]);
  if (code >= 300) return undefined;
  const pod = textOf(ref["name"]);
  const request = recordOf(event["requestObject"]);
  if (ref["subresource"] === "binding") {
    const node = textOf(recordOf(request["target"])["name"]);
    return { atMs: timeMs(event["stageTimestamp"]), pod, node, kind: "bound" };
  }
  const gone = event["verb"] === "delete";
  if (!gone && !(ref["subresource"] === "status" && allStarted(request))) return undefined;
  return { atMs: timeMs(event["requestReceivedTimestamp"]), pod, node: "", kind: "over" };
}

function allStarted(patch: Readonly<Record<string, unknown>>): boolean {
  const statuses = recordsOf(recordOf(patch["status"])["containerStatuses"]);
  return statuses.length > 0 && statuses.every((status) => status["started"] === true);
}

/** Microseconds matter here, and Date.parse drops them. */
function timeMs(value: unknown): number {
  const [, seconds = "", fraction = "0"] = /^(.*?)(?:\.(\d+))?Z$/.exec(textOf(value)) ?? [];
  return Date.parse(`${seconds}Z`) + Number(`0.${fraction}`) * 1_000;
}
