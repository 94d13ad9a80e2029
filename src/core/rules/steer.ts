/**
 * Which nodes get the soft taint that makes kube-scheduler prefer others: young ones without a fence. Karpenter does
 * not look at a taint's effect: one that its NodePool does not name closes the node to its simulation, and it may
 * launch another. So its nodes carry the taint only where they came with it.
 */
import type { PacingPolicy } from "../../policy/schema.ts";
import type { NodeFacts } from "../facts.ts";
import { isOfKarpenter } from "./node-fence.ts";

/** Is the lever on? */
const steerWorks = ({ mode, steer }: PacingPolicy): boolean => mode === "enforce" && steer.enabled;

/** May the node have the taint while it is young and has no fence? */
export const maySteer = (policy: PacingPolicy, { labels, steered }: NodeFacts): boolean =>
  steerWorks(policy) && (steered === true || !isOfKarpenter(labels));
