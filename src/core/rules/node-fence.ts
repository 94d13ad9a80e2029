/**
 * Which nodes get a fence, and its value: specific to one node, so that one toleration lets one pod onto one node only.
 */
import { KARPENTER_NODEPOOL_LABEL } from "../../api/names.ts";
import { matchesSelector, pacesNode } from "../../policy/resolve.ts";
import type { PacingPolicy } from "../../policy/schema.ts";
import type { NodeFacts, PodFacts } from "../facts.ts";
import type { NodeName } from "../ids.ts";
import { EVERY_FENCE } from "../verdict.ts";

/** Longest legal value of a taint, in characters (label value syntax). */
const MAX_VALUE_LENGTH = 63;
const HASH_LENGTH = 16;

/** FNV-1a, 64 bits: its published offset basis and prime. Stable across versions and platforms; not for secrets. */
const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

function fnv1a(text: string): string {
  let hash = FNV_OFFSET;
  for (const byte of new TextEncoder().encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  return hash.toString(16).padStart(HASH_LENGTH, "0");
}

/**
 * The fence value of a node: its name where that is a legal taint value (a person can read it), otherwise the start of
 * the name and a hash of the whole. Node names may have 253 characters, taint values 63.
 */
export function fenceValue(name: NodeName): string {
  if (name.length <= MAX_VALUE_LENGTH) return name;
  return `${name.slice(0, MAX_VALUE_LENGTH - HASH_LENGTH - 1)}-${fnv1a(name)}`;
}

/** A pod with a toleration for a node's fence may go there whenever the scheduler likes. */
export const toleratesFence = ({ fencesTolerated }: Pick<PodFacts, "fencesTolerated">, value: string) =>
  fencesTolerated.includes(EVERY_FENCE) || fencesTolerated.includes(value);

/** Do fences keep pods out at all? */
export const fencesWork = ({ mode, fence }: PacingPolicy): boolean => mode === "enforce" && fence.enabled;

/**
 * Did Karpenter make the node? Then only Karpenter fences it, if its NodePool names the fence among its startupTaints.
 * A node with a taint that these do not name is closed to its simulation, so it launches another for every pod that
 * waits at the fence: twice as many as needed (docs/autoscalers.md).
 */
export const isOfKarpenter = (labels: Readonly<Record<string, string>>): boolean => KARPENTER_NODEPOOL_LABEL in labels;

/** Karpenter has done with the node's start. */
export const isInitialized = ({ labels }: Pick<NodeFacts, "labels">): boolean =>
  labels["karpenter.sh/initialized"] === "true";

/** What is to happen to a node that is being created; `observe`: it would get a fence, were the mode enforce. */
export type FenceVerdict = "fence" | "observe" | "none";

/**
 * Does a joining node get a fence? Only where the lever is on and a leader is alive to lift it, and not from Karpenter.
 * @param labels those that it registers with
 */
export function fenceVerdict(
  labels: Readonly<Record<string, string>>,
  policy: PacingPolicy | undefined,
  { leaderAlive }: { readonly leaderAlive: boolean },
): FenceVerdict {
  if (!policy || policy.mode === "off" || !policy.fence.enabled || !leaderAlive) return "none";
  if (policy.youngForSeconds === 0 || !matchesSelector(policy.fence.nodeSelector, labels)) return "none";
  if (!pacesNode(policy, labels) || isOfKarpenter(labels)) return "none";
  return policy.mode === "observe" ? "observe" : "fence";
}
