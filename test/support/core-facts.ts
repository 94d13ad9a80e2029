/** Builders of the core's facts. A test sets what matters to it; everything else has a default. */
import type { DaemonSetFacts, NodeFacts, PodFacts, PodShape } from "../../src/core/facts.ts";
import { imageName, nodeName, podUID, type NodeName } from "../../src/core/ids.ts";
import { MIB } from "../../src/core/measures.ts";

/** The moment at which tests begin, epoch ms. */
export const START_MS = Date.parse("2026-01-01T00:00:00Z");

let serial = 0;
/** A resourceVersion higher than every earlier one. */
export const nextVersion = () => String((serial += 1) + 1_000_000);

export function aShape(given: Partial<PodShape> & { image?: string } = {}): PodShape {
  const { image, ...rest } = given;
  return {
    namespace: "default",
    labels: {},
    ownerKind: "ReplicaSet",
    ownerName: "web",
    nodeSelector: {},
    affinityTerms: undefined,
    tolerations: [],
    requests: { cpu: 100, memory: 64 * MIB, pods: 1 },
    hostPorts: [],
    images: image === undefined ? [] : [imageName(image)],
    priority: 0,
    priorityClassName: "",
    schedulerName: "default-scheduler",
    interPodRules: false,
    mirror: false,
    ...rest,
  };
}

export function aPod(name: string, given: Partial<PodFacts> = {}): PodFacts {
  return {
    uid: podUID(`uid-${name}`),
    namespace: given.shape?.namespace ?? "default",
    name,
    resourceVersion: nextVersion(),
    shape: aShape(),
    pinnedTo: undefined,
    node: undefined,
    createdAtMs: START_MS,
    gated: false,
    gatedByOthers: false,
    hold: undefined,
    reservation: undefined,
    release: undefined,
    fencesTolerated: [],
    terminal: false,
    deleting: false,
    scheduledAtMs: undefined,
    containersStarted: false,
    startup: undefined,
    ready: false,
    waitingOn: undefined,
    restarts: 0,
    overloadFailures: 0,
    unschedulable: false,
    refused: false,
    ...given,
  };
}

/** A pod as it is after the webhook has held it. */
export const aGatedPod = (name: string, given: Partial<PodFacts> = {}): PodFacts =>
  aPod(name, {
    gated: true,
    hold: { node: given.pinnedTo, reason: "AwaitingRelease", sinceMs: given.createdAtMs ?? START_MS },
    ...given,
  });

/** A DaemonSet's pod for one node, held. */
export const aDaemonPod = (name: string, node: string, given: Partial<PodFacts> = {}): PodFacts =>
  aGatedPod(name, {
    shape: aShape({ ownerKind: "DaemonSet", ownerName: "agent" }),
    pinnedTo: nodeName(node),
    ...given,
  });

/** A DaemonSet whose pods do not tolerate the fence. {@link aDaemonPod} is one of "agent". */
export const aDaemonSet = (name: string, given: Partial<DaemonSetFacts> = {}): DaemonSetFacts => ({
  namespace: "default",
  name,
  shape: aShape({ ownerKind: "DaemonSet", ownerName: name }),
  pinnedTo: undefined,
  fencesTolerated: [],
  deleting: false,
  ...given,
});

export function aNode(name: string, given: Partial<NodeFacts> = {}): NodeFacts {
  return {
    name: nodeName(name),
    uid: `uid-${name}`,
    resourceVersion: nextVersion(),
    labels: { "kubernetes.io/hostname": name },
    createdAtMs: START_MS,
    readySinceMs: START_MS,
    notReadySinceMs: undefined,
    unschedulable: false,
    taints: [],
    fence: undefined,
    allocatable: { cpu: 16_000, memory: 32 * 1024 * MIB, pods: 110 },
    address: "127.0.0.1",
    images: new Map(),
    ...given,
  };
}

/** A node that has been Ready for a day. */
export const anOldNode = (name: string, given: Partial<NodeFacts> = {}): NodeFacts =>
  aNode(name, { createdAtMs: START_MS - 86_400_000, readySinceMs: START_MS - 86_400_000, ...given });

/** The same object, changed, with a newer resourceVersion. */
export const changed = <Facts extends { readonly resourceVersion: string }>(
  facts: Facts,
  by: Partial<Facts>,
): Facts => ({
  ...facts,
  ...by,
  resourceVersion: nextVersion(),
});

export const bound = (pod: PodFacts, node: string | NodeName, atMs = START_MS): PodFacts =>
  changed(pod, { node: nodeName(node), gated: false, scheduledAtMs: atMs });

export const started = (pod: PodFacts): PodFacts => changed(pod, { containersStarted: true, ready: true });
