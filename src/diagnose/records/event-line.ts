/** Events in one line without a header: the list of GKE's console, and rows of kubectl's tables that grep left. */
import type { Sink } from "../findings/sink.ts";
import { timeOf } from "../json.ts";
import { readFlat, type RowContext } from "./flat.ts";
import { readEventTold } from "./event.ts";

/** A time, a message of the kubelet or the scheduler, and the console's letter for the severity. */
const CONSOLE = /^(\d{4}-\d\d-\d\d[T ][\d:.]+ ?(?:Z|UTC|[+-]\d\d:?\d\d))[ \t,|]+(.+?)(?:[ \t]+[IWEDN])?$/;
/** How those messages begin. */
const MESSAGE =
  /^(?:Successfully (?:assigned|pulled)|Pulling image|Created (?:container|pod)|Started container|Error: |Failed to (?:pull|create pod)|Back-off |Container image|Stopping container|Killing container|(?:Readiness|Liveness|Startup) probe|MountVolume|Unable to attach|\d+\/\d+ nodes)/;
const AGE = String.raw`(?:\d+[ydhms])+(?: ago)?(?: \((?:x\d+ )?over (?:\d+[ydhms])+\))?|<unknown>|<invalid>(?: \(x\d+ over [^)]*\))?`;
/** `kubectl get events`, with or without the namespace. */
const GET_ROW = new RegExp(
  `^(?:([a-z0-9-]+)[ \\t]+)?(${AGE})[ \\t]+(Normal|Warning)[ \\t]+(\\w+)[ \\t]+(\\w+/\\S+)[ \\t]+(.+)$`,
);
/** Under `Events:` of `kubectl describe`. */
const DESCRIBE_ROW = new RegExp(
  `^(Normal|Warning)[ \\t]+(\\w+)[ \\t]+(${AGE})[ \\t]+([\\w./-]+(?:, \\S+)?)[ \\t]+(.+)$`,
);

/** The same of kubectl before 1.10: first and last time, count, source, and the container if there is one. */
const OLD_ROW = new RegExp(
  `^\\s*(${AGE})[ \\t]+(?:${AGE})[ \\t]+\\d+[ \\t]+(\\S+(?:, \\S+)?)[ \\t]+(?:(spec\\.\\S+)[ \\t]+)?(Normal|Warning)[ \\t]+(\\w+)[ \\t]+(.+)$`,
);

/** The cells of a row of kubectl's tables of Events, by its words alone; undefined when it is none. */
export function eventCells(line: string): Record<string, string | undefined> | undefined {
  const get = GET_ROW.exec(line);
  if (get) {
    const [, namespace, time, type, reason, object, message] = get;
    return { namespace, time, type, reason, object, message };
  }
  const described = DESCRIBE_ROW.exec(line.trim());
  if (described) {
    const [, type, reason, time, source, message] = described;
    return { type, reason, time, source, message };
  }
  const old = OLD_ROW.exec(line);
  if (!old) return undefined;
  const [, time, source, subobject, type, reason, message] = old;
  return { time, source, subobject, type, reason, message };
}

/** Reads a line; false when it is no Event. */
export function readEventLine(line: string, context: RowContext, sink: Sink): boolean {
  const cells = eventCells(line);
  return cells ? readFlat(cells, context, sink) : readConsole(line, context, sink);
}

function readConsole(line: string, { host }: RowContext, sink: Sink): boolean {
  const [, time, message = ""] = CONSOLE.exec(line) ?? [];
  const atMs = timeOf(time?.replace(" UTC", "Z"));
  if (atMs === undefined || !MESSAGE.test(message)) return false;
  sink.usable("evidence", atMs);
  const rest = { type: "", kind: "Pod", namespace: "", name: "", uid: "", container: "", node: host };
  readEventTold({ ...rest, atMs, message, reason: reasonOf(message) }, sink);
  return true;
}

/** The reason with which the kubelet sends such a message. */
function reasonOf(message: string): string {
  if (message.startsWith("Failed to create pod")) return "FailedCreatePodSandBox";
  if (message.startsWith("Back-off")) return "BackOff";
  return /^(?:Error: |Failed to )/.test(message) ? "Failed" : "";
}
