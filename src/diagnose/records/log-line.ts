/** Lines of the kubelet's and containerd's logs: journal text in its usual forms, klog, logfmt. */
import { logFingerprint } from "../fingerprint.ts";
import type { Sink } from "../findings/sink.ts";
import { timeOf } from "../json.ts";
import { reservedName } from "./reserved-name.ts";

/** By what a line without a year is dated: as near as can be to the last line with one, else the latest that is not to come. */
export interface Calendar {
  /** Epoch ms. */
  readonly nowMs: number;
  /** Of the last line of a log that had a whole date, epoch ms. */
  seenMs: number | undefined;
}

/** What is known of a line from around it. */
export interface LogContext {
  /** Time that the wrapping record tells, if it does. */
  readonly loggedMs: number | undefined;
  /** Host that the wrapping record tells, or "". */
  readonly host: string;
  readonly calendar: Calendar;
  /** True when the wrapping record already shows that this is a log. */
  readonly isLog: boolean;
}

const SHORT = /^([A-Z][a-z]{2}) +(\d{1,2}) (\d\d:\d\d:\d\d(?:\.\d+)?) (\S+) ([\w@.\-/:]+)(?:\[\d+\])?: ?/;
const ISO = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)) (\S+) ([\w@.\-/]+)(?:\[\d+\])?: ?/;
/** journalctl -o short-full: `Tue 2026-11-24 08:08:17 UTC host unit[1]: …`. */
const FULL =
  /^(?:[A-Z][a-z]{2} )?(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?) (?:[A-Z]{1,5}|([+-]\d\d:?\d\d)) (\S+) [\w@.\-/]+(?:\[\d+\])?: ?/;
/** journalctl -o short-unix. */
const UNIX = /^(\d{10}\.\d+) (\S+) [\w@.\-/]+(?:\[\d+\])?: ?/;
/** RFC 5424, as syslog daemons pass it on. */
const SYSLOG = /^<\d{1,3}>1 (\S+) (\S+) \S+ \S+ \S+ /;
const KLOG = /(?:^|\s)[IWEF](\d\d)(\d\d) (\d\d:\d\d:\d\d\.\d+) +\d+ [\w.-]+:\d+\] /;
const LOGFMT_TIME = /\btime="?([^" ]+)"?/;
const LOGFMT = /^time="?[^" ]+"? level=\w+ msg=/;
const CRI = /^(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)) (?:stdout|stderr) [FP] /;
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/** A clock may be a day ahead of the reader's. */
const AHEAD_MS = 86_400_000;

/** Reads a line; false when it has the shape of no log that is known here. */
export function readLogLine(line: string, context: LogContext, sink: Sink): boolean {
  const { calendar } = context;
  const head = headOf(line, calendar);
  const klog = KLOG.exec(line);
  if (!head && !klog && !context.isLog && !LOGFMT.test(line)) return false;
  sink.usable();
  const fingerprint = logFingerprint(line);
  if (!fingerprint) return true;
  const atMs = innerTime(line, klog, head?.atMs ?? context.loggedMs, calendar);
  if (atMs === undefined) {
    sink.skip("withoutTime");
    return true;
  }
  sink.failure({ source: "log", fingerprint, atMs, ...aboutOf(line, context.host || (head?.host ?? "")) });
  return true;
}

interface Head {
  readonly atMs: number | undefined;
  readonly host: string;
}

function headOf(line: string, calendar: Calendar): Head | undefined {
  const stamped = ISO.exec(line) ?? UNIX.exec(line) ?? SYSLOG.exec(line);
  if (stamped) return dated(timeOf(stamped[1]), stamped[2], calendar);
  const full = FULL.exec(line);
  if (full) return dated(timeOf(`${full[1] ?? ""}T${full[2] ?? ""}${full[3] ?? "Z"}`), full[4], calendar);
  const short = SHORT.exec(line);
  if (short) {
    const month = months.indexOf(short[1] ?? "");
    return month < 0
      ? undefined
      : { atMs: yearless(month, Number(short[2]), short[3] ?? "", calendar), host: short[4] ?? "" };
  }
  const cri = CRI.exec(line);
  return cri ? { atMs: timeOf(cri[1]), host: "" } : undefined;
}

function dated(atMs: number | undefined, host: string | undefined, calendar: Calendar): Head {
  calendar.seenMs = atMs ?? calendar.seenMs;
  return { atMs, host: host ?? "" };
}

