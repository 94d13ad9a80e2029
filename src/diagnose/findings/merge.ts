/** From reports to failures: one failure counts once, whoever told of it and however often. */
import { isPull, isStartError } from "../classify/fingerprints.ts";
import type { FailureReport } from "./sink.ts";
import { completed } from "./tally.ts";

/** A containerd line without its pod belongs to a failure that is told with its pod at most this far from it. */
const SAME_MOMENT_MS = 15_000;

const isStart = ({ fingerprint }: FailureReport) => isStartError(fingerprint);

/** The failures behind the reports, by time. */
export function mergeReports(reports: Iterable<FailureReport>): FailureReport[] {
  const named: FailureReport[] = [];
  const nameless: FailureReport[] = [];
  for (const report of reports) (report.pod === "" && report.uid === "" ? nameless : named).push(report);
  const failures = [...byPod(named).values()].flatMap(mergePod);
  return [...failures, ...unclaimed(nameless, failures)].sort((a, b) => a.atMs - b.atMs);
}

/**
 * Reports of one pod: by uid, and by name where no uid is told. A name that several pods had stands for the last of
 * them.
 */
function byPod(reports: readonly FailureReport[]): Map<string, FailureReport[]> {
  const uidOf = new Map<string, string>();
  for (const { uid, namespace, pod } of reports) if (uid !== "" && pod !== "") uidOf.set(`${namespace}/${pod}`, uid);
  return Map.groupBy(
    reports,
    ({ uid, namespace, pod }) => uid || (uidOf.get(`${namespace}/${pod}`) ?? `${namespace}/${pod}`),
  );
}

function mergePod(reports: readonly FailureReport[]): FailureReport[] {
  const bySource = Map.groupBy(reports, ({ source }) => source);
  const statuses = mergeStatuses(bySource.get("status") ?? []);
  const rest = [...(bySource.get("event") ?? []), ...(bySource.get("log") ?? [])];
  return withoutConsequences(mergeOthers(statuses, rest));
}

/** What pod statuses tell: they know attempts and container IDs. */
function mergeStatuses(reports: readonly FailureReport[]): FailureReport[] {
  const merged: FailureReport[] = [];
  for (const report of reports) {
    const at = merged.findIndex((one) => sameStatus(one, report));
    const before = merged[at];
    if (before) merged[at] = { ...completed(before, report), containerId: before.containerId || report.containerId };
    else merged.push(report);
  }
  return merged;
}

function sameStatus(a: FailureReport, b: FailureReport): boolean {
  if (a.container !== b.container) return false;
  if (isStart(a) !== isStart(b) || (!isStart(a) && a.fingerprint !== b.fingerprint)) return false;
  // A container ends once: where the same ID has another end, the ID is not to be trusted.
  if (a.containerId !== "" && b.containerId !== "") return a.containerId === b.containerId && sameEnd(a, b);
  if (a.attempt === b.attempt) return true;
  // The same end under the next restart count: told as `state` first, and as `lastState` later.
  const isNear = Math.abs((a.attempt ?? 0) - (b.attempt ?? 0)) <= 1;
  return isNear && a.place !== b.place && a.finishedAt !== "" && a.finishedAt === b.finishedAt;
}

const sameEnd = (a: FailureReport, b: FailureReport) =>
  a.finishedAt === "" || b.finishedAt === "" || a.finishedAt === b.finishedAt;

/**
 * Events and logs tell of the same failures as statuses, without saying of which: per container and fingerprint the
 * source that tells of most decides.
 */
function mergeOthers(statuses: readonly FailureReport[], rest: readonly FailureReport[]): FailureReport[] {
  const merged = [...statuses];
  for (const group of Map.groupBy(rest, ({ fingerprint }) => fingerprint).values()) {
    for (const source of ["log", "event"] as const) {
      const told = group.filter((report) => report.source === source);
      const claimed = new Set<number>();
      for (const report of told) {
        const at = merged.findIndex(
          (one, index) => !claimed.has(index) && one.source !== source && matches(one, report),
        );
        const before = merged[at];
        if (before) {
          claimed.add(at);
          merged[at] = completed(before, { ...report, atMs: before.atMs });
        } else if (!repeats(merged, report)) merged.push(report);
      }
    }
  }
  return merged;
}

const matches = (one: FailureReport, other: FailureReport) =>
  one.fingerprint === other.fingerprint &&
  (one.container === other.container || one.container === "" || other.container === "") &&
  (one.attempt === undefined ||
    other.attempt === undefined ||
    one.attempt === other.attempt ||
    one.source === "status");

/** Of one pod without a container's name, or within one moment, the same source tells of the same failure. */
const repeats = (merged: readonly FailureReport[], report: FailureReport) =>
  merged.some(
    (one) =>
      one.source === report.source &&
      one.fingerprint === report.fingerprint &&
      (one.container === "" || report.container === "" || one.container === report.container) &&
      (one.attempt === undefined || report.attempt === undefined || one.attempt === report.attempt) &&
      (report.source === "event" || Math.abs(one.atMs - report.atMs) < SAME_MOMENT_MS / 3),
  );

/** After a refused pull the kubelet backs off: that is no second failure. */
function withoutConsequences(failures: readonly FailureReport[]): FailureReport[] {
  const refused = failures.filter((one) => isPull(one.fingerprint));
  const follows = (one: FailureReport) =>
    one.fingerprint === "ImagePullBackOff" &&
    refused.some(({ container }) => container === one.container || container === "" || one.container === "");
  return failures.filter((one) => !follows(one));
}

/**
 * containerd names no pod: its line is told again by the kubelet, unless no failure near it matches. A line without
 * even a container's ID always stands beside one that names more.
 */
function unclaimed(nameless: readonly FailureReport[], failures: readonly FailureReport[]): FailureReport[] {
  const claimed = new Set<FailureReport>();
  const byFingerprint = Map.groupBy(failures, ({ fingerprint }) => fingerprint);
  const withId = nameless.filter(({ containerId }) => containerId !== "");
  const own = withId.filter((report) => {
    const owner = (byFingerprint.get(report.fingerprint) ?? []).find(
      (one) => isSameContainer(one, report) || (!claimed.has(one) && isSameMoment(one, report)),
    );
    if (owner) claimed.add(owner);
    return !owner;
  });
  const all = Map.groupBy([...failures, ...own], ({ fingerprint }) => fingerprint);
  const alone = nameless.filter(
    (report) =>
      report.containerId === "" && !(all.get(report.fingerprint) ?? []).some((one) => isSameMoment(one, report)),
  );
  return [...own, ...alone];
}

const isSameContainer = (one: FailureReport, report: FailureReport) =>
  report.containerId !== "" && one.containerId.includes(report.containerId);

function isSameMoment(one: FailureReport, report: FailureReport): boolean {
  const sameNode = one.node === "" || report.node === "" || shortName(one.node) === shortName(report.node);
  return sameNode && Math.abs(one.atMs - report.atMs) <= SAME_MOMENT_MS;
}

/** A journal has the host's short name, the API its full one. */
export const shortName = (node: string) => node.split(".", 1)[0] ?? node;
