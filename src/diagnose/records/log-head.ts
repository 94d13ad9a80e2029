/**
 * What stands before a message in a log: time, host and program, behind any prefix that grep, kubectl or a pager put
 * there.
 */
import { timeOf } from "../json.ts";
import { monthOf } from "./months.ts";
import { zoneMs } from "./zones.ts";

/**
 * By what a line without a year is dated: as near as can be to the last line with one, else the latest that is not to
 * come.
 */
export interface Calendar {
  /** Epoch ms. */
  readonly nowMs: number;
  /** Of the last line of a log that had a whole date, epoch ms. */
  seenMs: number | undefined;
  /** How far the log's local time is ahead of UTC, ms, where a line has shown it. */
  zoneMs?: number | undefined;
}

/** A time as it stands in a line. */
export interface LogTime {
  /** Epoch ms. */
  readonly atMs: number;
  /** Whether its zone was told, by itself or by a line before. */
  readonly isZoned: boolean;
}

export interface LogHead {
  readonly time: LogTime | undefined;
  /** Its clock as it stands there, read as UTC: beside a time with a zone it shows the zone. Epoch ms. */
  readonly clockMs: number | undefined;
  readonly host: string;
  readonly program: string;
}

/** Prefixes are short: a file's name, a pod's, a time stamp. */
const LONGEST_HEAD = 400;
/** `Nov 24 08:08:17`, `sept. 20 …`, `9月 20 …`. */
const SHORT = /(?<![\p{L}\p{N}])(\p{L}{3,9}\.?|\d{1,2}(?:月|월)) {1,2}(\d{1,2}) (\d\d:\d\d:\d\d(?:\.\d+)?)(?= )/u;
/** RFC 3339, `2026-11-24 08:08:17 CET`, `2026/11/24 08:08:17`. */
const DATED =
  /(?<![\w.:/=]|time=["\\]{1,4})(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d:\d\d:\d\d(?:[.,]\d+)?)(?: ?(Z|[+-]\d\d(?::?\d\d)?)| ([A-Z]{2,5}|[+-]\d\d))?(?=[ \t,;|"]|$)/;
/** journalctl -o short-unix. */
const UNIX = /(?<![\w.])(1\d{9}\.\d{3,9})(?= )/;
/** journalctl -o short-monotonic and short-delta. */
const MONOTONIC = /(?<!\w)\[ *\d+\.\d{6}(?: <[ \d.]*>)?\]/;
/** Host and program behind the time. */
const PLACE = /^[ \t]+(?:([^\s:[\]"=|]+) )?([\w@.\-/()]+)(?:\[(\d+)\])?: ?/;
/** Behind a time with a year anything may stand: only these are programs then, or what has a process id. */
const PROGRAMS = /^(?:kubelet|containerd|dockerd|docker|crio|cri-o|k3s|rke2|k0s|microk8s|kernel|systemd|hyperkube)/;
/** RFC 5424, as syslog daemons pass it on: host, program, process id, message id, structured data. */
const SYSLOG = /^[ \t]+(\S+) (\S+) (?:\d+|-) (?:\S+) (?:-|\[[^\]]*\]) /;

/** The head of a line, or undefined when it has none. A line with a whole date sets the calendar. */
export function headOf(line: string, calendar: Calendar): LogHead | undefined {
  const start = line.slice(0, LONGEST_HEAD);
  return shortHead(start, calendar) ?? datedHead(start, calendar) ?? unixHead(start, calendar) ?? monotonicHead(start);
}

function shortHead(start: string, calendar: Calendar): LogHead | undefined {
  const found = SHORT.exec(start);
  const month = found ? monthOf(found[1] ?? "") : undefined;
  if (!found || month === undefined) return undefined;
  const clockMs = yearless(month, Number(found[2]), found[3] ?? "", calendar);
  return { time: localTime(clockMs, calendar), clockMs, ...placeOf(start.slice(found.index + found[0].length), true) };
}

function datedHead(start: string, calendar: Calendar): LogHead | undefined {
  const found = DATED.exec(start);
  if (!found) return undefined;
  const [all, year = "", month = "", day = "", clock = "", offset, name] = found;
  const clockMs = timeOf(`${year}-${month}-${day}T${clock.replace(",", ".")}Z`);
  const ahead = zoneMs(offset ?? name ?? "");
  const time =
    ahead === undefined || clockMs === undefined
      ? localTime(clockMs, calendar)
      : { atMs: clockMs - ahead, isZoned: true };
  calendar.seenMs = time?.atMs ?? calendar.seenMs;
  const rest = start.slice(found.index + all.length);
  const syslog = SYSLOG.exec(rest);
  if (syslog) return { time, clockMs, host: syslog[1] ?? "", program: syslog[2] ?? "" };
  // A word in capitals behind the time that is no zone is a level.
  return { time, clockMs, ...placeOf(rest, false) };
}

function unixHead(start: string, calendar: Calendar): LogHead | undefined {
  const found = UNIX.exec(start);
  const atMs = timeOf(found?.[1]);
  if (!found || atMs === undefined) return undefined;
  const place = placeOf(start.slice(found.index + found[0].length), true);
  if (place.program === "") return undefined;
  calendar.seenMs = atMs;
  return { time: { atMs, isZoned: true }, clockMs: undefined, ...place };
}

function monotonicHead(start: string): LogHead | undefined {
  const found = MONOTONIC.exec(start);
  if (!found) return undefined;
  return { time: undefined, clockMs: undefined, ...placeOf(start.slice(found.index + found[0].length), true) };
}

function placeOf(rest: string, anyProgram: boolean): { host: string; program: string } {
  const [, host = "", program = "", processId] = PLACE.exec(rest) ?? [];
  const isProgram = anyProgram || processId !== undefined || PROGRAMS.test(program);
  return isProgram ? { host, program } : { host: "", program: "" };
}

const localTime = (clockMs: number | undefined, { zoneMs: ahead }: Calendar): LogTime | undefined =>
  clockMs === undefined ? undefined : { atMs: clockMs - (ahead ?? 0), isZoned: ahead !== undefined };

/** A clock may be a day ahead of the reader's. */
const AHEAD_MS = 86_400_000;

/** A time without year and zone, read as UTC in the year that the calendar gives it. `month` from 0. */
export function yearless(month: number, day: number, clock: string, { nowMs, seenMs }: Calendar): number | undefined {
  const year = new Date(seenMs ?? nowMs).getUTCFullYear();
  const ofDayMs = clockMs(clock);
  let nearest: number | undefined;
  for (const one of [year + 1, year, year - 1]) {
    const atMs = Date.UTC(one, month, day) + ofDayMs;
    if (atMs > nowMs + AHEAD_MS || new Date(atMs).getUTCMonth() !== month) continue;
    if (seenMs === undefined) return atMs;
    if (nearest === undefined || Math.abs(atMs - seenMs) < Math.abs(nearest - seenMs)) nearest = atMs;
  }
  return nearest;
}

/** ms since midnight of `08:08:17.169692`. */
const clockMs = (clock: string) =>
  Math.floor(
    Number(clock.slice(0, 2)) * 3_600_000 + Number(clock.slice(3, 5)) * 60_000 + Number(clock.slice(6)) * 1_000,
  );