/** The log's own time is finer than the journal's, and containerd's has a year and a zone. */
function innerTime(line: string, klog: RegExpExecArray | null, outerMs: number | undefined, calendar: Calendar) {
  const logfmt = timeOf(LOGFMT_TIME.exec(line)?.[1]);
  if (logfmt !== undefined) return (calendar.seenMs = logfmt);
  if (outerMs !== undefined || !klog) return outerMs;
  return yearless(Number(klog[1]) - 1, Number(klog[2]), klog[3] ?? "", calendar);
}

/** A time without year and zone: UTC, in the year that the calendar gives it. */
function yearless(month: number, day: number, clock: string, { nowMs, seenMs }: Calendar): number | undefined {
  const year = new Date(seenMs ?? nowMs).getUTCFullYear();
  const dated = [year + 1, year, year - 1].map((one) =>
    timeOf(`${one}-${String(month + 1).padStart(2, "0")}-${String(day).padStart(2, "0")}T${clock}Z`),
  );
  const possible = dated.filter((ms) => ms !== undefined && ms <= nowMs + AHEAD_MS) as number[];
  if (seenMs === undefined) return possible[0];
  return possible.toSorted((a, b) => Math.abs(a - seenMs) - Math.abs(b - seenMs))[0];
}

const field = (line: string, pattern: RegExp) => pattern.exec(line)?.[1] ?? "";

/** The first of the patterns that matches, or "". */
function firstField(line: string, ...patterns: readonly RegExp[]): string {
  for (const pattern of patterns) {
    const found = field(line, pattern);
    if (found !== "") return found;
  }
  return "";
}

interface PodNamed {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
}

/** Ways to name a pod, the surest first; what one leaves out another may tell. */
function podOf(line: string): PodNamed {
  const [namespace = "", pod = ""] = field(line, /\bpods?=\\*"?\{?([\w.-]+\/[\w.-]+)/).split("/");
  const fields = { namespace, pod, uid: field(line, /\bpodUID=\\*"?([\w-]+)/) };
  const told: readonly (PodNamed | undefined)[] = [fields, kubeletsPod(line), reservedName(line), sandboxPod(line)];
  const first = (key: keyof PodNamed) => told.map((one) => one?.[key]).find((text) => text) ?? "";
  return { namespace: first("namespace"), pod: first("pod"), uid: first("uid") };
}

/** The kubelet's own short form: name_namespace(uid). */
function kubeletsPod(line: string): PodNamed | undefined {
  const [, pod, namespace, uid] = /([\w.-]+)_([\w-]+)\(([\w-]{8,})\)/.exec(line) ?? [];
  return pod === undefined ? undefined : { pod, namespace: namespace ?? "", uid: uid ?? "" };
}

/** containerd's form of a sandbox. */
function sandboxPod(line: string): PodNamed | undefined {
  const [, pod, uid, namespace] = /PodSandboxMetadata\{Name:([^,]*),Uid:([^,]*),Namespace:([^,]*),/.exec(line) ?? [];
  return pod === undefined ? undefined : { pod, namespace: namespace ?? "", uid: uid ?? "" };
}

function aboutOf(line: string, host: string) {
  const reserved = reservedName(line);
  const container = firstField(
    line,
    /\bcontainerName=\\*"?([\w.-]+)/,
    /for \\+"([\w.-]+)\\+" with/,
    /ContainerMetadata\{Name:([^,]*),/,
    /&Container\{Name:([^,]*),/,
  );
  return {
    ...podOf(line),
    container: container || (reserved?.container ?? ""),
    attempt: reserved?.attempt ?? attemptOf(line),
    containerId: firstField(
      line,
      /StartContainer for \\*"([0-9a-f]{12,64})\\*"/,
      /\bcontainerID=\\*"?(?:containerd:\/\/)?([0-9a-f]{12,64})/,
    ),
    image: firstField(
      line,
      /[Pp]ulling image \\*"([^"\\]+)/,
      /\bimage=\\*"([^"\\]+)/,
      /&Container\{Name:[^,]*,Image:([^,]+),/,
    ),
    ...{ finishedAt: "", place: undefined, owner: "" },
    node: host,
    message: line.length > 2_000 ? line.slice(0, 2_000) : line,
  };
}

function attemptOf(line: string): number | undefined {
  const attempt = /ContainerMetadata\{Name:[^,]*,Attempt:(\d{1,9})/.exec(line)?.[1];
  return attempt === undefined ? undefined : Number(attempt);
}
