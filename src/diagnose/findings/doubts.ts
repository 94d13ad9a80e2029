/** Why an all-clear would say more than was read. Evidence first: what the input does not show, nobody can rule out. */
import type { Findings } from "./findings.ts";
import { rfc3339 } from "../json.ts";
import { looksLike } from "./looks-like.ts";

const many = (count: number, one: string, more = `${one}s`) => `${count} ${count === 1 ? one : more}`;

/** Reasons not to rule the problem out, the gravest first; none where the input would show it. */
export function doubtsOf(findings: Findings): string[] {
  const { account, skipped } = findings;
  const doubts: string[] = [];
  const { marked, samples, evidence, usable } = account;
  if (marked > 0) {
    const marks = [...new Set(samples.map(({ mark }) => `"${mark}"`))].slice(0, 3).join(", ");
    doubts.push(
      `${many(marked, "line or record", "lines or records")} not read, or cut off, with words of the problem: ${marks}.`,
    );
  }
  if ((skipped["truncatedGzip"] ?? 0) > 0) doubts.push("a gzip stream ends too early: what came behind is missing.");
  if ((skipped["lineTooLong"] ?? 0) > 0)
    doubts.push(`${many(skipped["lineTooLong"] ?? 0, "record")} over 16 MiB not read.`);
  if (account.isMostlyUnread) doubts.push(unreadWords(account));
  if (evidence === 0 && isOutside(findings)) doubts.unshift(windowWords(findings));
  else if (evidence === 0)
    doubts.push(`nothing in it would show a failed start (${usable === 0 ? "no records" : WITHOUT_EVIDENCE}).`);
  return doubts;
}

const isOutside = ({ account: { window } }: Findings) => window.outside + window.undated + window.failuresOutside > 0;

/** Nothing that counts lies in the window; what does not, says nothing of it. */
function windowWords({ account, window }: Findings): string {
  const { inside } = account.window;
  const { firstMs, lastMs } = account;
  const from = window.sinceMs === undefined ? "its beginning" : rfc3339(window.sinceMs);
  const to = window.untilMs === undefined ? "its end" : rfc3339(window.untilMs);
  const what = inside === 0 ? "nothing in the input lies" : "nothing that would show a failed start lies";
  const span =
    firstMs === undefined || lastMs === undefined
      ? "nothing in it tells a time"
      : `it spans ${rfc3339(firstMs)} to ${rfc3339(lastMs)}`;
  return `${what} between ${from} and ${to}; ${span}${leftOut(account)}.`;
}

function leftOut({ window: { outside, undated, failuresOutside } }: Findings["account"]): string {
  const parts = [
    outside > 0 ? `${many(outside, "record")} left out` : "",
    undated > 0 ? `${many(undated, "record")} without a time` : "",
    failuresOutside > 0 ? `${many(failuresOutside, "failed start")} outside` : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

/** What `--since` and `--until` left out although it failed; none where they left out nothing of the kind. */
export function outsideOf({ account }: Findings): string[] {
  const { failuresOutside } = account.window;
  if (failuresOutside === 0) return [];
  return [`Left out by --since and --until: ${many(failuresOutside, "failed start")}.`];
}

const WITHOUT_EVIDENCE =
  "only headers, empty lists, nodes, a table of pods, lines of other programs, or audit events without what was written";

function unreadWords({ unreadLines, unreadRecords, lines, firstUnread }: Findings["account"]): string {
  const what =
    unreadLines > lines - unreadLines ? `${unreadLines} of ${many(lines, "line")}` : many(unreadRecords, "record");
  const sample = firstUnread === "" ? "" : `, such as ${JSON.stringify(firstUnread.slice(0, 80))}`;
  return `most of the input was not read (${what}${sample}).`;
}

/** What to hand in instead. */
export function howToTell({ account, skipped }: Findings): string[] {
  const hints = [account.firstUnread, ...account.samples.map(({ text }) => text)].map(looksLike);
  const named = hints.filter((hint) => hint !== undefined);
  return [
    ...new Set(named),
    ...((skipped["torn"] ?? 0) > 0
      ? ["Lines were cut off by a pager or a narrow terminal: run journalctl with --no-pager, or -o json, into a file."]
      : []),
    ...((skipped["noDetails"] ?? 0) > 0
      ? ["Reasons without messages do not tell why: run kubectl get pods -A -o json and kubectl get events -A -o json."]
      : []),
    ...((skipped["roundedAge"] ?? 0) > 0
      ? ["A table of nodes shows ages roughly, and no failed starts: run kubectl get nodes -o json for the ages."]
      : []),
    "Surest are kubectl get events,pods -A -o json, journalctl -u kubelet -u containerd -o json of the node, and the API server's audit log at level Request or above.",
  ];
}
