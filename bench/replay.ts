/**
 * `npm run bench:replay -- [--write] DIR…`: what `paceline replay` makes of recordings of
 * `npm run bench:real-node -- --record` (in DIR), beside the rounds that were measured there. Exit 1 unless all at once
 * and Paceline are forecast within 25 % on two settings at least, or if nothing can be compared. `--write` writes the
 * table into docs/replay.md.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { herdsOf } from "../src/recording/herd.ts";
import { parseMachines } from "../src/recording/machines.ts";
import { readRecording } from "../src/recording/read-recording.ts";
import { type HerdReplay, replayHerd } from "../src/replay/replay.ts";
import { parsePolicy } from "../src/policy/parse.ts";
import { argumentsOf } from "./flags.ts";
import type { Outcome } from "./real-node/outcome.ts";
import { recordingOf } from "./real-node/record.ts";
import { keptRounds, type KeptRound, whereMade } from "./real-node/rounds.ts";
import { nodeClassOf, settings, type Strategy } from "./real-node/settings.ts";
import { type Compared, offBy, truthTable, writeTruth } from "./replay/truth.ts";

/** What a forecast may be off, as a share of what was measured. */
const BOUND = 0.25;
/** Settings on which all must be within it. */
const LEAST_SETTINGS = 2;

async function replayed(folder: string, { setting, outcome }: KeptRound): Promise<HerdReplay | undefined> {
  const { folder: recorded, classFile } = recordingOf(folder, { ...outcome, setting });
  if (!existsSync(recorded)) return undefined;
  const files = readdirSync(recorded).map((file) => join(recorded, file));
  const { recording } = await readRecording(files, { nowMs: Date.now() });
  const machines = parseMachines(readFileSync(classFile, "utf8"));
  const policy = parsePolicy(
    JSON.stringify({
      apiVersion: "paceline.dev/v1alpha1",
      kind: "PacingPolicy",
      nodeClasses: [nodeClassOf(setting)],
    }),
  );
  if (!machines.ok || !policy.ok) throw new Error(`${classFile} or the setting's policy is unusable`);
  const [herd] = herdsOf(recording);
  return herd && replayHerd(herd, recording, { machines: machines.machines, policy: policy.policy });
}

const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;

/** Measured rounds of one strategy beside their forecast. */
function comparedWith(outcomes: readonly Outcome[], forecast: HerdReplay["recorded"] | undefined) {
  return {
    allReady: {
      measured: mean(outcomes.map(({ allReady }) => allReady)),
      forecast: forecast?.allReadySeconds ?? NaN,
    },
    meanReady: {
      measured: mean(outcomes.map(({ meanReady }) => meanReady)),
      forecast: forecast?.meanReadySeconds ?? NaN,
    },
    failed: outcomes.map(({ failedStarts, pullQpsExceeded }) => failedStarts + pullQpsExceeded),
    forecastFailed: forecast?.failedStarts ?? NaN,
  };
}

/** What can be compared of a setting. */
async function ofSetting(all: readonly RoundIn[], name: string): Promise<Compared[]> {
  const of = (strategy: Strategy) =>
    all.filter(({ setting, outcome }) => setting.name === name && outcome.strategy === strategy);
  const paced = of("paceline").map(({ outcome }) => outcome);
  const rows: Compared[] = [];
  for (const one of of("all-at-once")) {
    const replay = await replayed(one.folder, one);
    if (replay === undefined) continue;
    const round = `${name} ${one.outcome.round}`;
    rows.push({ round, strategy: "all at once", ...comparedWith([one.outcome], replay.model) });
    if (paced.length > 0) rows.push({ round, strategy: "Paceline", ...comparedWith(paced, replay.forecast?.given) });
    for (const reason of replay.reasons) console.error(`bench: ${round}: no forecast: ${reason}`);
  }
  return rows;
}

type RoundIn = KeptRound & { readonly folder: string };

const { values, positionals } = argumentsOf({ write: { type: "boolean", default: false } });
const rounds = positionals.flatMap((folder) => keptRounds(folder).map((one): RoundIn => ({ folder, ...one })));
const bySetting: Compared[][] = [];
for (const name of Object.keys(settings)) bySetting.push(await ofSetting(rounds, name));
const told = bySetting.filter((rows) => rows.length > 0);
const within = told.filter((rows) =>
  rows.every(({ allReady, meanReady }) => [allReady, meanReady].every((one) => Math.abs(offBy(one)) <= BOUND)),
);
console.log(truthTable(told.flat()));
console.log(`${within.length} of ${told.length} settings are within ${BOUND * 100} % (at least ${LEAST_SETTINGS})`);
if (told.length === 0)
  console.error("bench: no recording; make some with npm run bench:real-node -- --record --out DIR");
else if (values.write) await writeTruth({ ...whereMade(rounds), compared: told.flat() });
process.exitCode = within.length >= LEAST_SETTINGS ? 0 : 1;
