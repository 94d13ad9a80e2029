/** Rebuilds a {@link Recording} from what diagnose's reader hands over, in bounded memory. */
import { imageName } from "../core/ids.ts";
import { durationMs } from "../kube/parse/duration.ts";
import type { Audited, ObjectSink } from "../diagnose/findings/object-sink.ts";
import type { FailureReport } from "../diagnose/findings/sink.ts";
import { type Json, recordOf, textOf, timeOf } from "../diagnose/json.ts";
import type { EventTold } from "../diagnose/findings/event-told.ts";
import { NodeDraft } from "./node-draft.ts";
import { copied, PodDraft, readPod, Shapes, wholeSecond } from "./pod-draft.ts";
import type { RecordedPod, RecordedPull, Recording } from "./recording.ts";

/** Pods kept; about 600 bytes each. Measured by `npm run bench:diagnose`. */
const MOST_PODS = 250_000;
/** Pulls kept, about 200 bytes each. */
const MOST_PULLS = 250_000;
const MOST_NODES = 20_000;

export class Recorder implements ObjectSink {
  /** The latest pod of each name. */
  readonly #pods = new Map<string, PodDraft>();
  /** Pods whose name another one has got since. */
  readonly #earlier = new Map<string, PodDraft>();
  readonly #nodes = new Map<string, NodeDraft>();
  readonly #pulls: RecordedPull[] = [];
  readonly #pulled = new Set<string>();
  readonly #shapes = new Shapes();
  #sinceMs: number | undefined;
  #untilMs: number | undefined;
  #lostPods = 0;

  wantsStatus(podKey: string): boolean {
    return this.#pods.get(podKey)?.isSettled !== true;
  }

  wantsNode(name: string, atMs: number | undefined): boolean {
    return this.#nodes.get(name)?.wants(atMs) ?? true;
  }

  audited(audited: Audited): void {
    this.#sees(audited.atMs);
    const { resource } = audited;
    if (resource === "nodes") this.#auditedNode(audited);
    else if (resource === "pods") this.#auditedPod(audited);
  }

