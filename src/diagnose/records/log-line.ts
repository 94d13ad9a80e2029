/** Lines of the kubelet's and the container runtime's logs: journal text in its usual forms, klog, logfmt. */
import { classify, type Classified } from "../classify/classify.ts";
import { markIn } from "../classify/marks.ts";
import type { Sink } from "../findings/sink.ts";
import { timeOf } from "../json.ts";
import { type Calendar, headOf, type LogHead, type LogTime, yearless } from "./log-head.ts";
import { placeOf } from "./log-place.ts";
import { zoneMs } from "./zones.ts";

/** What is known of a line from around it. */
export interface LogContext {
  /** Time that the wrapping record tells, if it does. */
  readonly loggedMs: number | undefined;
  /** Host that the wrapping record tells, or "". */
  readonly host: string;
  /** Program that the wrapping record tells, or "". */
  readonly program: string;
  readonly calendar: Calendar;
  /** True when the wrapping record already shows that this is a log. */
  readonly isLog: boolean;
}

/** The kubelet's own format, wherever it stands in a line. */
const KLOG = /(?<![A-Za-z0-9])([IWEF])(\d\d)(\d\d) (\d\d:\d\d:\d\d\.\d+) +\d+ ([\w.\-/]+):\d+\] ?/;
/** containerd's and CRI-O's format, wherever it stands in a line; quotes may be escaped. */
const LOGFMT = /(?<!\w)time=(?:[\\"]{1,8}([^"\\]{1,80})[\\"]{1,8}|(\S{1,80})) level=(\w+) msg=/;
/** Programs that start containers, and those that hold them in one. */
const RUNTIMES =
  /^(?:kubelet|container-runtime|containerd|dockerd|docker|crio|cri-o|k3s|rke2|k0s|snap\.|microk8s|hyperkube)/;
/** Files of the kubelet: other programs write klog as well, and tell nothing of starts. */
const KUBELETS_FILE =
  /^(?:kubelet|pod_workers|kuberuntime|remote_(?:runtime|image)|log\.go|pod_startup|generic|reconciler|operation_|prober|status_manager|docker_|container_manager|eviction|image_gc|event\.go|kubelet_|topology|cpu_manager|memory_manager|server\.go|plugin|csi_|factory|handler|pod_container|runtime|image_)/;
const RUNTIMES_WORD = /sandbox|container|shim|pull|image/i;
/** How a reason of the API stands in a line: `with RunContainerError: …`, `pod x(uid): CreateContainerError: …`. */
const REASON =
  /\b(StartError|RunContainerError|CreateContainerError|CreateContainerConfigError|CreatePodSandboxError|FailedCreatePodSandBox|ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull|RegistryUnavailable|ImageInspectError)\b/;
/** A cut that a pager or systemctl marks. */
const CUT = /…$|(?<!<[\w -]{0,20})>$/;

/** How much of a message is kept with a failure. */
const KEPT_CHARS = 2_000;

/** Reads a line; false when it has the shape of no log that is known here. */
export function readLogLine(line: string, context: LogContext, sink: Sink): boolean {
  const parts = partsOf(line, context.calendar);
  const { head, klog, logfmt } = parts;
  if (!klog && !logfmt && !context.isLog && (head === undefined || head.program === "")) return false;
  const told = classifyLine(line);
  const isOfRuntime = isEvidence(line, parts, context.program);
  const doubt = doubtOf(line, told, isOfRuntime);
  if (doubt !== undefined) {
    sink.usable("context");
    sink.unread(doubt, line, "line");
    return true;
  }
  if (isTorn(line)) sink.skip("torn");
  const time = timeIn(parts, context, sink);
  sink.usable(isOfRuntime || told ? "evidence" : "context", time?.atMs);
  if (told) report(line, told, time, hostIn(head, context), sink);
  return true;
}

/**
 * Why a line is not taken for read although its shape is known: its end is missing, or its program says nothing of
 * starts.
 */
function doubtOf(
  line: string,
  told: Classified | undefined,
  isOfRuntime: boolean,
): "torn" | "notRecognised" | undefined {
  // A StartError whose end is missing may have any cause.
  const isTold = told !== undefined && told.fingerprint !== "OtherStartError";
  if (!isTold && (isTorn(line) || lacksError(line))) return "torn";
  return !told && !isOfRuntime && markIn(line) !== undefined ? "notRecognised" : undefined;
}

/** Failures that a line names in its first words, and explains in the error behind them. */
const NAMED =
  /Error syncing pod|start failed in pod|(?:StartContainer|CreateContainer|RunPodSandbox|PullImage)\b.{0,300}? failed/;
const EXPLAINED = /\b(?:err|error)=[\\"<]|skipping: \S|failed: \S|\): \S/;

/** True when a line names a failure, and ends before it says why. */
export const lacksError = (line: string): boolean =>
  NAMED.test(line) && !EXPLAINED.test(line) && classifyLine(line) === undefined;

interface Parts {
  readonly head: LogHead | undefined;
  readonly klog: RegExpExecArray | null;
  readonly logfmt: RegExpExecArray | null;
  /** The time that logfmt tells, epoch ms. */
  readonly own: number | undefined;
}

function partsOf(line: string, calendar: Calendar): Parts {
  const logfmt = LOGFMT.exec(line);
  const own = ownTime(logfmt);
  if (own !== undefined) calendar.seenMs = own; // which gives the head's clock its year
  return { head: headOf(line, calendar), klog: KLOG.exec(line), logfmt, own };
}

/** What a line of a log tells of a failed start, whatever wraps it. */
export const classifyLine = (line: string): Classified | undefined =>
  classify({ reason: reasonIn(line), message: line });

/** A reason that ends its text tells no more than that something failed, which another line tells with its message. */
function reasonIn(line: string): string {
  const found = REASON.exec(line);
  if (!found) return "";
  const rest = line.slice(found.index + found[0].length);
  return /^\W*$/.test(rest) || /^["\\']*(?:\s|$)/.test(rest) ? "" : (found[1] ?? "");
}

/** True when the end of the line is missing. */
export const isTorn = (line: string): boolean => CUT.test(line) || isOpen(line) || isBareHead(line);

/** A head of klog or logfmt that ends before its message begins. */
const BARE =
  /(?<![A-Za-z0-9])[IWEF]\d{4} \d\d:\d\d:\d\d(?:\.\d*)?(?: +\d* *[\w.\-/]*(?::\d*\]?)?)?$|(?<!\w)time="[^"]*"(?: l\w*=?\w*)?(?: m\w*=?)?$/;

/** A head behind the longest prefix. */
const LONGEST_BARE = 300;

/** A level at which failures are told. */
const OF_ERROR = /(?<![A-Za-z0-9])[EWF]\d{4} \d\d:\d\d:\d\d|level=(?:error|warning|fatal)/;

/**
 * True when the last line of an input, without a newline behind it, was probably cut: it says nothing at all, or
 * nothing of an error.
 */
export function isFragment(line: string, calendar: Calendar): boolean {
  if (isTorn(line) || classifyLine(line) !== undefined) return false;
  if (OF_ERROR.test(line)) return true;
  return RUNTIMES.test(headOf(line, { ...calendar })?.program ?? "") && !KLOG.test(line) && !LOGFMT.test(line);
}

/** True when a line has nothing behind its head. */
export const isBareHead = (line: string): boolean =>
  line.length < LONGEST_BARE && !line.includes('] "') && !line.includes('msg="') && BARE.test(line);

/** True when quotes, or klog's `err=<`, are not closed: the line goes on, or was cut. */
export function isOpen(line: string): boolean {
  if (line.lastIndexOf("=<") > line.lastIndexOf(">")) return true;
  let quotes = 0;
  for (let at = line.indexOf('"'); at >= 0; at = line.indexOf('"', at + 1)) if (line[at - 1] !== "\\") quotes++;
  return quotes % 2 === 1;
}

const hostIn = (head: LogHead | undefined, context: LogContext): LogContext => ({
  ...context,
  host: context.host || (head?.host ?? ""),
});

function isEvidence(line: string, { head, klog, logfmt }: Parts, around: string): boolean {
  const program = head?.program || around;
  if (program !== "" && (RUNTIMES.test(program) || (!klog && !logfmt))) return RUNTIMES.test(program);
  if (klog) return KUBELETS_FILE.test(klog[5] ?? "");
  return logfmt !== null && RUNTIMES_WORD.test(line);
}

/** The log's own time is finer than the journal's, and containerd's has a year and a zone. */
function timeIn({ head, klog, own }: Parts, context: LogContext, sink: Sink): LogTime | undefined {
  const { calendar } = context;
  if (own !== undefined) {
    if (head?.clockMs !== undefined && !head.time?.isZoned) learnZone(head.clockMs - own, calendar, sink);
    return { atMs: own, isZoned: true };
  }
  const klogMs = () => (klog ? yearless(Number(klog[2]) - 1, Number(klog[3]), klog[4] ?? "", calendar) : undefined);
  const outer = context.loggedMs === undefined ? head?.time : { atMs: context.loggedMs, isZoned: true };
  if (outer) {
    const clockMs = outer.isZoned && calendar.zoneMs === undefined ? klogMs() : undefined;
    if (clockMs !== undefined) learnZone(clockMs - outer.atMs, calendar, sink);
    return outer;
  }
  const clockMs = klogMs();
  return clockMs === undefined
    ? undefined
    : { atMs: clockMs - (calendar.zoneMs ?? 0), isZoned: calendar.zoneMs !== undefined };
}

function ownTime(logfmt: RegExpExecArray | null): number | undefined {
  const text = logfmt?.[1] ?? logfmt?.[2];
  return timeOf(text) ?? timeOf(text?.replace(" ", "T"));
}

const QUARTER_MS = 900_000;
/** Zones lie within a day of UTC, and lines are written within moments of what they tell. */
const FARTHEST_ZONE_MS = 14 * 3_600_000;
const DELAY_MS = 120_000;

/** From the difference between a clock on the wall and the time in UTC that stands beside it. */
function learnZone(differenceMs: number, calendar: Calendar, sink: Sink): void {
  const rounded = Math.round(differenceMs / QUARTER_MS) * QUARTER_MS;
  if (Math.abs(rounded) > FARTHEST_ZONE_MS || Math.abs(differenceMs - rounded) > DELAY_MS) return;
  if (calendar.zoneMs === rounded) return;
  calendar.zoneMs = rounded;
  sink.zone(rounded);
}

/**
 * What journalctl says of the journal itself tells the zone of lines that do not: `-- Logs begin at … CET, end at …
 * --`.
 */
export function readJournalNote(line: string, calendar: Calendar, sink: Sink): void {
  const found = [...line.matchAll(/(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) ([A-Z]{1,5}|[+-]\d\d(?::?\d\d)?)/g)].at(-1);
  const [, date = "", clock = "", zone = ""] = found ?? [];
  const ahead = zoneMs(zone);
  const clockMs = timeOf(`${date}T${clock}Z`);
  if (ahead === undefined || clockMs === undefined) return;
  calendar.seenMs ??= clockMs - ahead;
  learnZone(ahead, calendar, sink);
}

function report(line: string, told: Classified, time: LogTime | undefined, context: LogContext, sink: Sink): void {
  const { calendar, host } = context;
  if (time === undefined) sink.skip("withoutTime");
  sink.failure({
    source: "log",
    ...told,
    atMs: time?.atMs ?? calendar.seenMs ?? calendar.nowMs,
    isZoneless: time !== undefined && !time.isZoned,
    ...placeOf(line),
    finishedAt: "",
    place: undefined,
    owner: "",
    node: host,
    message: line.slice(0, KEPT_CHARS),
  });
}
