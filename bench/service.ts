/**
 * `npm run bench:service`: the service's own budgets (docs/budgets.md), at 5,000 nodes and 150,000 pods. Prints one
 * table; exit 1 when a budget is missed, 2 for wrong flags. `--write` writes each part that ran into docs/budgets.md.
 */
import { parseArgs } from "node:util";
import { measuredHere } from "../dev/docs/figures.ts";
import { defaultPolicy } from "../src/policy/parse.ts";
import { type Figure, printVerdict } from "./figures.ts";
import { benchAdmission } from "./service/admission.ts";
import { benchCluster } from "./service/cluster.ts";
import { loadPacer } from "./service/loaded-pacer.ts";
import { benchExtender } from "./service/extender.ts";
import { benchPlayed } from "./service/played.ts";
import type { ClusterSize } from "./service/objects.ts";
import { writeRun } from "./written.ts";

const PARTS = ["extender", "admission", "played", "cluster"] as const;
type Part = (typeof PARTS)[number];

const { values } = parseArgs({
  options: {
    nodes: { type: "string", default: "5000" },
    pods: { type: "string", default: "150000" },
    only: { type: "string", multiple: true, default: [...PARTS] },
    write: { type: "boolean", default: false },
  },
});

function readFlags(): { size: ClusterSize; parts: ReadonlySet<Part> } {
  const size = { nodes: Number(values.nodes), pods: Number(values.pods) };
  const parts = new Set(values.only as Part[]);
  const sizeIsFine = Number.isInteger(size.nodes) && Number.isInteger(size.pods) && size.nodes > 0 && size.pods > 0;
  if (sizeIsFine && [...parts].every((part) => PARTS.includes(part))) return { size, parts };
  console.error(`bench: --nodes and --pods want whole numbers above 0, --only one of ${PARTS.join(", ")}`);
  return process.exit(2);
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

const { size, parts } = readFlags();
const where = measuredHere();
console.log(`${size.nodes} nodes, ${size.pods} pods`);
const measured: Measured = [
  ...(await inProcess(size, parts)),
  ...(parts.has("played") ? [["played", await benchPlayed(size)] as const] : []),
  ...(parts.has("cluster") ? [["cluster", await benchCluster(size)] as const] : []),
];
process.exitCode = printVerdict(measured.flatMap(([, figures]) => figures));
for (const [part, figures] of values.write ? measured : []) {
  const of = `Part \`${part}\` of \`npm run bench:service\`, ${size.nodes} nodes and ${size.pods} pods`;
  await writeRun(`service-${part}`, { ...where, of, figures });
}
