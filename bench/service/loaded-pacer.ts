/** Loads the state of a large cluster into this process as `serve` does: from the API server's JSON. */
import { nodeFacts, podFacts } from "../../src/kube/parse/facts.ts";
import type { KubeObject } from "../../src/kube/parse/kube-json.ts";
import { createShapeInterner, type ShapeInterner } from "../../src/kube/parse/shape-interner.ts";
import type { PodFacts } from "../../src/core/facts.ts";
import { createPacer, type Pacer } from "../../src/core/pacer.ts";
import { nodeName } from "../../src/core/ids.ts";
import { MIB } from "../../src/core/measures.ts";
import type { PacingPolicy } from "../../src/policy/schema.ts";
import { type ClusterSize, type ObjectWithStatus, nodeObject, podObject, nodeNameAt } from "./objects.ts";

const DAY_MS = 86_400_000;
/** Pods in startup on each young node, which has 6 slots: enough that every start check runs. */
const STARTING = 3;

/** How many of the nodes are young. */
export interface Age {
  readonly name: string;
  /** 0 to 1; young nodes are spread evenly over the others. */
  readonly youngShare: number;
}
export const AGES: readonly Age[] = [
  { name: "settled nodes", youngShare: 0 },
  { name: "10 % young", youngShare: 0.1 },
  { name: "all young", youngShare: 1 },
];

export interface LoadedPacer {
  readonly pacer: Pacer;
  readonly interner: ShapeInterner;
  readonly size: ClusterSize;
  /** Makes this share of the nodes young, with some pods in startup and fresh figures of their disks. */
  setAge(age: Age): void;
  /** Keeps the figures of young nodes fresh; they are read every 1.5 s. */
  sampleYoung(): void;
  /** Names of nodes that are young now. */
  youngNodes(): readonly string[];
  /** A later state of a pod, as a watch would bring it. */
  upsert(pod: PodFacts): void;
}

/** The state with `size` nodes and pods, every pod started. Takes seconds at full size. */
export function loadPacer(size: ClusterSize, policy: PacingPolicy): LoadedPacer {
  const pacer = createPacer(policy);
  const interner = createShapeInterner();
  let version = 0;
  const stored = ({ object, status }: ObjectWithStatus, atMs: number): KubeObject =>
    // Through JSON, so that strings are not shared, as after a list.
    JSON.parse(JSON.stringify(asStored(object, status, (version += 1), atMs))) as KubeObject;
  const settledSinceMs = Date.now() - DAY_MS;
  const setNode = (index: number, readySinceMs: number) =>
    pacer.upsertNode(nodeFacts(stored(nodeObject(index, readySinceMs), readySinceMs), interner), Date.now());
  for (let index = 0; index < size.nodes; index += 1) setNode(index, settledSinceMs);
  for (let index = 0; index < size.pods; index += 1) {
    pacer.upsertPod(podFacts(stored(podObject(index, size, settledSinceMs), settledSinceMs), interner), Date.now());
  }
  let young: number[] = [];
  const startingOn = (node: number, serial: number) => {
    const { object } = podObject(size.pods + node + serial * size.nodes, size, Date.now());
    return podFacts(stored({ object, status: scheduledOnly(Date.now()) }, Date.now()), interner);
  };
  const sampleYoung = () => {
    for (const index of young) pacer.observeSample(nodeName(nodeNameAt(index)), busySample(Date.now()), Date.now());
  };
  return {
    pacer,
    interner,
    size,
    sampleYoung,
    setAge({ youngShare }) {
      for (const index of young) setNode(index, settledSinceMs);
      const count = Math.round(size.nodes * youngShare);
      young = Array.from({ length: count }, (_, at) => Math.floor((at * size.nodes) / count));
      for (const index of young) {
        setNode(index, Date.now());
        for (let serial = 0; serial < STARTING; serial += 1) pacer.upsertPod(startingOn(index, serial), Date.now());
      }
      sampleYoung();
    },
    youngNodes: () => young.map(nodeNameAt),
    upsert: (pod) => pacer.upsertPod({ ...pod, resourceVersion: String((version += 1)) }, Date.now()),
  };
}

function asStored(object: KubeObject, status: object, version: number, atMs: number) {
  const { metadata } = object;
  const uid = `00000000-0000-4000-8000-${version.toString(16).padStart(12, "0")}`;
  const made = { uid, resourceVersion: String(version), creationTimestamp: new Date(atMs).toISOString() };
  return { ...object, metadata: { ...metadata, ...made }, status };
}

const scheduledOnly = (atMs: number) => ({
  phase: "Pending",
  conditions: [{ type: "PodScheduled", status: "True", lastTransitionTime: new Date(atMs).toISOString() }],
});

/** A disk that works but is not busy all the time. */
const busySample = (atMs: number) => ({
  atMs,
  awaitMs: 20,
  utilisation: 0.6,
  writeBytesPerSecond: 80 * MIB,
  readBytesPerSecond: 2 * MIB,
  dirtyBytes: 200 * MIB,
  writebackBytes: 8 * MIB,
  ioPressure: 0.3,
  cpuPressure: 0.2,
  load1: 4,
  cores: 32,
});
