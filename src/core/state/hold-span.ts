/** Since when Paceline holds a pod, and until when at the latest: no slot has to be free for that end. */
import type { PodFacts } from "../facts.ts";
import { SECOND_MS } from "../measures.ts";
import { holdCapMs } from "../rules/hold-cap.ts";
import type { Held } from "../verdict.ts";
import type { ClusterState } from "./cluster-state.ts";
import { heldSinceMs, keptOutSinceMs } from "./held-since.ts";
import { openedMs } from "./opening.ts";
import { youngUntilMs } from "./pace.ts";

/** Epoch ms. */
export interface HoldSpan {
  readonly sinceMs: number;
  /** Infinity: that time does not run yet. */
  readonly untilMs: number;
}

const capMs = ({ policy }: ClusterState, { shape }: PodFacts) => holdCapMs(shape, policy.maxHoldSeconds * SECOND_MS);

/** Of a pod that carries Paceline's gate. While others gate it, too, ours holds nothing. */
export function gatedSpan(state: ClusterState, pod: PodFacts, nowMs: number): HoldSpan {
  if (pod.gatedByOthers) return { sinceMs: nowMs, untilMs: Infinity };
  const sinceMs = heldSinceMs(pod);
  return { sinceMs, untilMs: sinceMs + capMs(state, pod) };
}

/** Of a pod that a fence keeps out: its own cap, or the end of the fence, whichever comes first. */
export function keptOutSpan(state: ClusterState, { pod, hold }: Held, nowMs: number): HoldSpan {
  const facts = hold.node === undefined ? undefined : state.ledger.nodes.get(hold.node)?.facts;
  if (!facts) return { sinceMs: pod.createdAtMs, untilMs: Infinity };
  const sinceMs = keptOutSinceMs(pod, facts, nowMs);
  const fenceEndMs = (openedMs(facts) ?? Infinity) + state.policy.fence.maxSeconds * SECOND_MS;
  return { sinceMs, untilMs: Math.min(sinceMs + capMs(state, pod), fenceEndMs, youngUntilMs(state, facts)) };
}
