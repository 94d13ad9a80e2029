/** Lines of the kubelet's and containerd's logs: journal text in its usual forms, klog, logfmt. */
import { logFingerprint } from "../fingerprint.ts";
import type { Sink } from "../findings/sink.ts";
import { timeOf } from "../json.ts";
import { reservedName } from "./reserved-name.ts";

/** What is known of a line from around it. */
export interface LogContext {
  /** Time that the wrapping record tells, if it does. */
  readonly loggedMs: number | undefined;
  /** Host that the wrapping record tells, or "". */
  readonly host: string;
  /** Journal lines have no year: the latest one that is not after this is taken. Epoch ms. */
  readonly nowMs: number;
  /** True when the wrapping record already shows that this is a log. */
  readonly isLog: boolean;
}

const SHORT = /^([A-Z][a-z]{2}) +(\d{1,2}) (\d\d:\d\d:\d\d(?:\.\d+)?) (\S+) ([\w@.\-/:]+)(?:\[\d+\])?: ?/;
const ISO = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)) (\S+) ([\w@.\-/]+)(?:\[\d+\])?: ?/;
const KLOG = /(?:^|\s)[IWEF](\d\d)(\d\d) (\d\d:\d\d:\d\d\.\d+) +\d+ [\w.-]+:\d+\] /;
const LOGFMT_TIME = /\btime="?([^" ]+)"?/;
const LOGFMT = /^time="?[^" ]+"? level=\w+ msg=/;
const CRI = /^(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)) (?:stdout|stderr) [FP] /;
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/** A clock may be a day ahead of the reader's. */
const AHEAD_MS = 86_400_000;

/** Reads a line; false when it has the shape of no log that is known here. */
export function readLogLine(line: string, context: LogContext, sink: Sink): boolean {
  const head = headOf(line, context.nowMs);
  const klog = KLOG.exec(line);
  if (!head && !klog && !context.isLog && !LOGFMT.test(line)) return false;
  sink.usable();
  const fingerprint = logFingerprint(line);
  if (!fingerprint) return true;
  const atMs = innerTime(line, klog, head?.atMs ?? context.loggedMs, context.nowMs);
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

function headOf(line: string, nowMs: number): Head | undefined {
  const iso = ISO.exec(line);
  if (iso) return { atMs: timeOf(iso[1]), host: iso[2] ?? "" };
  const short = SHORT.exec(line);
  if (short) {
    const month = months.indexOf(short[1] ?? "");
    return month < 0
      ? undefined
      : { atMs: yearless(month, Number(short[2]), short[3] ?? "", nowMs), host: short[4] ?? "" };
  }
  const cri = CRI.exec(line);
  return cri ? { atMs: timeOf(cri[1]), host: "" } : undefined;
}

/** The log's own time is finer than the journal's, and containerd's has a year and a zone. */
function innerTime(line: string, klog: RegExpExecArray | null, outerMs: number | undefined, nowMs: number) {
  const logfmt = timeOf(LOGFMT_TIME.exec(line)?.[1]);
  if (logfmt !== undefined) return logfmt;
  if (outerMs !== undefined || !klog) return outerMs;
  return yearless(Number(klog[1]) - 1, Number(klog[2]), klog[3] ?? "", nowMs);
}

/** A time without year and zone: UTC, and the latest year in which it is not to come. */
function yearless(month: number, day: number, clock: string, nowMs: number): number | undefined {
  const year = new Date(nowMs).getUTCFullYear();
  for (const candidate of [year, year - 1]) {
    const date = `${candidate}-${String(month + 1).padStart(2, "0")}-${String(day).padStart(2, "0")}T${clock}Z`;
    const ms = timeOf(date);
    if (ms !== undefined && ms <= nowMs + AHEAD_MS) return ms;
  }
  return undefined;
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

function podOf(line: string) {
  const [namespace = "", pod = ""] = field(line, /\bpods?=\\*"?\{?([\w.-]+\/[\w.-]+)/).split("/");
  const sandbox = /PodSandboxMetadata\{Name:([^,]*),Uid:([^,]*),Namespace:([^,]*),/.exec(line);
  const [, sandboxPod = "", sandboxUid = "", sandboxNamespace = ""] = sandbox ?? [];
  const { namespace: reservedNamespace, pod: reservedPod, uid } = reservedName(line) ?? {};
  return {
    namespace: namespace || (reservedNamespace ?? sandboxNamespace),
    pod: pod || (reservedPod ?? sandboxPod),
    uid: field(line, /\bpodUID=\\*"?([\w-]+)/) || (uid ?? sandboxUid),
  };
}

function aboutOf(line: string, host: string) {
  const reserved = reservedName(line);
  const container = firstField(
    line,
    /\bcontainerName=\\*"?([\w.-]+)/,
    /for \\+"([\w.-]+)\\+" with/,
    /ContainerMetadata\{Name:([^,]*),/,
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
    image: firstField(line, /[Pp]ulling image \\*"([^"\\]+)/, /\bimage=\\*"([^"\\]+)/),
    ...{ finishedAt: "", place: undefined, owner: "" },
    node: host,
    message: line.length > 2_000 ? line.slice(0, 2_000) : line,
  };
}

function attemptOf(line: string): number | undefined {
  const attempt = /ContainerMetadata\{Name:[^,]*,Attempt:(\d{1,9})/.exec(line)?.[1];
  return attempt === undefined ? undefined : Number(attempt);
}
