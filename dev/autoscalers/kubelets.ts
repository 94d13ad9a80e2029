/**
 * Kubelets for the machines of an autoscaler's simulated cloud: a Node that the autoscaler created gets a modelled
 * node, which becomes Ready and runs its pods, until the Node is gone.
 */
import { type ModelledNode, type ModelledNodeOptions, startModelledNode } from "../modelled-node/modelled-node.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { systemClock } from "../../src/kube/clock.ts";
import { silentLog } from "../../src/kube/log.ts";
import { type KubeObject, recordOf, textOf } from "../../src/kube/parse/kube-json.ts";
import { startReflector } from "../../src/kube/watch/reflector.ts";
import { CORES, MEMORY_BYTES } from "./machine.ts";

/** Both simulated clouds begin a machine's `providerID` with this. */
const PROVIDER = "kwok";

/** A machine; times in epoch ms, as this process saw them. */
export interface Machine {
  readonly name: string;
  readonly launchedMs: number;
  removedMs: number | undefined;
}

export interface Kubelets extends AsyncDisposable {
  /** Every machine that there ever was, by the Node's UID. */
  readonly machines: ReadonlyMap<string, Machine>;
}

/** @param options of each modelled node, besides its size */
export function startKubelets(client: ApiClient, options: Partial<ModelledNodeOptions> = {}): Kubelets {
  const machines = new Map<string, Machine>();
  const nodes = new Map<string, Promise<ModelledNode>>();
  const launched = (raw: KubeObject) => {
    const { uid = "", name = "" } = raw.metadata ?? {};
    if (machines.has(uid)) return;
    machines.set(uid, { name, launchedMs: Date.now(), removedMs: undefined });
    nodes.set(uid, startModelledNode({ ...options, client, name, cores: CORES, memoryBytes: MEMORY_BYTES }));
  };
  const removed = (uid: string) => {
    const machine = machines.get(uid);
    if (machine) machine.removedMs = Date.now();
    void nodes.get(uid)?.then((node) => node.stop());
    nodes.delete(uid);
  };
  const reflector = startReflector({
    client,
    path: "/api/v1/nodes",
    parse: (raw) => (textOf(recordOf(raw["spec"])["providerID"]).startsWith(PROVIDER) ? raw : undefined),
    onUpsert: launched,
    onDelete: removed,
    clock: systemClock,
    random: Math.random,
    log: silentLog,
  });
  const stop = async () => {
    await reflector.stop();
    await Promise.all([...nodes.values()].map(async (node) => (await node).stop()));
  };
  return { machines, [Symbol.asyncDispose]: stop };
}
