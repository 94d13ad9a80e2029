/** Whether a roll call goes on at a node: a cordon of ours stands in for its fence (rules/roll-call.ts). */
import type { NodeFacts, RollCall } from "../facts.ts";

/** The roll call that goes on at the node. */
export const openRollCall = ({ fence }: Pick<NodeFacts, "fence">): RollCall | undefined =>
  fence?.rollCall?.state === "open" ? fence.rollCall : undefined;
