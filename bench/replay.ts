/**
 * `npm run bench:replay -- DIR…`: what `paceline replay` makes of recordings of `npm run bench:real-node -- --record`
 * (in DIR), beside the rounds that were measured there. Exit 1 unless all at once and Paceline are forecast within 25 %
 * on two settings at least, or if nothing can be compared.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { herdsOf } from "../src/recording/herd.ts";
import { parseMachines } from "../src/recording/machines.ts";
import { readRecording } from "../src/recording/read-recording.ts";
import { type HerdReplay, replayHerd } from "../src/replay/replay.ts";
import { parsePolicy } from "../src/policy/parse.ts";
import { aligned } from "../src/simulate/report/table.ts";
import type { Outcome } from "./real-node/outcome.ts";
import { recordingOf } from "./real-node/record.ts";
import { nodeClassOf, settings, type Setting, type Strategy } from "./real-node/settings.ts";

/** What a forecast may be off, as a share of what was measured. */
const BOUND = 0.25;
/** Settings on which all must be within it. */
const LEAST_SETTINGS = 2;

interface Measured {
  readonly setting: Setting;
  readonly outcome: Outcome;
}

const measuredIn = (folder: string): readonly Measured[] =>
  existsSync(join(folder, "rounds"))
    ? readdirSync(join(folder, "rounds")).map(
        (file) => JSON.parse(readFileSync(join(folder, "rounds", file), "utf8")) as Measured,
      )
    : [];

async function replayed(folder: string, { setting, outcome }: Measured): Promise<HerdReplay | undefined> {
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
const offBy = (measured: number, forecast: number) => forecast / measured - 1;
const percent = (share: number) => `${share >= 0 ? "+" : "−"}${Math.round(Math.abs(share) * 100)} %`;

/** Rows of the table, and whether the setting's forecasts are within the bound; undefined: nothing to compare. */
async function compared(folders: readonly string[], name: string) {
  const all = folders.flatMap((folder) => measuredIn(folder).map((one) => ({ folder, ...one })));
  const own = all.filter(({ setting }) => setting.name === name);
  const of = (strategy: Strategy) => own.filter(({ outcome }) => outcome.strategy === strategy);
  const paced = of("paceline").map(({ outcome }) => outcome);
  const rows: string[][] = [];
  const offs: number[] = [];
  for (const round of of("all-at-once")) {
    const replay = await replayed(round.folder, round);
    if (replay === undefined) continue;
    const row = (strategy: string, measured: readonly Outcome[], forecast: HerdReplay["recorded"] | undefined) => {
      const times = [mean(measured.map(({ allReady }) => allReady)), mean(measured.map(({ meanReady }) => meanReady))];
      const given = [forecast?.allReadySeconds, forecast?.meanReadySeconds];
      const off = times.map((time, at) => offBy(time, given[at] ?? NaN));
      offs.push(...off);
      const cells = times.flatMap((time, at) => [
        time.toFixed(1),
        (given[at] ?? NaN).toFixed(1),
        percent(off[at] ?? NaN),
      ]);
      const failed = measured.map(({ failedStarts, pullQpsExceeded }) => failedStarts + pullQpsExceeded).join(", ");
      rows.push([
        `${name} ${round.outcome.round}, ${strategy}`,
        ...cells,
        failed,
        String(forecast?.failedStarts ?? "-"),
      ]);
    };
    row("all at once", [round.outcome], replay.model);
    if (paced.length > 0) row("Paceline", paced, replay.forecast?.given);
    for (const reason of replay.reasons) console.error(`bench: ${name} ${round.outcome.round}: no forecast: ${reason}`);
  }
  return { rows, isWithin: offs.length === 0 ? undefined : offs.every((off) => Math.abs(off) <= BOUND) };
}

const folders = process.argv.slice(2);
const results = [];
for (const name of Object.keys(settings)) results.push(await compared(folders, name));
const head = ["round, strategy", "all Ready, s", "forecast", "off", "mean, s", "forecast", "off", "failed", "forecast"];
console.log(aligned([head, ...results.flatMap(({ rows }) => rows)]));
const within = results.filter(({ isWithin }) => isWithin === true).length;
const told = results.filter(({ isWithin }) => isWithin !== undefined).length;
console.log(`${within} of ${told} settings are within ${BOUND * 100} % (at least ${LEAST_SETTINGS})`);
if (told === 0) console.error("bench: no recording; make some with npm run bench:real-node -- --record --out DIR");
process.exitCode = within >= LEAST_SETTINGS ? 0 : 1;
