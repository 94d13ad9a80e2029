/** A node while its records are read. */
import type { Resources } from "../core/facts.ts";
import { imageName } from "../core/ids.ts";
import { type Json, recordOf, recordsOf, textOf, timeOf } from "../diagnose/json.ts";
import { textMapOf, textsOf } from "../kube/parse/kube-json.ts";
import { quantity, resources } from "../kube/parse/quantity.ts";
import { copied } from "./pod-draft.ts";
import type { RecordedNode } from "./recording.ts";

/** From the kubelet's clock, in whole seconds, until its write arrives. */
const NEWS_MS = 2_000;
/** Images that are listed this long after a node was created may be new ones. */
const FIRST_LIST_MS = 5_000;
/** What a node fetches later is no part of its herd, and its long list costs time to parse. */
const YOUNG_MS = 1_200_000;

/** The clocks of two API servers of one cluster differ by less; assumed. */
const SERVER_CLOCKS_MS = 60_000;
/** The clock of a node and that of an API server differ by less; assumed. Nothing keeps a node's clock right. */
const NODE_CLOCK_MS = 600_000;
/** Nodes that one name stood for, of which the times are kept. */
const MOST_LIVES = 16;

/** Of a node, epoch ms. */
interface Life {
  readonly fromMs: number;
  /** When an API server last had it. */
  readonly servedMs: number;
  /** The last sign of it by its own clock. */
  readonly toldMs: number;
}

export class NodeDraft {
  readonly #name: string;
  #labels: Readonly<Record<string, string>> = {};
  #address: string | undefined;
  #capacity: Resources | undefined;
  #allocatable: Resources | undefined;
  #runtime = "";
  #createdMs: number | undefined;
  #openedMs: number | undefined;
  readonly #images = new Map<string, number>();
  /** Of a dump, which may be read before the log that tells of the node's creation. */
  readonly #listed = new Map<string, number>();
  #presentAtOpen: Set<string> | undefined;
  /** By uid. */
  readonly #lives = new Map<string, Life>();
  readonly #deletedMs = new Map<string, number>();

  constructor(name: string) {
    this.#name = name;
  }

  /** Whether a status that was written at `atMs` can tell anything. */
  wants(atMs: number | undefined): boolean {
    if (this.#openedMs === undefined || this.#capacity === undefined) return true;
    return atMs !== undefined && atMs - this.#openedMs < YOUNG_MS;
  }

  /** Takes in an object or a patch; `atMs`: when the API server had it, undefined for a dump. */
  read(node: Json, atMs: number | undefined): void {
    const metadata = recordOf(node["metadata"]);
    const status = recordOf(node["status"]);
    const labels = textMapOf(metadata["labels"]);
    if (Object.keys(labels).length > 0) this.#labels = { ...this.#labels, ...ownCopy(labels) };
    const internal = recordsOf(status["addresses"]).find((one) => one["type"] === "InternalIP");
    this.#address = copied(textOf(internal?.["address"])) || this.#address;
    this.#capacity = resourcesOf(status["capacity"]) ?? this.#capacity;
    this.#allocatable = resourcesOf(status["allocatable"]) ?? this.#allocatable;
    this.#runtime = copied(textOf(recordOf(status["nodeInfo"])["containerRuntimeVersion"])) || this.#runtime;
    this.#created(timeOf(metadata["creationTimestamp"]));
    this.#readLife(metadata, status, atMs);
    this.#readReady(status, atMs);
    this.#readImages(status, atMs);
  }

  /** A node of that name is created: it is new, whatever was known of the name. */
  created(atMs: number): void {
    this.#openedMs = undefined;
    this.#presentAtOpen = undefined;
    this.#images.clear();
    this.#createdMs = atMs;
  }

  #created(ms: number | undefined): void {
    this.#createdMs ??= ms;
  }

