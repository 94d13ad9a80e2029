/** Reads all of a cluster once. It only gets, lists, and makes reviews of rights. */
import type { ApiClient } from "../../kube/client/api-client.ts";
import type { Clock } from "../../kube/clock.ts";
import { defaultPolicy } from "../../policy/parse.ts";
import { Tally } from "../../diagnose/findings/tally.ts";
import { type ClusterFacts, policyOf } from "../facts.ts";
import { gatherAskedPods } from "./asked-pods.ts";
import { gatherAutoscalers, gatherDaemonSets, gatherNodePools } from "./autoscalers.ts";
import { gatherKubelets } from "./kubelets.ts";
import type { Look } from "./look.ts";
import { gatherNodeClasses } from "./node-classes.ts";
import { gatherNodes } from "./nodes.ts";
import { gatherOurs } from "./ours.ts";
import { gatherPods } from "./pods.ts";
import { gatherRewriters } from "./rewriters.ts";
import { gatherSchedulers } from "./schedulers.ts";

export interface GatherOptions {
  /** Namespace of Paceline; undefined: take it from the webhooks. */
  readonly namespace: string | undefined;
  readonly defaultNamespace: string;
  /** The most kubelets to ask for their configuration. */
  readonly sample: number;
  readonly clock: Clock;
}

/** Older failures are ignored. Events live for an hour, statuses as long as their pods. */
const RECENT_MS = 86_400_000;
/** `diagnose` needs a bin size; doctor does not use the bins. */
const BIN_MS = 3_600_000;

/** @throws ApiError when the cluster cannot be reached, or rejects our credentials. */
export async function gatherCluster(client: ApiClient, options: GatherOptions): Promise<ClusterFacts> {
  await client.get("/version");
  const nowMs = options.clock.now();
  const notes: string[] = [];
  const look: Look = { client, nowMs, note: (sentence) => notes.push(sentence) };
  const ours = await gatherOurs(look, options);
  const policy = policyOf({ ours }) ?? defaultPolicy();
  const tally = new Tally(BIN_MS, { sinceMs: nowMs - RECENT_MS, untilMs: undefined });
  const nodesSeen = await gatherNodes(look, tally);
  const nodes = nodesSeen.nodes ?? [];
  const isAskedAbout = await gatherAskedPods(look, ours?.webhooks ?? []);
  const youngMs = policy.youngForSeconds * 1_000;
  const { pods, schedulerConfigs } = await gatherPods(look, tally, { ...nodesSeen, isAskedAbout }, youngMs);
  return {
    nowMs,
    ours,
    pods,
    notes,
    nodes: nodesSeen.nodes,
    kubelets: await gatherKubelets(look, nodes, options.sample),
    schedulers: await gatherSchedulers(look, ours?.namespace, schedulerConfigs),
    rewriters: await gatherRewriters(look),
    daemonSets: await gatherDaemonSets(look),
    nodeClasses: await gatherNodeClasses(look),
    nodePools: await gatherNodePools(look),
    autoscalers: await gatherAutoscalers(look),
  };
}