  pod(pod: Json, atMs: number): void {
    const metadata = recordOf(pod["metadata"]);
    const name = textOf(metadata["name"]);
    if (name === "") return;
    this.#sees(timeOf(metadata["creationTimestamp"]));
    const draft = this.#draft(textOf(metadata["namespace"]), name, textOf(metadata["uid"]));
    if (draft === undefined) return;
    readPod(draft, pod, atMs, false, this.#shapes);
    for (const ms of [draft.boundMs, draft.runningMs, draft.readyMs]) this.#sees(ms);
  }

  node(node: Json): void {
    const name = textOf(recordOf(node["metadata"])["name"]);
    this.#nodeDraft(name)?.read(node, undefined);
  }

  event({ reason, message, namespace, name, node, atMs, kind }: EventTold): void {
    this.#sees(atMs);
    if (reason !== "Pulled" || (kind !== "Pod" && kind !== "")) return;
    const [, reference] = /^Successfully pulled image "([^"]+)"/.exec(message) ?? [];
    if (reference === undefined || this.#pulls.length >= MOST_PULLS) return;
    const image = copied(imageName(reference));
    const key = `${namespace}/${name} ${image} ${Math.floor(atMs / 1_000)}`;
    if (this.#pulled.has(key)) return;
    this.#pulled.add(key);
    const bytes = Number(/Image size: (\d+) bytes/.exec(message)?.[1]);
    const pod = copied(`${namespace}/${name}`);
    const tookMs = durationMs(/ in (\S+?)(?:[\s.]|$)(?!\d)/.exec(message)?.[1]);
    this.#pulls.push({
      image,
      node: copied(node),
      pod,
      endMs: atMs,
      // A kubelet whose runtime does not know the size (CRI-O may not) writes 0.
      bytes: Number.isFinite(bytes) && bytes > 0 ? bytes : undefined,
      seconds: tookMs === undefined ? undefined : tookMs / 1_000,
    });
  }

  /** @param failures that count, each once, as `failuresOf` gives them */
  recording(failures: readonly FailureReport[]): Recording {
    const byPod = Map.groupBy(failures, ({ namespace, pod }) => `${namespace}/${pod}`);
    const pods = [...this.#earlier.values(), ...this.#pods.values()].map((draft) => {
      const all = byPod.get(`${draft.namespace}/${draft.name}`) ?? [];
      return done(
        draft,
        all.filter(({ uid }) => uid === "" || draft.uid === "" || uid === draft.uid),
      );
    });
    const nodes = [...this.#nodes.values()].map((draft) => draft.done());
    const listed = nodes.flatMap(({ images }) => [...images]);
    const told = this.#pulls.flatMap(({ image, bytes }) => (bytes === undefined ? [] : [[image, bytes] as const]));
    return {
      nodes,
      mixedNodes: [...this.#nodes].flatMap(([name, draft]) => (draft.isTwoNodes ? [name] : [])),
      pods,
      pulls: this.#pulls.map((pull) => ({ ...pull, node: pull.node || (this.#pods.get(pull.pod)?.node ?? "") })),
      imageBytes: new Map([...told, ...listed]),
      sinceMs: this.#sinceMs,
      untilMs: this.#untilMs,
      lostPods: this.#lostPods,
    };
  }

  #sees(atMs: number | undefined): void {
    if (atMs === undefined) return;
    this.#sinceMs = Math.min(this.#sinceMs ?? atMs, atMs);
    this.#untilMs = Math.max(this.#untilMs ?? atMs, atMs);
  }

  #auditedNode({ verb, name, request, response, atMs }: Audited): void {
    const metadata = recordOf(request["metadata"]);
    const draft = this.#nodeDraft(name || textOf(metadata["name"]));
    if (draft === undefined) return;
    if (verb === "create") draft.created(atMs);
    if (verb === "delete") {
      draft.deleted(endedUid(request, response), atMs);
      return;
    }
    // What the request leaves out stands in the answer, and an answer without a level has nothing.
    for (const object of [request, response]) draft.read(object, atMs);
  }

  #auditedPod({ verb, subresource, namespace, name, request, response, atMs }: Audited): void {
    if (verb === "delete" || subresource === "eviction") {
      this.#known(namespace, name, endedUid(request, response))?.at("endedMs", atMs, true);
      return;
    }
    const told = textOf(recordOf(response["metadata"])["name"]) || textOf(recordOf(request["metadata"])["name"]);
    const own = name || told;
    if (own === "" || !["", "status", "binding"].includes(subresource)) return;
    const uids = [response, request].map((one) => textOf(recordOf(one["metadata"])["uid"]));
    const draft = this.#draft(namespace, own, uids.find((uid) => uid !== "") ?? "");
    if (draft === undefined) return;
    if (subresource === "binding") {
      draft.at("boundMs", atMs, true);
      draft.node = copied(textOf(recordOf(request["target"])["name"])) || draft.node;
      return;
    }
    if (verb === "create") draft.at("createdMs", atMs, true);
    for (const object of [response, request]) readPod(draft, object, atMs, true, this.#shapes);
  }

  /** The pod of that name and uid, if it was read; without a uid the latest one. */
  #known(namespace: string, name: string, uid: string): PodDraft | undefined {
    const key = `${namespace}/${name}`;
    const latest = this.#pods.get(key);
    const isIt = uid === "" || latest?.uid === "" || latest?.uid === uid;
    return isIt ? latest : this.#earlier.get(`${key} ${uid}`);
  }

  /** The pod of that name and uid; undefined when there are too many. */
  #draft(namespace: string, name: string, uid: string): PodDraft | undefined {
    const read = this.#known(namespace, name, uid);
    if (read !== undefined) return read;
    if (this.#pods.size + this.#earlier.size >= MOST_PODS) {
      this.#lostPods += 1;
      return undefined;
    }
    const key = `${namespace}/${name}`;
    const known = this.#pods.get(key);
    if (known !== undefined) this.#earlier.set(copied(`${key} ${known.uid}`), known);
    const draft = new PodDraft(copied(namespace), copied(name));
    this.#pods.set(copied(key), draft);
    return draft;
  }

  #nodeDraft(name: string): NodeDraft | undefined {
    if (name === "") return undefined;
    const known = this.#nodes.get(name);
    if (known !== undefined) return known;
    if (this.#nodes.size >= MOST_NODES) return undefined;
    const own = copied(name);
    const draft = new NodeDraft(own);
    this.#nodes.set(own, draft);
    return draft;
  }
}

/** Of what a request is to delete or to evict; "" where neither its preconditions nor the answer tell it. */
function endedUid(request: Json, response: Json): string {
  const preconditions = [request, recordOf(request["deleteOptions"])].map((one) => one["preconditions"]);
  const places = [response["metadata"], response["details"], ...preconditions];
  return places.map((one) => textOf(recordOf(one)["uid"])).find((uid) => uid !== "") ?? "";
}

function done(draft: PodDraft, failures: readonly FailureReport[]): RecordedPod {
  const { namespace, name, uid, shape, node, createdMs, boundMs, runningMs, startedMs, readyMs } = draft;
  const { isEnded, endedMs = Infinity } = draft;
  const counts: Partial<Record<FailureReport["fingerprint"], number>> = {};
  for (const { fingerprint, atMs } of failures)
    if (atMs < wholeSecond(endedMs)) counts[fingerprint] = (counts[fingerprint] ?? 0) + 1;
  return {
    ...{ namespace, name, uid, shape, node, createdMs, boundMs, runningMs, startedMs, readyMs },
    ...{ isEnded, endedMs: draft.endedMs },
    initSeconds: draft.initSeconds,
    gated: draft.gated,
    isDone: draft.isDone,
    failures: counts,
  };
}
