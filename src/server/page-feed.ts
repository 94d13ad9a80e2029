/**
 * What the status page shows, told to each viewer as far as it has changed. It is read and written as JSON once a
 * second at most, however many look.
 */
import { randomUUID } from "node:crypto";
import type { StatusAnswer } from "./answers.ts";

/** Viewers ask each second, not all at the same moment. In ms. */
const FRESH_FOR_MS = 900;
/** A viewer that is more versions behind than this gets everything. */
const VERSIONS_KEPT = 60;

type Rows = "nodes" | "held";
type NodeRow = StatusAnswer["nodes"][number];
type HeldRow = StatusAnswer["held"][number];

interface Row {
  readonly text: string;
  readonly changedIn: number;
}

/** The rows of one table, as they are now and as far as is known which went. */
class Table {
  readonly rows = new Map<string, Row>();
  /** By key: the version in which it went. */
  readonly gone = new Map<string, number>();

  /** True if anything has changed. */
  update(texts: ReadonlyMap<string, string>, version: number): boolean {
    let isChanged = false;
    for (const [key, text] of texts) {
      if (this.rows.get(key)?.text === text) continue;
      this.rows.set(key, { text, changedIn: version });
      this.gone.delete(key);
      isChanged = true;
    }
    for (const key of this.rows.keys()) {
      if (texts.has(key)) continue;
      this.rows.delete(key);
      this.gone.set(key, version);
      isChanged = true;
    }
    for (const [key, goneIn] of this.gone) if (goneIn <= version - VERSIONS_KEPT) this.gone.delete(key);
    return isChanged;
  }

  /** JSON: the rows that have changed after that version, and the keys of those that went. */
  since(version: number): { readonly rows: string; readonly gone: string } {
    const changed = [...this.rows.values()].filter(({ changedIn }) => changedIn > version).map(({ text }) => text);
    const gone = [...this.gone].filter(([, goneIn]) => goneIn > version).map(([key]) => key);
    return { rows: `[${changed.join()}]`, gone: JSON.stringify(gone) };
  }
}

export class PageFeed {
  readonly #read: () => { readonly status: StatusAnswer; readonly nowMs: number };
  readonly #steadyMs: () => number;
  /** A viewer of another replica, or of one that has started anew, gets everything. */
  readonly #epoch = randomUUID().slice(0, 8);
  readonly #tables: Readonly<Record<Rows, Table>> = { nodes: new Table(), held: new Table() };
  #version = 0;
  #head = "";
  #readAtMs = -Infinity;
  readonly #answers = new Map<number, string>();

  /** @param steadyMs a monotonic clock. */
  constructor(read: () => { readonly status: StatusAnswer; readonly nowMs: number }, steadyMs: () => number) {
    this.#read = read;
    this.#steadyMs = steadyMs;
  }

  /**
   * JSON. The same text (the same object) for every viewer that has seen the same.
   * @param since `version` of the viewer's last answer; anything else: it has none.
   */
  answer(since: string): string {
    this.#refresh();
    const seen = this.#seen(since);
    const known = this.#answers.get(seen);
    if (known !== undefined) return known;
    const [nodes, held] = [this.#tables.nodes.since(seen), this.#tables.held.since(seen)];
    const answer =
      `{"version":"${this.#epoch}.${this.#version}","full":${seen === 0},"head":${this.#head},` +
      `"nodes":${nodes.rows},"held":${held.rows},"goneNodes":${nodes.gone},"goneHeld":${held.gone}}`;
    this.#answers.set(seen, answer);
    return answer;
  }

  #seen(since: string): number {
    const [epoch, version] = since.split(".");
    const seen = Number(version);
    const isKnown = epoch === this.#epoch && seen > this.#version - VERSIONS_KEPT && seen <= this.#version;
    return isKnown ? seen : 0;
  }

  #refresh(): void {
    const atMs = this.#steadyMs();
    if (atMs < this.#readAtMs + FRESH_FOR_MS) return;
    this.#readAtMs = atMs;
    const { status, nowMs } = this.#read();
    const { nodes, held, ...head } = status;
    const next = this.#version + 1;
    const changes = [
      this.#tables.nodes.update(new Map(nodes.map((node) => [node.name, nodeText(node)])), next),
      this.#tables.held.update(
        new Map(held.map((pod) => [`${pod.namespace}/${pod.name}`, heldText(pod, nowMs)])),
        next,
      ),
    ];
    if (changes.includes(true) || this.#version === 0) this.#version = next;
    this.#head = JSON.stringify({ ...head, nowMs });
    this.#answers.clear();
  }
}

/** What the page shows of a node as it is. Figures that it does not show would be a change at each sample. */
const SHOWN = [
  ...(["name", "state", "youngUntilMs", "nodeClass", "inStartup", "reserved", "offered", "stuck"] as const),
  ...(["limit", "limitMove", "fenced", "inRollCall", "sample"] as const),
] satisfies readonly (keyof NodeRow)[];

/** No figure finer than the page shows it. */
function nodeText(node: NodeRow): string {
  const shown = Object.fromEntries(SHOWN.map((field) => [field, node[field]]));
  const { drainSeconds, drainTargetSeconds, awaitMs, utilisation } = node;
  return JSON.stringify({
    ...shown,
    drainSeconds: rounded(drainSeconds, 1),
    drainTargetSeconds: rounded(drainTargetSeconds, 1),
    awaitMs: rounded(awaitMs, 1),
    utilisation: rounded(utilisation, 2),
  });
}

const rounded = (value: number | undefined, digits: number) => value && Number(value.toFixed(digits));

/** With the time since when, which stays, instead of how long. */
function heldText({ heldSeconds, ...pod }: HeldRow, nowMs: number): string {
  return JSON.stringify({ ...pod, sinceMs: heldSeconds > 0 ? Math.round(nowMs - heldSeconds * 1_000) : undefined });
}
