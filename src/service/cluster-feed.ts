/** Follows pods, nodes, DaemonSets, namespaces and failed sandboxes of the cluster; tells the pacer what changes. */
import { LIVE_PODS } from "../kube/client/live-pods.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import type { Clock } from "../kube/clock.ts";
import { daemonSetFacts } from "../kube/parse/daemon-set.ts";
import { nodeFacts, podFacts } from "../kube/parse/facts.ts";
import { textMapOf, textOf } from "../kube/parse/kube-json.ts";
import type { Log } from "../kube/log.ts";
import { startReflector, type Reflector } from "../kube/watch/reflector.ts";
import type { ShapeInterner } from "../kube/parse/shape-interner.ts";
import type { NodeFacts } from "../core/facts.ts";
import type { Pacer } from "../core/pacer.ts";
import { nodeName, podUID, type NodeName } from "../core/ids.ts";
import { daemonSetKey } from "../core/state/daemon-sets.ts";
import { startSandboxFeed } from "./sandbox-feed.ts";

export interface ClusterFeedOptions {
  readonly client: ApiClient;
  readonly pacer: Pacer;
  readonly interner: ShapeInterner;
  /** The API server's time. */
  readonly clock: Clock;
  /** A clock that never jumps: the watches' ages decide on leadership. */
  readonly steady: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Called after every change. */
  readonly onChange: () => void;
}

export interface ClusterFeed {
  /**
   * True once pods and nodes have been listed in full, and DaemonSets and namespaces have, or could not: a leader that
   * learnt of these a moment later would begin a roll call and take it back, or hold pods that opted out.
   */
  readonly isSynced: boolean;
  readonly synced: Promise<void>;
  /** InternalIP of every node, for telemetry. */
  readonly addresses: ReadonlyMap<NodeName, NodeFacts["address"]>;
  /** Time since the API server last told of pods and nodes, ms; before it has, since the start. */
  watchAgesMs(): Readonly<Record<"pods" | "nodes", number>>;
  stop(): Promise<void>;
}

/**
 * Watches of 6 to 12 s: where nothing happens, the API server sends a bookmark once a minute, and 2 s before a watch's
 * end. So silence tells of a hung watch soon: it is given up after 14 s, and the next one is heard within 12 s more,
 * before the leader leaves (pacing.ts). That is a request each 9 s and resource; the Lease takes six times as many.
 */
const HEARD_OFTEN = { watchSeconds: 6, idleMs: 14_000, longestRetryMs: 3_000 };

/** Starts the reflectors. */
export function startClusterFeed(given: ClusterFeedOptions): ClusterFeed {
  const { pacer, interner, onChange, clock, steady, ...rest } = given;
  const options = { ...rest, clock: steady };
  const now = () => clock.now();
  const beganMs = steady.now();
  const addresses = new Map<NodeName, NodeFacts["address"]>();
  const nodes = startReflector({
    ...options,
    path: "/api/v1/nodes",
    limits: HEARD_OFTEN,
    parse: (raw) => nodeFacts(raw, interner),
    keyOf: (raw) => raw.metadata?.name ?? "",
    onUpsert(node) {
      addresses.set(node.name, node.address);
      pacer.upsertNode(node, now());
      onChange();
    },
    onDelete(name) {
      addresses.delete(nodeName(name));
      pacer.deleteNode(nodeName(name), now());
      onChange();
    },
  });
  const pods = startReflector({
    ...options,
    path: "/api/v1/pods",
    limits: HEARD_OFTEN,
    query: LIVE_PODS,
    parse: (raw) => podFacts(raw, interner),
    onUpsert(pod) {
      pacer.upsertPod(pod, now());
      onChange();
    },
    onDelete(uid) {
      pacer.deletePod(podUID(uid), now());
      onChange();
    },
  });
  const daemonSets = followDaemonSets({ ...given, clock: steady });
  const namespaces = followNamespaces({ ...given, clock: steady });
  const isSettled = ({ isSynced, counts }: Reflector) => isSynced || counts.failures > 0;
  const sandboxes = startSandboxFeed({ ...rest, clock, pacer, onChange });
  return {
    get isSynced() {
      return nodes.isSynced && pods.isSynced && isSettled(daemonSets) && isSettled(namespaces);
    },
    synced: Promise.all([nodes.synced, pods.synced]).then(() => undefined),
    addresses,
    watchAgesMs: () => ({
      pods: steady.now() - (pods.lastContactMs ?? beganMs),
      nodes: steady.now() - (nodes.lastContactMs ?? beganMs),
    }),
    async stop() {
      await Promise.all([nodes, pods, daemonSets, namespaces, sandboxes].map((one) => one.stop()));
    },
  };
}

/** A cluster may not let us list them; then pacing goes on without. */
function followDaemonSets({ pacer, interner, onChange, ...options }: ClusterFeedOptions): Reflector {
  return startReflector({
    ...options,
    path: "/apis/apps/v1/daemonsets",
    parse: (raw) => daemonSetFacts(raw, interner),
    keyOf: ({ metadata }) => daemonSetKey(metadata?.namespace ?? "", metadata?.name ?? ""),
    onUpsert(daemonSet) {
      if (pacer.upsertDaemonSet(daemonSet)) onChange();
    },
    onDelete(key) {
      pacer.deleteDaemonSet(key);
      onChange();
    },
    onListed() {
      pacer.daemonSetsListed();
      onChange();
    },
    onForbidden() {
      pacer.forgetDaemonSets();
      onChange();
    },
  });
}

/** Of these only the labels matter. Without the right to list them pacing goes on, as far as the policy names none. */
function followNamespaces({ pacer, onChange, ...options }: ClusterFeedOptions): Reflector {
  return startReflector({
    ...options,
    path: "/api/v1/namespaces",
    parse: ({ metadata }) => ({ name: textOf(metadata?.name), labels: textMapOf(metadata?.labels) }),
    keyOf: ({ metadata }) => textOf(metadata?.name),
    onUpsert({ name, labels }) {
      if (pacer.upsertNamespace(name, labels)) onChange();
    },
    onDelete(name) {
      pacer.deleteNamespace(name);
      onChange();
    },
    onForbidden() {
      pacer.forgetNamespaces();
      onChange();
    },
  });
}
