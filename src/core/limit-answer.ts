/** What a node's limit did in the last ten minutes, with its reasons: for the status page and `paceline status`. */
import { knownNode } from "./placement/known-node.ts";
import type { NodeName } from "./ids.ts";
import type { ClusterState } from "./state/cluster-state.ts";
import { HISTORY_MS, type LimitHistory, type LimitStep } from "./state/limit-history.ts";

export interface LimitAnswer {
  readonly node: NodeName;
  /** Slots now. */
  readonly limit: number;
  /** Slots when the ten minutes began. */
  readonly limitBefore: number;
  /** Epoch ms. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Oldest first. */
  readonly steps: readonly LimitStep[];
  /** One sentence. */
  readonly message: string;
}

/** Undefined: no such node is known. */
export function limitAnswer(
  state: ClusterState,
  history: LimitHistory,
  name: string,
  nowMs: number,
): LimitAnswer | undefined {
  const facts = knownNode(state, name as NodeName)?.facts;
  if (!facts) return undefined;
  const { slots, move } = state.limitOf(facts);
  const steps = history.of(facts.name, nowMs);
  const limitBefore = steps[0]?.from ?? slots;
  return {
    node: facts.name,
    limit: slots,
    limitBefore,
    fromMs: nowMs - HISTORY_MS,
    toMs: nowMs,
    steps,
    message: state.isLeftOut(facts) ? `the policy does not pace node ${name}` : inWords({ slots, move }, steps),
  };
}

function inWords({ slots, move }: { slots: number; move: string }, steps: readonly LimitStep[]): string {
  const ups = steps.filter(({ from, to }) => to > from).length;
  const downs = steps.filter(({ from, to }) => to < from).length;
  const moved = [ups > 0 ? `up ${times(ups)}` : "", downs > 0 ? `down ${times(downs)}` : ""].filter((text) => text);
  const what = moved.length > 0 ? `it went ${moved.join(" and ")}` : "it has not moved";
  return `the limit is ${slots}; in ten minutes ${what}; last: ${move}`;
}

const times = (count: number) => (count === 1 ? "once" : count === 2 ? "twice" : `${count} times`);
