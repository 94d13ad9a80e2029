/**
 * `npm run bench:pacing`: how well Paceline paces, in simulation. Without `--herds` and `--scale` it runs every
 * built-in scenario (pacing-builtin.ts). Names as arguments choose scenarios or herds; `--seeds N` repeats each with
 * seeds 1 to N. Exit code 1: a target is missed; 2: an argument is unusable.
 */
import { parseArgs } from "node:util";
import { UnusableInput } from "./herds/herd.ts";
import { benchBuiltin } from "./pacing-builtin.ts";
import { benchHerds } from "./pacing-herds.ts";
import { benchScale } from "./pacing-scale.ts";

const USAGE = `usage: npm run bench:pacing -- [SCENARIO …] [--seeds N] [--random N]
       npm run bench:pacing -- --herds DIR [HERD …] [--daemonsets-tolerate] [--perturb] [--seeds N]
                               [--only none,paceline,fixed:N,…] [--json]
       npm run bench:pacing -- --scale
`;

process.once("SIGINT", () => {
  process.stderr.write("\nStopped. Nothing was judged.\n");
  process.exit(130);
});

try {
  process.exitCode = (await bench(argumentsOf())) ? 0 : 1;
} catch (error) {
  if (!(error instanceof UnusableInput)) throw error;
  process.stderr.write(`bench:pacing: ${error.message}\n`);
  process.exitCode = 2;
}

type Arguments = ReturnType<typeof argumentsOf>;

function argumentsOf() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        seeds: { type: "string", default: "1" },
        random: { type: "string" },
        scale: { type: "boolean", default: false },
        herds: { type: "string" },
        "daemonsets-tolerate": { type: "boolean", default: false },
        perturb: { type: "boolean", default: false },
        only: { type: "string" },
        json: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new UnusableInput(`${(error as Error).message}\n${USAGE}`);
  }
}

async function bench({ values, positionals: names }: Arguments): Promise<boolean> {
  const seeds = count(values.seeds, "seeds");
  if (values.scale) return benchScale();
  const { herds: folder, only, perturb, json, "daemonsets-tolerate": daemonSetsTolerate } = values;
  if (folder !== undefined) return benchHerds({ folder, names, seeds, only, daemonSetsTolerate, perturb, json });
  if (only !== undefined || perturb || json || daemonSetsTolerate) {
    throw new UnusableInput(`--only, --perturb, --json and --daemonsets-tolerate need --herds DIR\n${USAGE}`);
  }
  return benchBuiltin({
    names,
    seeds,
    random: values.random === undefined ? undefined : count(values.random, "random"),
  });
}

function count(text: string, name: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text))
    throw new UnusableInput(`--${name} is a whole number from 1, not ${JSON.stringify(text)}`);
  return Number(text);
}
