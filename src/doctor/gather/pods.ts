/**
 * Gathers from pods and Events: failed starts (by the core of `diagnose`), images in use, held pods, and schedulers
 * that run as pods.
 */
import { notedFreedMs } from "../../core/state/freed.ts";
import { heldSinceMs } from "../../core/state/held-since.ts";
import { GATE, HOLD_ANNOTATION } from "../../api/names.ts";
import { parseHold } from "../../kube/parse/annotations.ts";
import { recordOf, recordsOf, textOf, textsOf, timeOf, type KubeObject } from "../../kube/parse/kube-json.ts";
import { shapePod } from "../../kube/parse/pod-shape.ts";
import { findingsOf } from "../../diagnose/findings/findings.ts";
import type { Tally } from "../../diagnose/findings/tally.ts";
import { verdictOf } from "../../diagnose/findings/verdict.ts";
import { readObject } from "../../diagnose/records/objects.ts";
import type { CreatedPod, HeldPod, ImageSeen, NodeSeen, PendingPod, PodsSeen } from "../facts.ts";
import type { IsAskedAbout } from "./asked-pods.ts";
import { eachOf, fullName, type Look, seen } from "./look.ts";
import type { NodesSeen } from "./nodes.ts";

/** A ConfigMap that a pod of kube-scheduler mounts. */
export interface MountedConfig {
  readonly namespace: string;
  readonly name: string;
}

export interface PodsGathered {
  readonly pods: PodsSeen | undefined;
  readonly schedulerConfigs: readonly MountedConfig[];
}

/** Pods created within this time are looked at for the webhook's silence, ms. */
const CREATED_MS = 3_600_000;
/** The end of the message with which the policies of our accounts refuse a write (charts/paceline). */
const REFUSED = "admissionPolicies.accounts=Audit";

/** Pending pods that are kept, about 1 KB each. */
const MOST_PENDING = 5_000;

class PodReader {
  readonly created: CreatedPod[] = [];
  readonly pending: PendingPod[] = [];
  readonly held: HeldPod[] = [];
  readonly podsByImage = new Map<string, number>();
  readonly schedulerConfigs: MountedConfig[] = [];
  readonly schedulers = new Map<string, number>();
  count = 0;
  readonly #look: Look;
  readonly #isAskedAbout: IsAskedAbout;

  constructor(look: Look, isAskedAbout: IsAskedAbout) {
    this.#look = look;
    this.#isAskedAbout = isAskedAbout;
  }

  take(raw: KubeObject): void {
    this.count++;
    const createdMs = timeOf(raw.metadata?.creationTimestamp) ?? 0;
    const { shape, pinnedTo } = shapePod(raw);
    const { schedulerName } = shape;
    if (!shape.mirror && !isOver(raw))
      this.schedulers.set(schedulerName, (this.schedulers.get(schedulerName) ?? 0) + 1);
    for (const image of shape.images) this.podsByImage.set(image, (this.podsByImage.get(image) ?? 0) + 1);
    const gates = recordsOf(recordOf(raw["spec"])["schedulingGates"]).map(({ name }) => name);
    if (this.#look.nowMs - createdMs < CREATED_MS && this.#isAskedAbout(raw)) {
      this.created.push({ name: fullName(raw), createdMs, gated: gates.includes(GATE) });
    }
    if (isPending(raw, gates) && this.pending.length < MOST_PENDING) {
      this.pending.push({ name: fullName(raw), createdMs, shape, pinnedTo, missingClaim: missingClaim(raw) });
    }
    if (gates.includes(GATE) && gates.length === 1) this.held.push({ name: fullName(raw), sinceMs: gatedSinceMs(raw) });
    this.schedulerConfigs.push(...schedulerConfigs(raw));
  }
}

const isOver = (raw: KubeObject) => ["Succeeded", "Failed"].includes(textOf(recordOf(raw["status"])["phase"]));

function isPending(raw: KubeObject, gates: readonly unknown[]): boolean {
  return textOf(recordOf(raw["spec"])["nodeName"]) === "" && !isOver(raw) && gates.every((gate) => gate === GATE);
}

