import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { cruise, type IConfiguration, type ICruiseResult } from "dependency-cruiser";
import { afterEach, beforeEach, expect, test } from "vitest";

const CONFIG = join(import.meta.dirname, "../../../dependency-cruiser.config.mjs");
const { default: config, arrows } = (await import(CONFIG)) as {
  readonly default: Required<Pick<IConfiguration, "forbidden" | "options">>;
  readonly arrows: Readonly<Record<string, readonly string[]>>;
};

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-imports-"));
});

afterEach(() => rm(folder, { recursive: true }));

/** The rules that a tree with these files breaks, each with the two files. */
async function violationsOf(files: Readonly<Record<string, string>>): Promise<string[]> {
  for (const [name, text] of Object.entries({ "tsconfig.json": "{}", ...files })) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  const { forbidden, options } = config;
  const { output } = await cruise(["src"], {
    ...options,
    tsConfig: { fileName: join(folder, "tsconfig.json") },
    baseDir: folder,
    validate: true,
    ruleSet: { forbidden },
    cache: false,
  });
  return (output as ICruiseResult).summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`);
}

test("lint refuses an import from telemetry in simulate, with any number of folders up", async () => {
  const violations = await violationsOf({
    "src/telemetry/signals.ts": "export const signals = 1;\n",
    "src/simulate/engine/run.ts":
      'import { signals } from "../../telemetry/signals.ts";\nexport const run = signals;\n',
  });
  expect(violations).toEqual(["simulate-imports: src/simulate/engine/run.ts → src/telemetry/signals.ts"]);
});

test("lint refuses a cycle, even one of types only", async () => {
  const violations = await violationsOf({
    "src/core/a.ts": 'import type { B } from "./b.ts";\nexport interface A { readonly b: B }\n',
    "src/core/b.ts": 'import type { A } from "./a.ts";\nexport interface B { readonly a: A }\n',
  });
  expect(violations).toContain("no-cycle: src/core/a.ts → src/core/b.ts");
});

test("lint refuses src that imports test, dev or bench, and a core that reads files", async () => {
  const violations = await violationsOf({
    "dev/demo.ts": "export const demo = 1;\n",
    "src/core/plan/plan.ts": 'import { readFileSync } from "node:fs";\nexport const plan = readFileSync;\n',
    "src/server/app.ts": 'import { demo } from "../../dev/demo.ts";\nexport const app = demo;\n',
  });
  expect(violations.toSorted()).toEqual([
    "pure-core: src/core/plan/plan.ts → fs",
    "server-imports: src/server/app.ts → dev/demo.ts",
  ]);
});

test("imports along the arrows of docs/design.md pass", async () => {
  const violations = await violationsOf({
    "src/core/pacer.ts": 'import type { Policy } from "../policy/schema.ts";\nexport type Pacer = Policy;\n',
    "src/policy/schema.ts": "export type Policy = string;\n",
    "src/release/loop.ts": 'import type { Pacer } from "../core/pacer.ts";\nexport type Loop = Pacer;\n',
  });
  expect(violations).toEqual([]);
});

test("lint refuses a folder of src that has no arrows, and src that imports certs", async () => {
  const violations = await violationsOf({
    "certs/make-certs.ts": "export const made = 1;\n",
    "src/core/pacer.ts": 'import { made } from "../../certs/make-certs.ts";\nexport const pacer = made;\n',
    "src/newroom/x.ts": 'import { pacer } from "../core/pacer.ts";\nexport const x = pacer;\n',
  });
  expect(violations.toSorted()).toEqual([
    "core-imports: src/core/pacer.ts → certs/make-certs.ts",
    "listed-folder: src/newroom/x.ts → src/core/pacer.ts",
  ]);
});

test("docs/design.md shows the arrows that lint enforces", async () => {
  const page = await readFile(join(import.meta.dirname, "../../../docs/design.md"), "utf8");
  const words = (cell = "") => [...cell.matchAll(/`(\w+)`/g)].map(([, word = ""]) => word);
  const rows = [...page.matchAll(/^\| `(\w+)` +\|(.*)\|$/gm)].map(([, folder = "", cell]) => [folder, words(cell)]);
  expect(Object.fromEntries(rows)).toEqual(arrows);
});
