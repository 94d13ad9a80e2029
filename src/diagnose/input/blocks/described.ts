/**
 * From the fields of `kubectl describe pod|node`, in words, back to the object. Indentation is often lost: names
 * decide.
 */
import { type Json, timeOf } from "../../json.ts";

export interface Described {
  readonly kind: "Pod" | "Node";
  /** As the API has it, as far as the words go. */
  readonly object: Json;
  /** Whether the object tells more than its name. */
  readonly isObject: boolean;
  readonly namespace: string;
  readonly name: string;
  /** Node of a pod, or "". */
  readonly node: string;
  /** Epoch ms. */
  readonly startMs: number | undefined;
  /** The latest time in it: it was written then or later. Epoch ms. */
  readonly latestMs: number | undefined;
  /** The lines whose meaning is in `object`. */
  readonly used: ReadonlySet<string>;
}

const FIELD = /^\s*([A-Z][\w ()/-]{0,40}):(?:\s+(.*))?$/;
const NAME = /^\s*([a-z0-9][\w.-]*):\s*$/;

interface Container {
  readonly name: string;
  image: string;
  containerID: string;
  restartCount: number;
  state: Record<string, Record<string, unknown>>;
  lastState: Record<string, Record<string, unknown>>;
}

const keyOfField: Readonly<Record<string, string>> = {
  Reason: "reason",
  Message: "message",
  "Exit Code": "exitCode",
  Signal: "signal",
  Started: "startedAt",
  Finished: "finishedAt",
};

/** The object that the lines describe, or undefined when it is neither a pod nor a node. */
export function describedOf(lines: readonly string[]): Described | undefined {
  const reader = new FieldReader();
  for (const line of lines) reader.push(line);
  return reader.result();
}

class FieldReader {
  readonly #top = new Map<string, string>();
  readonly #containers: Container[] = [];
  readonly #used = new Set<string>();
  #latestMs: number | undefined;
  #bareName = "";
  /** The state that further fields belong to. */
  #state: Record<string, unknown> | undefined;
  /** A message may go on in the next line. */
  #isMessage = false;

  push(line: string): void {
    const [, field = "", value = ""] = FIELD.exec(line) ?? [];
    const name = NAME.exec(line)?.[1];
    if (name !== undefined) this.#bareName = name;
    else if (field !== "") this.#field(field, value.trim(), line);
    else this.#goesOn(line);
  }

  #field(field: string, value: string, line: string): void {
    this.#see(value);
    this.#isMessage = field === "Message" && this.#state !== undefined;
    const container = this.#containers.at(-1);
    if (field === "Container ID" || (field === "Image" && container?.name !== this.#bareName)) this.#begin();
    const current = this.#containers.at(-1);
    if (!current) {
      if (!this.#top.has(field)) this.#top.set(field, value);
      return;
    }
    if (this.#containerField(current, field, value)) this.#used.add(line);
  }

  #begin(): void {
    if (this.#containers.at(-1)?.name === this.#bareName) return;
    const rest = { image: "", containerID: "", restartCount: 0, state: {}, lastState: {} };
    this.#containers.push({ name: this.#bareName, ...rest });
    this.#state = undefined;
  }

  #containerField(container: Container, field: string, value: string): boolean {
    const key = keyOfField[field];
    if (field === "State" || field === "Last State") {
      this.#state = {};
      container[field === "State" ? "state" : "lastState"] = { [value.toLowerCase()]: this.#state };
    } else if (key !== undefined && this.#state) {
      this.#state[key] = field === "Exit Code" ? Number(value) : value;
    } else {
      this.#state = undefined;
      if (field === "Image") container.image = value;
      else if (field === "Container ID") container.containerID = value;
      else if (field === "Restart Count") container.restartCount = Number(value) || 0;
      else return false;
    }
    return true;
  }

  #goesOn(line: string): void {
    if (!this.#isMessage || !this.#state || line.trim() === "") return;
    this.#used.add(line);
    this.#state["message"] = `${String(this.#state["message"])} ${line.trim()}`;
  }

  #see(value: string): void {
    const ms = timeOf(value);
    if (ms !== undefined && ms > (this.#latestMs ?? 0)) this.#latestMs = ms;
  }

  result(): Described | undefined {
    const name = this.#top.get("Name") ?? "";
    const createdAt = this.#top.get("CreationTimestamp");
    const isNode = createdAt !== undefined && this.#top.has("Roles");
    const isPod = this.#top.has("Namespace") && (this.#top.has("Node") || this.#containers.length > 0);
    if (name === "" || (!isNode && !isPod)) return undefined;
    const common = { name, latestMs: this.#latestMs, used: this.#used };
    const created = timeOf(createdAt);
    if (isNode) {
      const metadata = { name, creationTimestamp: created === undefined ? undefined : new Date(created).toISOString() };
      const object = { kind: "Node", metadata };
      return { ...common, kind: "Node", object, isObject: true, namespace: "", node: "", startMs: undefined };
    }
    return { ...common, ...this.#pod(name) };
  }

  #pod(name: string) {
    const namespace = this.#top.get("Namespace") ?? "";
    const node = (this.#top.get("Node") ?? "").split("/", 1)[0]?.replace("<none>", "") ?? "";
    const startMs = timeOf(this.#top.get("Start Time"));
    const [kind = "", owner = ""] = (this.#top.get("Controlled By") ?? "").split("/");
    const object = {
      kind: "Pod",
      metadata: { name, namespace, ownerReferences: owner === "" ? [] : [{ kind, name: owner, controller: true }] },
      spec: { nodeName: node, containers: [] },
      status: {
        startTime: startMs === undefined ? undefined : new Date(startMs).toISOString(),
        containerStatuses: this.#containers,
      },
    };
    const isObject = this.#containers.length > 0;
    return { kind: "Pod" as const, object, isObject, namespace, node, startMs };
  }
}
