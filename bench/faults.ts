/**
 * `npm run faults`: runs Paceline against a cluster in memory whose network, clocks and processes fail, and checks the
 * promises of docs/design.md after every step (docs/faults.md). `--seeds N` runs, from `--seed S` on; `--bugs` checks
 * the checker: it must find each of the deliberate bugs.
 */
import { parseArgs } from "node:util";
import { withProgress, type Tell } from "../src/cli/progress.ts";
import { bugs } from "./faults/bugs.ts";
import { runCampaign, type Campaign } from "./faults/campaign.ts";
import type { Bug, RunResult } from "./faults/run.ts";
import { shrink } from "./faults/shrink.ts";

const { values } = parseArgs({
  options: { seeds: { type: "string" }, seed: { type: "string" }, bugs: { type: "boolean", default: false } },
});

/** A deliberate bug must show within so many seeds. */
const SEEDS_PER_BUG = 200;
/** Failures that are made smaller and printed. */
const MOST_SHOWN = 3;

const seeds = Number(values.seeds ?? (values.bugs ? SEEDS_PER_BUG : 200));
const firstSeed = Number(values.seed ?? 1);
if (!Number.isInteger(seeds) || !Number.isInteger(firstSeed) || seeds < 1) {
  process.stderr.write("faults: --seeds and --seed are whole numbers\n");
  process.exitCode = 2;
} else if (values.bugs) await withProgress("faults: deliberate bugs", checkTheChecker);
else await withProgress("faults", search);

async function search(tell: Tell): Promise<void> {
  const campaign = await runCampaign({ firstSeed, seeds, tell });
  print(summary(campaign));
  for (const failure of campaign.failures.slice(0, MOST_SHOWN)) print(await described(failure, undefined, tell));
  if (campaign.failures.length > 0) process.exitCode = 1;
}

async function checkTheChecker(tell: Tell): Promise<void> {
  for (const bug of bugs) {
    const { failures, seeds: ran } = await runCampaign({
      ...{ firstSeed, seeds, bug, mostFailures: 1 },
      tell: (detail) => tell(`${bug.name}: ${detail}`),
    });
    const [failure] = failures;
    if (failure?.violation) print(`found   ${bug.name}: seed ${failure.schedule.seed}, ${failure.violation.invariant}`);
    else {
      print(`MISSED  ${bug.name}: nothing in ${ran} seeds`);
      process.exitCode = 1;
    }
  }
}

function summary({ seeds: ran, virtualHours, faults, failures }: Campaign): string {
  const kinds = Object.entries(faults).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    `${ran} seeds from ${firstSeed}, ${virtualHours.toFixed(1)} virtual hours, ${failures.length} violations`,
    `faults: ${kinds.map(([kind, count]) => `${kind} ${count}`).join(", ")}`,
  ].join("\n");
}

async function described(failure: RunResult, bug: Bug | undefined, tell: Tell): Promise<string> {
  const { schedule, violation } = await shrink(failure, bug, tell);
  const steps = schedule.steps.map(({ atMs, ...step }) => `  ${(atMs / 1_000).toFixed(3)} s ${JSON.stringify(step)}`);
  return [
    `seed ${schedule.seed}: ${violation?.invariant ?? ""} at ${((violation?.atMs ?? 0) / 1_000).toFixed(3)} s`,
    `  ${violation?.sentence ?? ""}`,
    `  ${violation?.detail ?? ""}`,
    `shortest schedule found, with the policy ${JSON.stringify(schedule.policy)}:`,
    ...steps,
  ].join("\n");
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
