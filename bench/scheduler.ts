/**
 * `npm run bench:scheduler`: measures what Paceline costs kube-scheduler, as ratios of one run. It runs every
 * arrangement in turn, several times, each on a fresh control plane. Exit 1 when a budget is missed, 2 for wrong flags.
 * See docs/budgets.md.
 */
import { type Figure, printVerdict } from "./figures.ts";
import { countOf, flagsOf } from "./flags.ts";
import { buildNoOp } from "./scheduler/no-op.ts";
import { type Arrangement, ARRANGEMENTS, run } from "./scheduler/run.ts";

const AT_LEAST = 0.95;

const values = flagsOf({
  nodes: { type: "string", default: "1000" },
  pods: { type: "string", default: "3000" },
  rounds: { type: "string", default: "2" },
});
const nodes = countOf("nodes", values.nodes);
const pods = countOf("pods", values.pods);
const rounds = countOf("rounds", values.rounds);

const mean = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

await buildNoOp();
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

console.log(`\n${nodes} nodes, ${pods} pods, pods bound per second`);
process.exitCode = printVerdict([
  ratio("Paceline's extender, nodes settled", "no-op extender in Go", true),
  ratio("Paceline's extender, nodes young", "no-op extender in Go", true),
  ratio("gate and fence, nodes settled", "without", true),
  ratio("no-op extender in Go", "without", false),
]);
