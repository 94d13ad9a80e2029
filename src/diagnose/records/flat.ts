/**
 * Rows that tell of one pod or Event in cells: tables of kubectl, custom columns, CSV, rows of Log Analytics and
 * Insights. Columns go by many names.
 */
import { classify } from "../classify/classify.ts";
import type { Sink } from "../findings/sink.ts";
import { type Json, textOf, timeOf } from "../json.ts";
import { ageMs } from "./age.ts";
import type { EventTold } from "../findings/event-told.ts";
import { containerIn, readEventTold } from "./event.ts";

/** What is known of a row from around it. */
export interface RowContext {
  /** Time that ages count back from, and of rows without any. Epoch ms. */
  readonly nowMs: number;
  readonly loggedMs: number | undefined;
  readonly host: string;
}

/** Names of columns, by what they hold; letters and digits only, in lower case. */
const columns = {
  time: [
    "firsttimestamp",
    "firstseen",
    "timegenerated",
    "eventtime",
    "timestamp",
    "time",
    "date",
    "lasttimestamp",
    "lastseen",
    "age",
    "last",
    "first",
    "when",
    "seen",
    "receivedtime",
    "datetime",
  ],
  type: ["type", "kubeeventtype", "eventtype"],
  reason: ["reason", "eventreason", "waitingreason", "terminatedreason", "laststatereason"],
  status: ["status", "podstatus"],
  message: ["message", "msg", "note", "eventmessage", "description"],
  object: ["object", "obj", "involvedobject", "regarding"],
  kind: ["kind", "objectkind", "involvedkind", "involvedobjectkind"],
  pod: ["pod", "podname", "objectname", "involvedobjectname", "kubernetespodname", "objectrefname", "name"],
  namespace: [
    "namespace",
    "podnamespace",
    "ns",
    "objectrefnamespace",
    "involvedobjectnamespace",
    "kubernetesnamespacename",
  ],
  node: ["node", "nodename", "computer", "host", "hostname", "instance", "sourcehost", "kuberneteshost"],
  container: ["container", "containername", "subobject", "subobjectpath", "fieldpath", "involvedobjectfieldpath"],
  source: ["source", "from"],
} as const;

type Field = keyof typeof columns;
type Cells = Readonly<Record<Field, string>>;

const plainName = (name: string) =>
  name
    .replace(/ ?\[utc\]$/i, "")
    .replace(/_[sdtgb]$/, "")
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "");

const known: ReadonlySet<string> = new Set(Object.values(columns).flat());

/** Whether the names of a table's columns are those of Events: all known, a reason or a message among them. */
export function areOfEvents(names: readonly string[]): boolean {
  const plain = names.map(plainName);
  const tells = (["reason", "message"] as const).some((field) =>
    plain.some((name) => (columns[field] as readonly string[]).includes(name)),
  );
  return names.length >= 3 && tells && plain.every((name) => known.has(name));
}

/** Reasons without which a row of pods or Events is no row of one: a text that is one word. */
const WORD = /^[A-Z][A-Za-z]+$/;
/** Reasons that say nothing of why. StartError is the one that counts by itself. */
const NEEDS_MESSAGE =
  /^(?:RunContainerError|CreateContainerError|CreatePodSandboxError|FailedCreatePodSandBox|ErrImagePull|ImagePullBackOff|ContainerCannotRun)$/;

/** How the kubelet's messages of failures begin, where a row has no reason. */
function reasonOf(message: string): string {
  if (message.startsWith("Failed to create pod")) return "FailedCreatePodSandBox";
  return /^(?:Error: |Failed to pull )/.test(message) ? "Failed" : "";
}

