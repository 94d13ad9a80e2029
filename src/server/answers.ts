/** What the service says of the cluster, a node or a pod: the core's answer, with what the leader has published. */
import { type ShownNode, withFigure } from "../core/leader-figures.ts";
import type { LimitAnswer } from "../core/limit-answer.ts";
import type { ClusterStatus } from "../core/verdict.ts";
import type { AppDependencies } from "./dependencies.ts";
import type { LeaderState } from "./state.ts";

/** The answer of `/status.json`. */
export interface StatusAnswer extends Omit<ClusterStatus, "nodes"> {
  readonly nodes: readonly ShownNode[];
  readonly version: string;
  readonly synced: boolean;
  readonly leader: LeaderState;
  readonly policyValid: boolean;
  /** Time since the first new pod about which no replica was asked; 0 when they are asked, undefined: not known. */
  readonly silentSeconds?: number;
}

/** Makes the answer of `/status.json`: of nodes that others lead, too, the limits that count. */
export function statusAnswer({ pacer, state, now, version }: AppDependencies): StatusAnswer {
  const { synced } = state.replica();
  const leader = state.leader();
  const nowMs = now();
  const status = pacer.status(nowMs);
  const [figures, policy] = [leader.leading ? undefined : state.leaderFigures?.(), state.policy()];
  const nodes = status.nodes.map((node) => {
    const figure = figures?.get(node.name);
    return figure && policy ? withFigure(node, figure, policy.telemetry, nowMs) : node;
  });
  const silentSeconds = Math.round(pacer.silence.silentMs(nowMs) / 1_000);
  return { version, synced, leader, policyValid: state.policyValid(), silentSeconds, ...status, nodes };
}

/** Makes the answer of `/status/nodes/NAME`. Other replicas see other samples than the leader, whose limit counts. */
export function nodeAnswer({ pacer, state, now }: AppDependencies, name: string): LimitAnswer | undefined {
  const answer = pacer.limitAnswer(name, now());
  const { leading, holder } = state.leader();
  const figure = leading ? undefined : state.leaderFigures?.()?.get(name);
  if (!answer || !figure) return answer;
  const message = `${holder ?? "the leader"} leads, with a limit of ${figure.limit}; seen by this replica: ${answer.message}`;
  return { ...answer, message };
}
