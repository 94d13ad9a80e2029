/** Follows the pods, nodes, DaemonSets and failed sandboxes of the cluster and reports every change to the pacer. */
import { LIVE_PODS } from "../kube/client/live-pods.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import type { Clock } from "../kube/clock.ts";
import { daemonSetFacts } from "../kube/parse/daemon-set.ts";
import { nodeFacts, podFacts } from "../kube/parse/facts.ts";
import type { Log } from "../kube/log.ts";
import { startReflector } from "../kube/watch/reflector.ts";
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
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Called after every change. */
  readonly onChange: () => void;
}

export interface ClusterFeed {
  /**
   * True once pods and nodes have been listed in full, and DaemonSets have, or could not: a leader that learnt of them
   * a moment later would begin a roll call, and take it back.
   */
  readonly isSynced: boolean;
  readonly synced: Promise<void>;
  /** InternalIP of every node, for telemetry. */
  readonly addresses: ReadonlyMap<NodeName, NodeFacts["address"]>;
  /** When the API server was last heard, by resource, epoch ms. */
  lastContactsMs(): Readonly<Record<"pods" | "nodes", number | undefined>>;
  stop(): Promise<void>;
}

/** Starts the reflectors. */
export function startClusterFeed({ pacer, interner, onChange, ...options }: ClusterFeedOptions): ClusterFeed {
  const now = () => options.clock.now();
  const addresses = new Map<NodeName, NodeFacts["address"]>();
  const nodes = startReflector({
    ...options,
    path: "/api/v1/nodes",
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
  // A cluster may not let us list them; then pacing goes on without.
  const daemonSets = startReflector({
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
  const sandboxes = startSandboxFeed({ ...options, pacer, onChange });
  return {
    get isSynced() {
      return nodes.isSynced && pods.isSynced && (daemonSets.isSynced || daemonSets.counts.failures > 0);
    },
    synced: Promise.all([nodes.synced, pods.synced]).then(() => undefined),
    addresses,
    lastContactsMs: () => ({ pods: pods.lastContactMs, nodes: nodes.lastContactMs }),
    async stop() {
      await Promise.all([nodes.stop(), pods.stop(), daemonSets.stop(), sandboxes.stop()]);
    },
  };
}
