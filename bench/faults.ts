/**
 * `npm run faults`: runs Paceline against a cluster in memory whose network, clocks and processes fail, and checks the
 * promises of docs/design.md after every step (docs/faults.md). `--seeds N` runs, from `--seed S` on. `--bugs` checks
 * the checker: it must find each of the deliberate bugs; `--bug NAME` shows what it says of one. Ctrl-C ends it and
 * prints what was done until then.
 */
import { withProgress, type Tell } from "../src/cli/progress.ts";
import { bugs } from "./faults/bugs.ts";
import { together, type Campaign } from "./faults/campaign.ts";
import { described } from "./faults/described.ts";
import { shrink } from "./faults/shrink.ts";
import { countOf, flagsOf, oneOf } from "./flags.ts";
import { runOnThreads, type CampaignTask } from "./faults/threads.ts";

const values = flagsOf({
  seeds: { type: "string" },
  seed: { type: "string", default: "1" },
  bugs: { type: "boolean", default: false },
  bug: { type: "string" },
});

/** Runs without `--seeds`; a deliberate bug must show within so many. */
const SEEDS = 200;
/** Seeds that a thread takes at a time: about three seconds of work. */
const SEEDS_AT_A_TIME = 10;
/** Failures that are made smaller and printed. */
const MOST_SHOWN = 3;
/** As a shell says it of a program that Ctrl-C has ended. */
const INTERRUPTED = 130;

const seeds = countOf("seeds", values.seeds ?? String(SEEDS));
const firstSeed = countOf("seed", values.seed);
const interrupted = new AbortController();
process.once("SIGINT", () => {
  process.exitCode = INTERRUPTED;
  interrupted.abort();
});

const bugNames = bugs.map(({ name }) => name);
const bug = values.bug === undefined ? undefined : oneOf("bug", bugNames, values.bug);

if (values.bugs) await withProgress("faults: deliberate bugs", checkTheChecker);
else await withProgress(bug === undefined ? "faults" : `faults: ${bug}`, (tell) => search(tell, bug));

/** With a bug, up to its first failure. */
async function search(tell: Tell, bug: string | undefined): Promise<void> {
  let [ran, failed] = [0, 0];
  const campaigns = await runOnThreads(bug === undefined ? shares() : [{ bug, firstSeed, seeds, mostFailures: 1 }], {
    signal: interrupted.signal,
    onRan: () => tell(`${++ran} of ${seeds} seeds, ${failed} failed`),
    onDone: (_, { failures }) => {
      failed += failures.length;
      for (const { schedule, violation } of failures) {
        print(`seed ${schedule.seed}: ${violation?.invariant ?? ""}: ${violation?.detail ?? ""}`);
      }
    },
  });
  const campaign = together(campaigns);
  print(summary(campaign));
  if (campaign.failures.length > 0) process.exitCode = 1;
  for (const failure of campaign.failures.slice(0, MOST_SHOWN)) {
    if (interrupted.signal.aborted) return;
    const known = bugs.find(({ name }) => name === bug);
    print(described(await shrink(failure, known, { tell, signal: interrupted.signal })));
  }
}

function shares(): CampaignTask[] {
  const tasks: CampaignTask[] = [];
  for (let done = 0; done < seeds; done += SEEDS_AT_A_TIME) {
    tasks.push({ firstSeed: firstSeed + done, seeds: Math.min(SEEDS_AT_A_TIME, seeds - done) });
  }
  return tasks;
}

async function checkTheChecker(tell: Tell): Promise<void> {
  const tasks = bugs.map(({ name }) => ({ bug: name, firstSeed, seeds, mostFailures: 1 }));
  const campaigns = await runOnThreads(tasks, {
    signal: interrupted.signal,
    onRan: ({ bug }, ran) => tell(`${bug ?? ""}: ${ran} of ${seeds} seeds`),
    onDone: ({ bug }, campaign) => print(finding(bug ?? "", campaign)),
  });
  const found = campaigns.filter(({ failures }) => failures.length > 0).length;
  print(`${found} of ${bugs.length} bugs found`);
  if (found < bugs.length) process.exitCode ??= 1;
}

function finding(bug: string, { failures: [failure], seeds: ran }: Campaign): string {
  if (failure?.violation === undefined) return `MISSED  ${bug}: nothing in ${ran} seeds`;
  return `found   ${bug}: seed ${failure.schedule.seed}, ${failure.violation.invariant}`;
}

function summary({ seeds: ran, virtualHours, faults, failures }: Campaign): string {
  const kinds = Object.entries(faults).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    `${ran} seeds from ${firstSeed}, ${virtualHours.toFixed(1)} virtual hours, ${failures.length} violations`,
    `faults: ${kinds.map(([kind, count]) => `${kind} ${count}`).join(", ")}`,
  ].join("\n");
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