  /** An audit log has its end; `uid` is "" where it does not tell which node of the name it was. */
  deleted(uid: string, atMs: number): void {
    if (uid !== "" && this.#deletedMs.size < MOST_LIVES) this.#deletedMs.set(copied(uid), atMs);
  }

  /**
   * Two nodes had this name at the same time, which no cluster allows. One that replaced another came after the last
   * sign of it.
   */
  get isTwoNodes(): boolean {
    // Of two that were created in the same second, the one with the last sign came later.
    const lastMs = ({ servedMs, toldMs }: Life) => Math.max(servedMs, toldMs);
    const lives = [...this.#lives].sort(([, a], [, b]) => a.fromMs - b.fromMs || lastMs(a) - lastMs(b));
    return lives.some(([uid, { servedMs, toldMs }], at) => {
      const nextMs = lives[at + 1]?.[1].fromMs ?? Infinity;
      const lastToldMs = Math.min(toldMs, this.#deletedMs.get(uid) ?? Infinity);
      return servedMs - nextMs > SERVER_CLOCKS_MS || lastToldMs - nextMs > NODE_CLOCK_MS;
    });
  }

  #readLife(metadata: Json, status: Json, atMs: number | undefined): void {
    const uid = textOf(metadata["uid"]);
    const known = this.#lives.get(uid);
    if (uid === "" || (known === undefined && this.#lives.size >= MOST_LIVES)) return;
    const createdMs = timeOf(metadata["creationTimestamp"]);
    const signs = recordsOf(status["conditions"])
      .flatMap(({ lastHeartbeatTime, lastTransitionTime }) => [timeOf(lastHeartbeatTime), timeOf(lastTransitionTime)])
      .filter((ms) => ms !== undefined);
    const fromMs = createdMs ?? atMs ?? Math.min(...signs);
    if (fromMs === Infinity) return;
    this.#lives.set(copied(uid), {
      fromMs: Math.min(known?.fromMs ?? Infinity, fromMs),
      servedMs: Math.max(known?.servedMs ?? -Infinity, atMs ?? createdMs ?? -Infinity),
      // What the API server had by `atMs` is no later sign.
      toldMs: Math.max(known?.toldMs ?? -Infinity, ...(atMs === undefined ? signs : [])),
    });
  }

  #readReady(status: Json, atMs: number | undefined): void {
    const ready = recordsOf(status["conditions"]).find((one) => one["type"] === "Ready");
    if (ready?.["status"] !== "True") return;
    const sinceMs = timeOf(ready["lastTransitionTime"]);
    const isNews = atMs !== undefined && (sinceMs === undefined || atMs - sinceMs < NEWS_MS);
    const openedMs = isNews ? atMs : (sinceMs ?? atMs);
    // Ready again after a while is not what opened it.
    if (openedMs !== undefined && (this.#openedMs === undefined || openedMs < this.#openedMs - 1_000))
      this.#openedMs = openedMs;
  }

  #readImages(status: Json, atMs: number | undefined): void {
    if (!Array.isArray(status["images"])) return;
    const listed = recordsOf(status["images"]);
    const isFirst = atMs !== undefined && this.#createdMs !== undefined && atMs - this.#createdMs < FIRST_LIST_MS;
    const tellsOpening = atMs !== undefined && (isFirst || this.#openedMs === undefined);
    if (tellsOpening) this.#presentAtOpen = new Set();
    for (const image of listed) {
      const bytes = quantity(image["sizeBytes"]);
      for (const name of textsOf(image["names"])) {
        const full = copied(imageName(name));
        if (bytes !== undefined && bytes > 0) (atMs === undefined ? this.#listed : this.#images).set(full, bytes);
        if (tellsOpening) this.#presentAtOpen?.add(full);
      }
    }
  }

  done(): RecordedNode {
    return {
      name: this.#name,
      instanceType: this.#labels["node.kubernetes.io/instance-type"] ?? "",
      labels: this.#labels,
      address: this.#address,
      capacity: this.#capacity,
      allocatable: this.#allocatable,
      runtime: this.#runtime,
      createdMs: this.#createdMs,
      openedMs: this.#openedMs,
      images: new Map([...this.#listed, ...this.#images]),
      presentAtOpen: this.#presentAtOpen,
    };
  }
}

function resourcesOf(value: unknown): Resources | undefined {
  const amounts = resources(value);
  return Object.keys(amounts).length > 0 ? ownCopy(amounts) : undefined;
}

const ownCopy = <T>(value: T) => JSON.parse(JSON.stringify(value)) as T;
