/** The report for a terminal. */
import type { Findings } from "../findings/findings.ts";
import { causeWords } from "../findings/sink.ts";
import { spanWords } from "../findings/span-words.ts";
import type { Verdict } from "../findings/verdict.ts";
import { fingerprints, wordsOf } from "../classify/fingerprints.ts";
import type { Herd } from "../findings/herds.ts";
import { rfc3339 } from "../json.ts";

/** Rows of each table; --json has all. */
const MOST_ROWS = 10;

type Row = readonly [count: number, text: string];

/** `bin`: as it was asked for, such as `1h`. */
export function textReport(findings: Findings, verdict: Verdict, bin: string): string {
  const { query, queryTotal, byFingerprint, total, skipped } = findings;
  const told = fingerprints.filter((key) => byFingerprint[key] > 0);
  return [
    verdict.summary,
    ...verdict.evidence.map((sentence) => `  ${sentence}`),
    ...table(
      `Failures, each counted once: ${total}`,
      told.map((key) => [byFingerprint[key], `${key}: ${wordsOf(key)}`]),
    ),
    ...(findings.misconfigured > 0
      ? [
          "",
          `Among OtherStartError, but not in the total: ${findings.misconfigured} that the image or the manifest explains.`,
        ]
      : []),
    ...table(
      "By hour",
      findings.byHour.map(({ startMs, count }) => [count, rfc3339(startMs)]),
    ),
    ...table(
      "By node",
      [...findings.byNode].map(([name, count]) => [count, name]),
    ),
    ...table(
      "By the node's age",
      Object.entries(findings.byNodeAge).map(([name, count]) => [count, name]),
    ),
    ...table(
      "By namespace",
      [...findings.byNamespace].map(([name, count]) => [count, name]),
    ),
    ...table(
      "By owner",
      [...findings.byOwner].map(([name, count]) => [count, name]),
    ),
    ...table(
      "By image",
      [...findings.byImage].map(([name, count]) => [count, name]),
    ),
    ...table(
      "Herds (pods that came to one node together)",
      findings.herds.toSorted((a, b) => b.failures - a.failures).map(herdRow),
    ),
    ...table(
      `CloudWatch's query, by bin(${bin}): ${queryTotal} audit events`,
      query.map(({ startMs, count }) => [count, rfc3339(startMs)]),
    ),
    ...table(
      "Not read, although words of the problem stand in it",
      findings.account.samples.map(({ text }) => [1, text]),
    ),
    ...table(
      "Not used, or not in full",
      Object.entries(skipped).map(([cause, count]) => [count, causeWords(cause)]),
    ),
    ...(verdict.advice.length > 0 ? ["", "What to do"] : []),
    ...verdict.advice.map((sentence, index) => `  ${index + 1}. ${sentence}`),
    "",
  ].join("\n");
}

/** Since it was first seen is the least age that a node can have. */
const ageWords = (seconds: number, from: Herd["nodeAgeFrom"]) =>
  from === "creation" ? `${spanWords(seconds)} old, since its creation` : `age unknown, at least ${spanWords(seconds)}`;

function herdRow({ node, startMs, podsStarted, failures, nodeAgeSeconds, nodeAgeFrom }: Herd): Row {
  const age = nodeAgeSeconds === null ? "of unknown age" : ageWords(nodeAgeSeconds, nodeAgeFrom);
  return [podsStarted, `pods on ${node} (${age}) from ${rfc3339(startMs)}; ${failures} failed`];
}

function table(title: string, rows: readonly Row[]): string[] {
  if (rows.length === 0) return [];
  const width = Math.max(...rows.map(([count]) => String(count).length));
  const shown = rows.slice(0, MOST_ROWS).map(([count, text]) => `  ${String(count).padStart(width)}  ${text}`);
  const rest = rows.length - shown.length;
  return ["", title, ...shown, ...(rest > 0 ? [`  … and ${rest} more (--json has all)`] : [])];
}
