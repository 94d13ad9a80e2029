/** The shape of `--json`. */
import type { Account } from "../findings/account.ts";
import type { Findings } from "../findings/findings.ts";
import type { Verdict } from "../findings/verdict.ts";
import { rfc3339 } from "../json.ts";

const bins = (list: Findings["query"]) => list.map(({ startMs, count }) => ({ start: rfc3339(startMs), count }));

/** What was read, and what was not. */
export const readJson = ({ lines, usable, evidence, unreadLines, unreadRecords, marked, samples }: Account) => ({
  lines,
  records: usable,
  evidence,
  unread: { lines: unreadLines, records: unreadRecords, withMarks: marked, samples },
});

/** Keys of `byCause` are those of `skipCauses`. */
export const skippedJson = (skipped: Findings["skipped"]) => ({
  lines: Object.values(skipped).reduce((sum, count) => sum + count, 0),
  byCause: skipped,
});

const timeOrNull = (ms: number | undefined) => (ms === undefined ? null : rfc3339(ms));

/** As docs/diagnose.md gives it. */
export function jsonReport(findings: Findings, { outcome, found, summary, evidence, advice }: Verdict) {
  const { byFingerprint, byNode, byHour, byNodeAge, byImage, byNamespace, byOwner, skipped, account } = findings;
  const { inside, outside, undated, failuresOutside } = account.window;
  return {
    query: { bins: bins(findings.query), total: findings.queryTotal },
    failures: {
      total: findings.total,
      misconfigured: findings.misconfigured,
      byFingerprint,
      byNode: Object.fromEntries(byNode),
      byHour: bins(byHour),
      byNodeAge,
      byImage: Object.fromEntries(byImage),
      byNamespace: Object.fromEntries(byNamespace),
      byOwner: Object.fromEntries(byOwner),
    },
    herds: findings.herds.map(({ node, startMs, podsStarted, failures, nodeAgeSeconds, nodeAgeFrom }) => ({
      node,
      start: rfc3339(startMs),
      podsStarted,
      failures,
      nodeAgeSeconds,
      nodeAgeFrom,
    })),
    read: {
      ...readJson(account),
      window:
        findings.window.sinceMs === undefined && findings.window.untilMs === undefined
          ? null
          : {
              since: timeOrNull(findings.window.sinceMs),
              until: timeOrNull(findings.window.untilMs),
              inside,
              outside,
              undated,
              failuresOutside,
              from: timeOrNull(account.firstMs),
              to: timeOrNull(account.lastMs),
            },
    },
    skipped: skippedJson(skipped),
    verdict: { outcome, found, advice, summary, evidence },
  };
}
