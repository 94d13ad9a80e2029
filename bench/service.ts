/**
 * `npm run bench:service`: the service's own budgets (docs/budgets.md), at 5,000 nodes and 150,000 pods. Prints one
 * table; exit 1 when a budget is missed, 2 for wrong flags. `--write` writes each part that ran into docs/budgets.md.
 */
import { measuredHere } from "../dev/docs/figures.ts";
import { defaultPolicy } from "../src/policy/parse.ts";
import { type Figure, printVerdict } from "./figures.ts";
import { countOf, flagsOf, oneOf } from "./flags.ts";
import { benchAdmission } from "./service/admission.ts";
import { benchCluster } from "./service/cluster.ts";
import { loadPacer } from "./service/loaded-pacer.ts";
import { benchExtender } from "./service/extender.ts";
import { benchPlayed } from "./service/played.ts";
import type { ClusterSize } from "./service/objects.ts";
import { writeRun } from "./written.ts";

const PARTS = ["extender", "admission", "played", "cluster"] as const;
type Part = (typeof PARTS)[number];

function readFlags(): { size: ClusterSize; parts: ReadonlySet<Part>; isWritten: boolean } {
  const { nodes, pods, only, write } = flagsOf({
    nodes: { type: "string", default: "5000" },
    pods: { type: "string", default: "150000" },
    only: { type: "string", multiple: true, default: [...PARTS] },
    write: { type: "boolean", default: false },
  });
  const size = { nodes: countOf("nodes", nodes), pods: countOf("pods", pods) };
  return { size, parts: new Set(only.map((part) => oneOf("only", PARTS, part))), isWritten: write };
}

type Measured = readonly (readonly [Part, readonly Figure[]])[];

/** The state is made once for both parts, and is garbage before the cluster's part begins. */
async function inProcess(size: ClusterSize, parts: ReadonlySet<Part>): Promise<Measured> {
  if (!parts.has("extender") && !parts.has("admission")) return [];
  const policy = defaultPolicy({ extender: { enabled: true } });
  const loaded = loadPacer(size, policy);
  return [
    ...(parts.has("extender") ? [["extender", await benchExtender(loaded, policy)] as const] : []),
    ...(parts.has("admission") ? [["admission", await benchAdmission(loaded, policy)] as const] : []),
  ];
}

const { size, parts, isWritten } = readFlags();
const where = measuredHere();
console.log(`${size.nodes} nodes, ${size.pods} pods`);
const measured: Measured = [
  ...(await inProcess(size, parts)),
  ...(parts.has("played") ? [["played", await benchPlayed(size)] as const] : []),
  ...(parts.has("cluster") ? [["cluster", await benchCluster(size)] as const] : []),
];
process.exitCode = printVerdict(measured.flatMap(([, figures]) => figures));
for (const [part, figures] of isWritten ? measured : []) {
  const of = `Part \`${part}\` of \`npm run bench:service\`, ${size.nodes} nodes and ${size.pods} pods`;
  await writeRun(`service-${part}`, { ...where, of, figures });
}
