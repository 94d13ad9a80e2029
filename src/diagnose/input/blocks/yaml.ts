/** YAML, as `kubectl get -o yaml` and `aws --output yaml` write it: documents, lists, and parts that people cut out. */
import { parse } from "yaml";
import { markIn } from "../../classify/marks.ts";
import { isRecord } from "../../json.ts";
import { readValue } from "../../records/unwrap.ts";
import type { Block, BlockHost } from "./block.ts";

/** Keys with which a document, or a part of one, begins. */
const START =
  /^(\s*)(?:- )?(?:apiVersion|kind|items|metadata|status|spec|events|results|records|hits|lastState|state|containerStatuses|initContainerStatuses|involvedObject|terminated|waiting|requestObject|responseObject|firstTimestamp|objectRef|insertId|jsonPayload|textPayload|protoPayload):(?:\s|$)/;
/** A line at the left edge that can belong to a document. */
const EDGE = /^(?:[\w.\-"'/@]+:(?:\s|$)|- |-$|#|\.\.\.$|[|>})\]]\s*$)/;
/** `kubectl describe` begins like this: not YAML, although it looks it. */
const DESCRIBED = /^Name: {2,}\S/;
const LIST = /^(\s*)(?:items|events|results|records|hits):\s*$/;
/** Bytes of one element at most; etcd refuses objects over 1.5 MiB. */
const ELEMENT_CHARS = 4_000_000;

export function startYaml(line: string, host: BlockHost): Block | undefined {
  return START.test(line) ? new YamlBlock(host) : undefined;
}

/** Gathers the lines of one element, and reads each as soon as the next one begins: a list may be large. */
class YamlBlock implements Block {
  readonly #host: BlockHost;
  #lines: string[] = [];
  #chars = 0;
  /** Indentation of the dashes of the list that holds records, once it is known. */
  #dash: number | undefined;
  #inList = false;

  constructor(host: BlockHost) {
    this.#host = host;
  }

  push(line: string): boolean {
    if (line !== "" && !/^\s/.test(line) && (!EDGE.test(line) || DESCRIBED.test(line))) return false;
    if (this.#chars > ELEMENT_CHARS) return false;
    const isNewDocument =
      /^apiVersion:/.test(line) && !this.#inList && this.#lines.some((one) => /^apiVersion:/.test(one));
    if (/^---/.test(line) || isNewDocument) this.#document();
    else if (LIST.test(line) && !this.#inList) this.#inList = true;
    else this.#element(line);
    if (!/^---/.test(line)) this.#keep(line);
    return true;
  }

  #keep(line: string): void {
    this.#lines.push(line);
    this.#chars += line.length + 1;
  }

  /** A dash at the list's own depth begins the next element; a key left of it ends the list. */
  #element(line: string): void {
    if (!this.#inList) return;
    const indent = line.search(/\S/);
    const isDash = line.startsWith("- ", indent);
    if (isDash) this.#dash ??= indent;
    if (this.#dash === undefined || indent < 0) return;
    if (isDash && indent === this.#dash) this.#flush();
    else if (indent < this.#dash || (indent === this.#dash && !isDash)) this.#document();
  }

  #document(): void {
    this.#flush();
    this.#inList = false;
    this.#dash = undefined;
  }

  end(): void {
    this.#flush();
  }

  #flush(): void {
    const lines = this.#lines;
    this.#lines = [];
    this.#chars = 0;
    // Of a list's own head nothing is left to read: its elements are read one by one.
    if (
      lines.every((line) =>
        /^\s*$|^(?:apiVersion|kind|metadata|items|events|results|records|hits):|^\s+(?:resourceVersion|selfLink|continue|remainingItemCount): /.test(
          line,
        ),
      )
    ) {
      if (lines.some((line) => /^\w+: \[\]/.test(line))) this.#host.sink.usable("context");
      return;
    }
    this.#read(lines);
  }

  #read(lines: readonly string[]): void {
    const { context, sink } = this.#host;
    const { value, left } = parsedLeniently(lines);
    // What the parser passes over must not be taken for read.
    const comments = lines.filter((line) => /^\s*#/.test(line));
    for (const line of [...left, ...comments]) if (markIn(line) !== undefined) sink.unread("torn", line, "line");
    if (value === undefined) {
      sink.unread("brokenJson", lines.join("\n"), "record");
    } else if (isRecord(value) || Array.isArray(value)) {
      for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) readValue(one, context, sink);
    } else for (const line of lines) this.#host.line(line);
  }
}

/** So many lines of an end that was cut off are left out at most: the record may be readable without. */
const LEFT_OUT = 3;

/** The value, and the lines that had to be left out for it. */
function parsedLeniently(lines: readonly string[]): { value: unknown; left: readonly string[] } {
  for (let left = 0; left <= LEFT_OUT && left < lines.length; left++) {
    const text = lines.slice(0, lines.length - left).join("\n");
    try {
      const value = parse(text, { uniqueKeys: false, logLevel: "silent" }) as unknown;
      return { value, left: lines.slice(lines.length - left) };
    } catch {
      // with one line less, perhaps
    }
  }
  return { value: undefined, left: [] };
}