/** kube-scheduler's word about a claim that does not exist. */
function missingClaim(raw: KubeObject): string | undefined {
  const conditions = recordsOf(recordOf(raw["status"])["conditions"]);
  const message = textOf(conditions.find(({ type }) => type === "PodScheduled")?.["message"]);
  return /persistentvolumeclaim "([^"]+)" not found/.exec(message)?.[1];
}

function gatedSinceMs({ metadata }: KubeObject): number {
  const hold = parseHold(metadata?.annotations?.[HOLD_ANNOTATION]);
  const createdAtMs = timeOf(metadata?.creationTimestamp) ?? 0;
  return heldSinceMs({ gated: true, hold, createdAtMs, freedMs: notedFreedMs({ hold, createdAtMs }, Infinity) });
}

/** Reads all pods and all Events. A node is young for `youngMs`. */
export async function gatherPods(
  look: Look,
  tally: Tally,
  { nodes, imageBytes, isAskedAbout }: NodesSeen & { readonly isAskedAbout: IsAskedAbout },
  youngMs: number,
): Promise<PodsGathered> {
  const reader = new PodReader(look, isAskedAbout);
  const refused = new Set<string>();
  const readAll = async () => {
    await eachOf(look, "/api/v1/pods", (raw) => {
      reader.take(raw);
      readObject(raw, "PodList", undefined, tally);
    });
    return true;
  };
  const isRead = await seen(look, "pods", undefined, readAll);
  await seen(look, "Events", undefined, () =>
    eachOf(look, "/api/v1/events", (raw) => {
      readObject(raw, "EventList", undefined, tally);
      if (textOf(raw["message"]).includes(REFUSED)) refused.add(aboutOf(raw));
    }),
  );
  if (isRead !== true) return { pods: undefined, schedulerConfigs: [] };
  const starts = findingsOf(tally);
  const pods: PodsSeen = {
    count: reader.count,
    held: reader.held,
    created: reader.created,
    pending: reader.pending,
    refusedWrites: [...refused],
    startedOnYoung: startedOnYoung(tally, nodes ?? [], youngMs),
    schedulers: reader.schedulers,
    images: imagesOf(reader.podsByImage, imageBytes),
    starts,
    verdict: verdictOf(starts),
  };
  return { pods, schedulerConfigs: reader.schedulerConfigs };
}

function aboutOf(event: KubeObject): string {
  const { namespace, name } = recordOf(event["involvedObject"]);
  return `${textOf(namespace)}/${textOf(name)}`;
}

/**
 * Counts the pods that each node got in its first `youngMs`. An earlier pod belongs to a previous node of that name.
 */
function startedOnYoung(tally: Tally, nodes: readonly NodeSeen[], youngMs: number): Map<string, number> {
  const createdMs = new Map<string, number>(nodes.map(({ name, createdAtMs }) => [name, createdAtMs]));
  const counts = new Map<string, number>();
  for (const { node, atMs } of tally.starts.values()) {
    const sinceMs = createdMs.get(node);
    if (sinceMs !== undefined && atMs >= sinceMs && atMs - sinceMs < youngMs)
      counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  return counts;
}

function imagesOf(podsByImage: ReadonlyMap<string, number>, imageBytes: ReadonlyMap<string, number>): ImageSeen[] {
  const images = [...podsByImage].map(([name, pods]) => ({ name, pods, bytes: imageBytes.get(name) }));
  return images.sort((a, b) => (b.bytes ?? 0) - (a.bytes ?? 0) || b.pods - a.pods);
}

/** The ConfigMaps that a pod of kube-scheduler mounts. */
function schedulerConfigs(raw: KubeObject): MountedConfig[] {
  const spec = recordOf(raw["spec"]);
  const runs = recordsOf(spec["containers"]).some((container) =>
    [textOf(container["image"]), ...textsOf(container["command"]), ...textsOf(container["args"])].some((text) =>
      text.includes("kube-scheduler"),
    ),
  );
  if (!runs) return [];
  return recordsOf(spec["volumes"])
    .map((volume) => textOf(recordOf(volume["configMap"])["name"]))
    .filter((name) => name !== "")
    .map((name) => ({ namespace: textOf(raw.metadata?.namespace), name }));
}