/** Reads a row; false when it tells of no Event and no pod. */
export function readFlat(row: Json, context: RowContext, sink: Sink): boolean {
  const told = cellsOf(row);
  const cells = { ...told, reason: told.reason || reasonOf(told.message) };
  const isAbout = cells.object !== "" || cells.pod !== "" || cells.time !== "";
  if (cells.reason !== "" && WORD.test(cells.reason) && isAbout) {
    readReason(eventOf(cells, context), sink);
    return true;
  }
  if (cells.pod !== "" && cells.status !== "" && plainKeys(row).has("ready")) {
    readPodRow(cells, context, sink);
    return true;
  }
  return readNodeRow(row, cells, context, sink);
}

function readReason(event: EventTold, sink: Sink): void {
  if (event.message === "" && NEEDS_MESSAGE.test(event.reason)) {
    sink.unread("noDetails", `${event.namespace}/${event.name}: ${event.reason}`, "record");
    return;
  }
  // A row with a message is an Event; one without is of pods, and shows only what was asked for.
  // Events of nodes tell of no start.
  sink.usable(event.message === "" || event.kind === "Node" ? "context" : "evidence", event.atMs);
  readEventTold(event, sink);
}

/** `kubectl get pods` shows what each pod does now, not how its containers ended before. */
function readPodRow(cells: Cells, context: RowContext, sink: Sink): void {
  const reason = cells.status.replace(/^Init:/, "");
  sink.usable("context");
  if (NEEDS_MESSAGE.test(reason)) {
    sink.unread("noDetails", `${cells.namespace}/${cells.pod}: ${reason}`, "record");
    return;
  }
  if (classify({ reason, message: "" }) === undefined) return;
  const event = eventOf({ ...cells, reason, message: "" }, context);
  readEventTold({ ...event, atMs: context.loggedMs ?? context.nowMs }, sink);
}

function readNodeRow(row: Json, cells: Cells, { nowMs }: RowContext, sink: Sink): boolean {
  const keys = plainKeys(row);
  if (!keys.has("roles") || !keys.has("version") || cells.pod === "") return false;
  const age = ageMs(cells.time);
  if (age !== undefined) sink.nodeCreated(cells.pod, nowMs - age.firstMs);
  sink.skip("roundedAge");
  sink.usable("context");
  return true;
}

const plainKeys = (row: Json) => new Set(Object.keys(row).map(plainName));

function cellsOf(row: Json): Cells {
  const values = new Map(Object.entries(row).map(([key, value]) => [plainName(key), cellText(value)]));
  const pick = (field: Field) => {
    const name = columns[field].find((one) => (values.get(one) ?? "") !== "");
    return name === undefined ? "" : (values.get(name) ?? "");
  };
  return Object.fromEntries((Object.keys(columns) as Field[]).map((field) => [field, pick(field)])) as Cells;
}

function cellText(value: unknown): string {
  if (typeof value === "number") return String(value);
  const text = textOf(value).trim();
  return text === "<none>" || text === "<unknown>" || text.startsWith("<invalid>") ? "" : text;
}

function eventOf(cells: Cells, { nowMs, loggedMs, host }: RowContext): EventTold {
  const { type, reason, message, namespace } = cells;
  const [, kind = "", name = ""] = /^(\w+)(?:\.[\w.]+)?\/(.+)$/.exec(cells.object) ?? [];
  const isNode = /^nodes?$/i.test(kind || cells.kind);
  const container = containerIn(cells.container) || (/^[\w.-]+$/.test(cells.container) ? cells.container : "");
  return {
    type,
    reason,
    message,
    atMs: momentOf(cells.time, nowMs) ?? loggedMs ?? nowMs,
    kind: isNode ? "Node" : "Pod",
    namespace,
    name: name || cells.pod,
    uid: "",
    container,
    node: cells.node || (/^kubelet, ?(\S+)/.exec(cells.source)?.[1] ?? host),
  };
}

/** A time, or an age counted back from now; the first time where an Event came more than once. */
function momentOf(text: string, nowMs: number): number | undefined {
  const age = ageMs(text);
  return age === undefined ? timeOf(text) : nowMs - age.firstMs;
}
