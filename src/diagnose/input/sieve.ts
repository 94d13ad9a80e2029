/**
 * Decides by bytes which lines of an audit log are worth parsing. Nearly all of a log is heartbeats, reads and status
 * writes without a failure: parsing only the others is what makes 2 GB a matter of seconds.
 */
import type { Sink, Worth } from "../findings/sink.ts";
import { timeOf } from "../json.ts";

/** How the API server begins every line. Lines in any other shape take the general way, which is slower. */
const HEAD = Buffer.from('{"kind":"Event","apiVersion":"audit.k8s.io/');
/** Verb, URI and user stand within the first bytes of such a line; a URI with a long selector is found by parsing. */
const HEAD_BYTES = 420;
/** The time of receipt is written near the end, before the annotations. */
const TAIL_BYTES = 1_500;
const START_ERROR = Buffer.from("StartError");
const EXIT_CODE = Buffer.from('"exitCode":');
const WAITING = Buffer.from('"waiting":{"');
const WARNING = Buffer.from('"Warning"');
const SCHEDULED = Buffer.from('"Scheduled"');
/** What is told of images: fetched, or there already. */
const PULLED = Buffer.from('"Pulled"');
/** What a status tells of an end that the pod did not come to by itself, in statuses without an exit code as well. */
const CUT_SHORT = [Buffer.from('"DisruptionTarget"'), Buffer.from('"phase":"Failed"')];
const RESPONSE = Buffer.from('"responseObject":');
const METADATA = '"level":"Metadata"';
/** What follows the URI. */
const VERB = '","verb":"';
const BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const ZERO = 0x30;
const COMMA = 0x2c;

/**
 * `parse`: the line matters, or may. `done`: nothing in it that is not known now. `broken`: cut off. `foreign`: another
 * shape.
 */
export type Sifted = "parse" | "done" | "broken" | "foreign";

/** What the beginning of a line tells. */
interface Begun {
  readonly uri: string;
  /** Of the core API, without its beginning. */
  readonly path: string;
  readonly verb: string;
  readonly head: string;
}

interface PodRequest {
  readonly path: string;
  readonly verb: string;
  readonly name: string;
  readonly subresource: string;
}

export class Sieve {
  readonly #sink: Sink;
  #chunk: Buffer = Buffer.alloc(0);
  /** Where the next `StartError` of the chunk is. */
  #mark = -1;
  /** Of the line that is sifted. */
  #worth: Worth = "context";

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** Looks for the one marker that matters in every line, once for all lines of a chunk. */
  begin(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#mark = chunk.indexOf(START_ERROR);
  }

