/** What young nodes of each class fetched in their first minutes, and how many pods waited for it. */
import { runtimeOf } from "../recording/runtimes.ts";
import type { RecordedNode, RecordedPod, RecordedPull, Recording } from "../recording/recording.ts";

/** From the moment a node opens: what it fetches later is no part of its start. */
export const FIRST_MS = 600_000;
/** DaemonSets' pods may be bound before the node is Ready. */
const EARLY_MS = 120_000;
/** A node that was there for longer before it was Ready is not a new one. */
const JOIN_MS = 1_800_000;

/** Kubelets tell times in whole seconds. */
const CLOCK_MS = 1_000;

export interface ImageDemand {
  /** Full name, as pods ask for it. */
  readonly ref: string;
  /** The one digest that the name stood for on all nodes that list it; undefined: not told, or several. */
  readonly digest: string | undefined;
  /** As kubelets list them; undefined: nothing tells them. */
  readonly bytes: number | undefined;
  /** Young nodes that fetched it. */
  readonly nodes: number;
  /** Pods that were on such a node before the image was, on all nodes together. */
  readonly podsWaited: number;
}

export interface ClassDemand {
  /** Instance type; "" where no Node object tells it. */
  readonly className: string;
  /** Young nodes of the class that took pods. */
  readonly nodes: number;
  /** What these nodes run, without versions. */
  readonly runtimes: readonly string[];
  /** What would save the most first: {@link weight}. */
  readonly images: readonly ImageDemand[];
}

/** Bytes × frequency × pods that waited: the yardstick before anything is simulated. Unknown sizes count nothing. */
export const weight = ({ bytes = 0, nodes, podsWaited }: ImageDemand) => bytes * nodes * podsWaited;

/** The classes of a recording, the one with the most young nodes first. */
export function demandOf(recording: Recording): readonly ClassDemand[] {
  const podsByNode = Map.groupBy(recording.pods, ({ node }) => node);
  const pullsByNode = Map.groupBy(recording.pulls, ({ node }) => node);
  const digests = digestsOf(recording.nodes);
  const young = recording.nodes.filter(isYoung).flatMap((node) => {
    const pods = (podsByNode.get(node.name) ?? []).filter((pod) => cameEarly(pod, node.openedMs));
    return pods.length > 0 ? [{ node, fetched: fetchedBy(node, pods, pullsByNode.get(node.name) ?? []) }] : [];
  });
  const classes = [...Map.groupBy(young, ({ node }) => node.instanceType)].map(([className, nodes]) => ({
    className,
    nodes: nodes.length,
    runtimes: [...new Set(nodes.map(({ node }) => runtimeOf(node)).filter((name) => name !== ""))],
    images: merged(nodes.map(({ fetched }) => fetched)).map(({ ref, ...rest }) => ({
      ...{ ref, digest: digests.get(ref), bytes: recording.imageBytes.get(ref) },
      ...rest,
    })),
  }));
  for (const { images } of classes) images.sort((a, b) => weight(b) - weight(a) || (a.ref < b.ref ? -1 : 1));
  return classes.sort((a, b) => b.nodes - a.nodes || (a.className < b.className ? -1 : 1));
}

type YoungNode = RecordedNode & { readonly openedMs: number };

const isYoung = (node: RecordedNode): node is YoungNode =>
  node.openedMs !== undefined && (node.createdMs === undefined || node.openedMs - node.createdMs <= JOIN_MS);

function cameEarly({ boundMs, runningMs, createdMs }: RecordedPod, openedMs: number): boolean {
  const cameMs = boundMs ?? runningMs ?? createdMs;
  return cameMs !== undefined && cameMs >= openedMs - EARLY_MS && cameMs <= openedMs + FIRST_MS;
}

/** Pods that waited, by image. */
type Fetched = ReadonlyMap<string, number>;

/**
 * An Event of a pull tells when the image was there. Without Events, it was there once the first of its pods ran,
 * unless the node had it from the start.
 */
function fetchedBy(node: YoungNode, pods: readonly RecordedPod[], pulls: readonly RecordedPull[]): Fetched {
  const pulled = new Map<string, number>();
  for (const { image, endMs } of pulls) {
    if (endMs > node.openedMs + FIRST_MS || endMs < node.openedMs - EARLY_MS) continue;
    pulled.set(image, Math.min(endMs, pulled.get(image) ?? Infinity));
  }
  const fetched = new Map<string, number>();
  for (const image of new Set(pods.flatMap(imagesOf))) {
    const users = pods.filter((pod) => imagesOf(pod).includes(image));
    const pulledMs = pulled.get(image);
    if (pulledMs === undefined && node.presentAtOpen?.has(image) === true) continue;
    const thereMs = pulledMs ?? users.reduce((first, { runningMs }) => Math.min(first, runningMs ?? first), Infinity);
    const waited = users.filter((pod) => (pod.boundMs ?? pod.createdMs ?? thereMs) <= thereMs + CLOCK_MS);
    fetched.set(image, waited.length);
  }
  return fetched;
}

const imagesOf = ({ shape }: RecordedPod) => (shape ? [...shape.initImages, ...shape.images] : []);

function merged(all: readonly Fetched[]): { ref: string; nodes: number; podsWaited: number }[] {
  const sums = new Map<string, { nodes: number; podsWaited: number }>();
  for (const [ref, podsWaited] of all.flatMap((one) => [...one])) {
    const sum = sums.get(ref) ?? { nodes: 0, podsWaited: 0 };
    sums.set(ref, { nodes: sum.nodes + 1, podsWaited: sum.podsWaited + podsWaited });
  }
  return [...sums].map(([ref, sum]) => ({ ref, ...sum }));
}

/**
 * Kubelets list an image by its tag and by its digest, both with its size: where one digest of the same repository has
 * the size of the tag, the tag stood for it.
 */
function digestsOf(nodes: readonly RecordedNode[]): ReadonlyMap<string, string> {
  const found = new Map<string, Set<string>>();
  for (const { images } of nodes) {
    const byRepository = Map.groupBy(
      [...images].filter(([name]) => name.includes("@sha256:")),
      ([name]) => name.slice(0, name.indexOf("@")),
    );
    for (const [name, bytes] of images) {
      if (name.includes("@")) continue;
      const same = byRepository.get(name.slice(0, name.lastIndexOf(":")))?.filter(([, size]) => size === bytes) ?? [];
      const known = found.get(name) ?? new Set();
      for (const [one] of same) known.add(one.slice(one.indexOf("@") + 1));
      found.set(name, known);
    }
  }
  return new Map([...found].flatMap(([name, digests]) => (digests.size === 1 ? [[name, [...digests][0] ?? ""]] : [])));
}
