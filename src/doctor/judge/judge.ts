/** All rules, in the order in which findings are told. Pure: what was gathered goes in, findings come out. */
import type { ClusterFacts } from "../facts.ts";
import type { Finding } from "../finding-codes.ts";
import { judgeNodes } from "./nodes.ts";
import { judgeService } from "./service.ts";
import { judgeStarts } from "./starts.ts";
import { judgeSurroundings } from "./surroundings.ts";
import { judgeWebhooks } from "./webhooks.ts";

export function judge(facts: ClusterFacts): Finding[] {
  const all = [judgeService, judgeWebhooks, judgeStarts, judgeNodes, judgeSurroundings].flatMap((rules) =>
    rules(facts),
  );
  const same = Map.groupBy(all, ({ code, seen, change }) => JSON.stringify([code, seen, change]));
  return [...same.values()].flatMap(merged);
}

/** One finding about several things, such as all webhooks of one address, is told once. */
function merged(same: readonly Finding[]): Finding[] {
  const [first] = same;
  return first === undefined ? [] : [{ ...first, about: [...new Set(same.flatMap(({ about }) => about))] }];
}