  /** Sifts the line from `from` to `to` (without its newline) of the chunk that was begun. */
  sift(from: number, to: number): Sifted {
    const chunk = this.#chunk;
    if (chunk[from] !== BRACE || to - from < HEAD.length) return "foreign";
    if (chunk.compare(HEAD, 0, HEAD.length, from, from + HEAD.length) !== 0) return "foreign";
    if (chunk[to - 1] !== CLOSE_BRACE) return "broken";
    while (this.#mark >= 0 && this.#mark < from) this.#mark = chunk.indexOf(START_ERROR, from);
    if (this.#mark >= 0 && this.#mark < to) return "parse";
    const head = chunk.toString("latin1", from, Math.min(to, from + HEAD_BYTES));
    const verdict = this.#byResource(head, from, to);
    if (verdict === "done")
      this.#sink.usable(this.#worth, this.#sink.hasWindow ? this.#receivedMs(from, to) : undefined);
    return verdict;
  }

  #byResource(head: string, from: number, to: number): Sifted {
    this.#worth = "context";
    // "URI" and not the whole key: a search for a rare first letter is many times faster than one for a quote.
    const at = head.indexOf('URI":"', HEAD.length) + 6;
    const end = head.indexOf('"', at);
    if (at < 6 || end < 0 || !head.startsWith(VERB, end)) return "parse";
    const uri = head.slice(at, end);
    const verb = head.slice(end + VERB.length, head.indexOf('"', end + VERB.length));
    const path = uri.startsWith("/api/v1/") ? uri.slice(8) : uri;
    if (path.startsWith("nodes")) return this.#node(path, verb, from, to);
    if (verb === "get" || verb === "list" || verb === "watch") return "done";
    return this.#write({ uri, path, verb, head }, from, to);
  }

  #write({ uri, path, verb, head }: Begun, from: number, to: number): Sifted {
    const [, resource, name, subresource] = path.startsWith("namespaces/") ? pathParts(path) : [];
    const isEvents = uri.includes("/events");
    if (resource !== "pods" && !isEvents) return "done";
    // At level Metadata nothing of what was written is kept: no failure would show.
    this.#worth = head.includes(METADATA) ? "context" : "evidence";
    if (resource === "pods")
      return this.#pod({ path, verb, name: name ?? "", subresource: subresource ?? "" }, head, from, to);
    if (this.#sink.objects !== undefined && this.#has(PULLED, from, to)) return "parse";
    return this.#has(WARNING, from, to) || this.#has(SCHEDULED, from, to) ? "parse" : "done";
  }

  #node(path: string, verb: string, from: number, to: number): Sifted {
    if (verb === "create") return "parse";
    const name = path.slice(6).split(/[/?]/, 1)[0] ?? "";
    if (verb === "delete" && this.#sink.objects !== undefined) return "parse";
    if (name === "" || verb === "delete") return "done";
    const isWrite = verb === "patch" || verb === "update";
    if (isWrite && this.#sink.objects?.wantsNode(name, this.#receivedMs(from, to)) === true) return "parse";
    if (this.#sink.knowsNode(name)) return "done";
    // With the answer comes the node's creationTimestamp.
    if (isWrite) return "parse";
    const atMs = this.#receivedMs(from, to);
    if (atMs !== undefined) this.#sink.nodeSeen(copied(name), atMs);
    return "done";
  }

  #pod(pod: PodRequest, head: string, from: number, to: number): Sifted {
    if (pod.subresource === "binding") return "parse";
    if (this.#tellsFailure(from, to)) return "parse";
    const podKey = `${pod.path.split("/", 2)[1] ?? ""}/${pod.name}`;
    if (this.#sink.objects !== undefined && this.#tellsCourse(pod, podKey, from, to)) return "parse";
    if (pod.subresource !== "status") return "done";
    this.#start(podKey, head, from, to);
    return "done";
  }

  /** Creations and ends, and what kubelets write until nothing new is to come. */
  #tellsCourse({ name, verb, subresource }: PodRequest, podKey: string, from: number, to: number): boolean {
    if (subresource !== "status")
      return verb === "delete" || subresource === "eviction" || name === "" || name.startsWith("?");
    return this.#sink.objects?.wantsStatus(podKey) === true || CUT_SHORT.some((marker) => this.#has(marker, from, to));
  }

  /** An end other than 0, or waiting for anything but the beginning. */
  #tellsFailure(from: number, to: number): boolean {
    const whole = this.#chunk.subarray(from, to);
    // The answer repeats what the kubelet wrote now or before, in a line several times as long.
    const answer = whole.indexOf(RESPONSE);
    const line = answer < 0 ? whole : whole.subarray(0, answer);
    for (let at = line.indexOf(EXIT_CODE); at >= 0; at = line.indexOf(EXIT_CODE, at + 1)) {
      const digit = at + EXIT_CODE.length;
      const after = line[digit + 1];
      if (line[digit] !== ZERO || (after !== COMMA && after !== CLOSE_BRACE)) return true;
    }
    for (let at = line.indexOf(WAITING); at >= 0; at = line.indexOf(WAITING, at + 1)) {
      const reason = line.toString("latin1", at + WAITING.length, at + WAITING.length + 28);
      if (!reason.startsWith('reason":"ContainerCreating"') && !reason.startsWith('reason":"PodInitializing"'))
        return true;
    }
    return false;
  }

  /** When the pod came to its node, told by the first status that its kubelet writes. */
  #start(podKey: string, head: string, from: number, to: number): void {
    if (this.#sink.knowsStart(podKey)) return;
    const line = this.#chunk.toString("latin1", from, to);
    const node = between(line, '"nodeName":"', '"') ?? between(head, '"username":"system:node:', '"');
    const startMs = timeOf(between(line, '"startTime":"', '"'));
    if (node !== undefined && startMs !== undefined) this.#sink.started(podKey, copied(node), startMs, "status");
  }

  #has(marker: Buffer, from: number, to: number): boolean {
    return this.#chunk.subarray(from, to).includes(marker);
  }

  #receivedMs(from: number, to: number): number | undefined {
    const tail = this.#chunk.toString("latin1", Math.max(from, to - TAIL_BYTES), to);
    return timeOf(between(tail, '"requestReceivedTimestamp":"', '"'));
  }
}

/** `namespaces/x/pods/y/status?z` in its parts, after "namespaces". */
const pathParts = (path: string) => (path.split("?", 1)[0] ?? "").split("/").slice(1);

/** A part of a text keeps all of it in memory: what is remembered is copied out of its line. */
const copied = (text: string) => Buffer.from(text, "latin1").toString("latin1");

function between(text: string, before: string, after: string): string | undefined {
  const at = text.indexOf(before);
  if (at < 0) return undefined;
  const from = at + before.length;
  const to = text.indexOf(after, from);
  return to < 0 ? undefined : text.slice(from, to);
}
