/** All rules, in the order of the report. Pure: facts go in, findings come out. */
import type { ClusterFacts } from "../facts.ts";
import type { Finding } from "../finding-codes.ts";
import { findNodesProblems } from "./nodes.ts";
import { findServiceProblems } from "./service.ts";
import { findCloudProblems } from "./clouds.ts";
import { findUnpacedSchedulers } from "./schedulers.ts";
import { findSilence } from "./silence.ts";
import { findStrandedPods } from "./stranded.ts";
import { findStartsProblems } from "./starts.ts";
import { findSurroundingsProblems } from "./surroundings.ts";
import { findWebhooksProblems } from "./webhooks.ts";

export function findingsOf(facts: ClusterFacts): Finding[] {
  const all = [
    findServiceProblems,
    findWebhooksProblems,
    findStartsProblems,
    findNodesProblems,
    findSurroundingsProblems,
    findSilence,
    findCloudProblems,
    findUnpacedSchedulers,
    findStrandedPods,
  ].flatMap((rules) => rules(facts));
  const same = Map.groupBy(all, ({ code, seen, change }) => JSON.stringify([code, seen, change]));
  return [...same.values()].flatMap(merged);
}

/** Merges equal findings about several objects, such as all webhooks of one address. */
function merged(same: readonly Finding[]): Finding[] {
  const [first] = same;
  return first === undefined ? [] : [{ ...first, about: [...new Set(same.flatMap(({ about }) => about))] }];
}
