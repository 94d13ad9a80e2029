/** `npm run demo`: the herd of issue #1651 twice on a real control plane, without Paceline and with it. */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { findBinaries } from "../control-plane/binaries.ts";
import { type Levers, runHerd } from "./herd.ts";
import { readyPicture } from "./picture.ts";
import { type DemoResult, shortcomings, table } from "./table.ts";
import { type HerdName, HERDS } from "./workload.ts";

const USAGE = `npm run demo [-- --herd ordinary|bare] [--lever gate,extender | --lever gate,fence] [--json]
                 [--picture FILE] [--record DIR]

Runs the herd of awslabs/amazon-eks-ami#1651 on a real control plane with modelled nodes: without Paceline, then with it.
--herd ordinary (the default) has settled nodes with some room, startup probes, init containers and spreading beside it;
--herd bare is the herd alone, for which no other node has room.
--picture FILE draws the pods Ready over time as SVG; --json prints all figures.
--record DIR writes the audit log and the nodes of the run without Paceline, for paceline replay.
Exit 0: pacing helped. Exit 1: it did not; the reasons are on stderr. Exit 2: wrong usage.`;

class UsageError extends Error {}

function readLevers(text: string): Levers {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.filter((name) => !["gate", "extender", "fence"].includes(name));
  if (unknown.length > 0) throw new UsageError(`--lever: "${unknown.join(", ")}" is none of gate, extender, fence`);
  return { gate: names.includes("gate"), extender: names.includes("extender"), fence: names.includes("fence") };
}

function readHerd(text: string): HerdName {
  const name = HERDS.find((one) => one === text);
  if (name === undefined) throw new UsageError(`--herd: "${text}" is none of ${HERDS.join(", ")}`);
  return name;
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        lever: { type: "string", default: "gate,fence" },
        herd: { type: "string", default: "ordinary" },
        record: { type: "string" },
        json: { type: "boolean", default: false },
        picture: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    return { ...values, levers: readLevers(values.lever), herd: readHerd(values.herd) };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function demo(herd: HerdName, levers: Levers, recordTo: string | undefined): Promise<DemoResult> {
  await findBinaries(); // builds them the first time, and says so
  const unpaced = await runHerd("without Paceline", herd, undefined, { recordTo });
  const paced = await runHerd("with Paceline", herd, levers);
  return { herd, unpaced: unpaced.result, paced: paced.result, diskBoundSeconds: paced.boundSeconds };
}

async function main(): Promise<number> {
  const { levers, herd, json, picture, record, help } = readArguments();
  if (help) {
    console.log(USAGE);
    return 0;
  }
  const result = await demo(herd, levers, record);
  console.log(json ? JSON.stringify(result) : table(result));
  if (picture !== undefined) await writeFile(picture, readyPicture(result));
  const missed = shortcomings(result);
  for (const message of missed) console.error(`demo: ${message}`);
  return missed.length > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  console.error(`demo: ${message}${error instanceof UsageError ? `\n\n${USAGE}` : ""}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
