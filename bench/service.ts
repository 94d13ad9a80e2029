/**
 * `npm run bench:service`: the service's own budgets (docs/budgets.md), at 5,000 nodes and 150,000 pods. Prints one
 * table; exit 1 when a budget is missed, 2 for wrong flags. See docs/budgets.md.
 */
import { defaultPolicy } from "../src/policy/parse.ts";
import { type Figure, printVerdict } from "./figures.ts";
import { countOf, flagsOf, oneOf } from "./flags.ts";
import { benchAdmission } from "./service/admission.ts";
import { benchCluster } from "./service/cluster.ts";
import { loadPacer } from "./service/loaded-pacer.ts";
import { benchExtender } from "./service/extender.ts";
import { benchPlayed } from "./service/played.ts";
import type { ClusterSize } from "./service/objects.ts";

const PARTS = ["extender", "admission", "played", "cluster"] as const;
type Part = (typeof PARTS)[number];

function readFlags(): { size: ClusterSize; parts: ReadonlySet<Part> } {
  const { nodes, pods, only } = flagsOf({
    nodes: { type: "string", default: "5000" },
    pods: { type: "string", default: "150000" },
    only: { type: "string", multiple: true, default: [...PARTS] },
  });
  const size = { nodes: countOf("nodes", nodes), pods: countOf("pods", pods) };
  return { size, parts: new Set(only.map((part) => oneOf("only", PARTS, part))) };
}

/** The state is made once for both parts, and is garbage before the cluster's part begins. */
async function inProcess(size: ClusterSize, parts: ReadonlySet<Part>): Promise<Figure[]> {
  if (!parts.has("extender") && !parts.has("admission")) return [];
  const policy = defaultPolicy({ extender: { enabled: true } });
  const loaded = loadPacer(size, policy);
  return [
    ...(parts.has("extender") ? await benchExtender(loaded, policy) : []),
    ...(parts.has("admission") ? await benchAdmission(loaded, policy) : []),
  ];
}

const { size, parts } = readFlags();
console.log(`${size.nodes} nodes, ${size.pods} pods`);
const figures = [
  ...(await inProcess(size, parts)),
  ...(parts.has("played") ? await benchPlayed(size) : []),
  ...(parts.has("cluster") ? await benchCluster(size) : []),
];
process.exitCode = printVerdict(figures);
