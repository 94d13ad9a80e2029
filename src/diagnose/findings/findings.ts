/** What was found: the figures of `--json`, and what texts and charts are made of. */
import { fingerprints, type Fingerprint } from "../classify/fingerprints.ts";
import type { Account } from "./account.ts";
import { ageAt, findHerds, nodeNames, type Herd } from "./herds.ts";
import { mergeReports } from "./merge.ts";
import { overTimeOf, type OverTime } from "./over-time.ts";
import type { FailureReport } from "./sink.ts";
import type { Tally, Window } from "./tally.ts";

/** A count by the start of its bin, epoch ms. */
export interface Bin {
  readonly startMs: number;
  readonly count: number;
}

export interface Findings {
  readonly query: readonly Bin[];
  readonly queryTotal: number;
  /** Failures that count: neither Unrelated, nor explained by image or manifest. */
  readonly total: number;
  readonly byFingerprint: Readonly<Record<Fingerprint, number>>;
  readonly byNode: ReadonlyMap<string, number>;
  readonly byHour: readonly Bin[];
  /** By fingerprint and hour, for the chart. */
  readonly hourly: ReadonlyMap<Fingerprint, readonly Bin[]>;
  /** By node, over time, for the picture; the nodes with most failures. */
  readonly overTime: OverTime;
  readonly byNodeAge: Readonly<Record<string, number>>;
  readonly byImage: ReadonlyMap<string, number>;
  readonly byNamespace: ReadonlyMap<string, number>;
  readonly byOwner: ReadonlyMap<string, number>;
  readonly herds: readonly Herd[];
  readonly nodesKnown: number;
  /** OtherStartErrors that an image or a manifest explains. */
  readonly misconfigured: number;
  readonly skipped: Readonly<Record<string, number>>;
  /** What was read, and what was not. */
  readonly account: Account;
  /** What of it counts, by `--since` and `--until`. */
  readonly window: Window;
  readonly reports: number;
}

const HOUR_MS = 3_600_000;
/** Upper ends of the classes of a node's age, s; 600 is the default of the policy's youngForSeconds and more. */
const ageClasses = [
  [60, "under 1 min"],
  [300, "1 to 5 min"],
  [900, "5 to 15 min"],
  [3_600, "15 to 60 min"],
  [Number.POSITIVE_INFINITY, "over 1 h"],
] as const;
const OLDEST = "over 1 h";

export function findingsOf(tally: Tally): Findings {
  const all = allFailures(tally);
  const counted = all.filter(counts);
  const misconfigured = all.filter((one) => one.misconfigured).length;
  const byFingerprint = countAll(all, tally);
  const query = binsOf(tally.queryBins);
  return {
    query,
    queryTotal: query.reduce((sum, { count }) => sum + count, 0),
    total: fingerprints.reduce((sum, key) => sum + (key === "Unrelated" ? 0 : byFingerprint[key]), -misconfigured),
    byFingerprint,
    byNode: countBy(counted, ({ node }) => node),
    byHour: hours(counted),
    hourly: new Map([...Map.groupBy(counted, ({ fingerprint }) => fingerprint)].map(([key, of]) => [key, hours(of)])),
    overTime: overTimeOf(counted),
    byNodeAge: Object.fromEntries(countBy(counted, (failure) => ageClass(failure, tally))),
    byImage: countBy(counted, ({ image }) => image),
    byNamespace: countBy(counted, ({ namespace }) => namespace),
    byOwner: countBy(counted, ({ owner, namespace }) => owner && `${namespace}/${owner}`),
    herds: findHerds(tally.starts, all, tally.nodes),
    nodesKnown: tally.nodes.size,
    misconfigured,
    skipped: Object.fromEntries(tally.skipped),
    account: tally.account,
    window: tally.window,
    reports: tally.failureReports,
  };
}

/** Failures that count, each once: neither Unrelated, nor explained by image or manifest. */
export const failuresOf = (tally: Tally): readonly FailureReport[] => allFailures(tally).filter(counts);

const counts = ({ fingerprint, misconfigured }: FailureReport) => fingerprint !== "Unrelated" && !misconfigured;

function allFailures(tally: Tally): readonly FailureReport[] {
  const resolve = nodeNames(tally.nodes.keys());
  const reports = [...tally.failures.values()].map((one) => inUtc(one, tally.zoneMs));
  return mergeReports(reports).map((one) => placed(one, tally, resolve));
}

/** A log without a zone is in its node's local time, which another line of it may have shown. */
const inUtc = (failure: FailureReport, zoneMs: number | undefined): FailureReport =>
  failure.isZoneless === true && zoneMs !== undefined ? { ...failure, atMs: failure.atMs - zoneMs } : failure;

/** With the node that the pod was bound to, where the report did not tell it. */
function placed(failure: FailureReport, tally: Tally, resolve: (host: string) => string): FailureReport {
  const start = tally.starts.get(`${failure.namespace}/${failure.pod}`);
  return { ...failure, node: resolve(failure.node) || (start?.node ?? "") };
}

function countAll(failures: readonly FailureReport[], tally: Tally): Record<Fingerprint, number> {
  const counts = Object.fromEntries(fingerprints.map((key) => [key, tally.overflow.get(key) ?? 0])) as Record<
    Fingerprint,
    number
  >;
  for (const { fingerprint } of failures) counts[fingerprint]++;
  return counts;
}

/** Counts by a text, most first; what is not known is left out. */
function countBy(failures: readonly FailureReport[], by: (failure: FailureReport) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const failure of failures) {
    const key = by(failure);
    if (key !== "") counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return new Map([...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)));
}

function hours(failures: readonly FailureReport[]): Bin[] {
  const counts = new Map<number, number>();
  for (const { atMs } of failures) {
    const hour = Math.floor(atMs / HOUR_MS) * HOUR_MS;
    counts.set(hour, (counts.get(hour) ?? 0) + 1);
  }
  return binsOf(counts);
}

const binsOf = (counts: ReadonlyMap<number, number>): Bin[] =>
  [...counts].sort(([a], [b]) => a - b).map(([startMs, count]) => ({ startMs, count }));

function ageClass({ node, atMs }: FailureReport, tally: Tally): string {
  const { nodeAgeSeconds: age, nodeAgeFrom } = ageAt(tally.nodes.get(node), atMs);
  if (age === null) return "unknown";
  const name = ageClasses.find(([below]) => age < below)?.[1] ?? "unknown";
  // First seen tells the least age that the node can have: enough for the last class only.
  return nodeAgeFrom === "creation" || name === OLDEST ? name : "unknown";
}
