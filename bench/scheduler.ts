/**
 * `npm run bench:scheduler`: measures what Paceline costs kube-scheduler, as ratios of one run. It runs every
 * arrangement in turn, several times, each on a fresh control plane. Exit 1 when a budget is missed, 2 for wrong flags.
 * `--write` writes the ratios into docs/budgets.md.
 */
import { measuredHere } from "../dev/docs/figures.ts";
import { type Figure, printVerdict } from "./figures.ts";
import { countOf, flagsOf } from "./flags.ts";
import { buildNoOp } from "./scheduler/no-op.ts";
import { type Arrangement, ARRANGEMENTS, run } from "./scheduler/run.ts";
import { writeRun } from "./written.ts";

const AT_LEAST = 0.95;

const values = flagsOf({
  nodes: { type: "string", default: "1000" },
  pods: { type: "string", default: "3000" },
  rounds: { type: "string", default: "2" },
  write: { type: "boolean", default: false },
});
const nodes = countOf("nodes", values.nodes);
const pods = countOf("pods", values.pods);
const rounds = countOf("rounds", values.rounds);

const mean = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

await buildNoOp();
const where = measuredHere();
const perSecond = new Map<Arrangement, number[]>(ARRANGEMENTS.map((arrangement) => [arrangement, []]));
for (let round = 1; round <= rounds; round += 1) {
  for (const arrangement of ARRANGEMENTS) {
    const figure = await run(arrangement, { nodes, pods });
    perSecond.get(arrangement)?.push(figure);
    console.log(`round ${round}: ${arrangement.padEnd(36)} ${figure.toFixed(0).padStart(5)} pods/s`);
  }
}

/** Throughput of one arrangement ÷ another over all rounds; the note has each round's ratio. */
function ratio(of: Arrangement, to: Arrangement, budget: boolean): Figure {
  const [above, below] = [perSecond.get(of) ?? [], perSecond.get(to) ?? []];
  const each = above.map((figure, round) => (figure / (below[round] ?? Number.NaN)).toFixed(2));
  return {
    what: `${of} ÷ ${to}`,
    unit: "",
    measured: mean(above) / mean(below),
    ...(budget && { budget: { kind: "at least", value: AT_LEAST } as const }),
    note: `by round ${each.join(", ")}`,
  };
}

const size = `${nodes} nodes, ${pods} pods`;
console.log(`\n${size}, pods bound per second`);
const figures = [
  ratio("Paceline's extender, nodes settled", "no-op extender in Go", true),
  ratio("Paceline's extender, nodes young", "no-op extender in Go", true),
  ratio("gate and fence, nodes settled", "without", true),
  ratio("no-op extender in Go", "without", false),
];
process.exitCode = printVerdict(figures);
const of = `\`npm run bench:scheduler -- --rounds ${rounds}\` with ${size}; ratios of pods bound per second`;
if (values.write) await writeRun("scheduler", { ...where, of, figures });
