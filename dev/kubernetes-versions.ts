/**
 * `npm run test:kubernetes -- 1.34 [files]`: the tests in which the API server's version matters, on the control
 * plane of that version, which is built first where it is missing. A run of all of them goes into docs/versions.md.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import prettier from "prettier";
import { buildBinaries, kubernetesOf, versions } from "./control-plane/build.ts";

const ROOT = join(import.meta.dirname, "..");
const PAGE = join(ROOT, "docs/versions.md");

/**
 * Every lever, both admission policies, the chart with its upgrades, and the second scheduler. Left out: what runs the
 * same code against the same API again (diagnose, telemetry, browser, herds of a size).
 */
const FILES = [
  ...["control-plane", "reflector", "writes", "gate", "fence", "selection", "release", "leader", "extender"],
  ...["policy-live", "others-pods", "preemption", "room-elsewhere", "toleration-policy", "doctor", "sandbox-events"],
].map((name) => `test/cluster/${name}.test.ts`);
const CHART_FILES = ["chart", "upgrade", "lifecycle", "exempt-policy", "account-policies", "annotation-policy"].map(
  (name) => `test/chart/${name}.test.ts`,
);

/** What a version lacks, and the file that tests just that. */
const LACKING: readonly { readonly before: string; readonly file: string; readonly what: string }[] = [
  { before: "1.36", file: "test/chart/exempt-policy.test.ts", what: "MutatingAdmissionPolicy v1 came with 1.36" },
];

const byVersion = (a: string, b: string) => a.localeCompare(b, "en", { numeric: true });

function lackingIn(version: string) {
  return LACKING.filter(({ before }) => byVersion(version, before) < 0);
}

/** The files that are run on a version. */
export function filesFor(version: string): string[] {
  return [...FILES, ...CHART_FILES].filter((file) => !lackingIn(version).some((lacking) => lacking.file === file));
}

/** Vitest's JSON report, as far as it is read here. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/** The tests of a run, without those of files that the version cannot run. */
function testsOf(version: string, { testResults }: Report) {
  const ran = testResults.filter(({ name }) => !lackingIn(version).some(({ file }) => name.endsWith(file)));
  return ran.flatMap(({ assertionResults }) => assertionResults);
}

/** One row of the table. @param today as YYYY-MM-DD */
export function versionRow(version: string, report: Report, today: string, commit: string): string {
  const statuses = testsOf(version, report).map(({ status }) => status);
  const count = (wanted: string) => statuses.filter((status) => status === wanted).length;
  const [passed, failed] = [count("passed"), count("failed")];
  const skipped = statuses.length - passed - failed;
  return `| ${version} | ${kubernetesOf(version)} | ${passed} | ${failed} | ${skipped} | ${today}, \`${commit}\` |`;
}

/** Below the table: each test that was skipped or failed, and each file that was left out, by name. */
export function versionNotes(version: string, report: Report): string[] {
  const notPassed = testsOf(version, report)
    .filter(({ status }) => status !== "passed")
    .map(({ fullName, status }) => `- ${version}, ${status === "failed" ? "failed" : "skipped"}: ${fullName}.`);
  return [...lackingIn(version).map(({ file, what }) => `- ${version}, left out: \`${file}\`; ${what}.`), ...notPassed];
}

/** The page with this version's row and notes in place of those that it had. */
export function withRun(page: string, version: string, row: string, notes: readonly string[]): string {
  const belongs = (line: string) =>
    new RegExp(`^(\\| ${version} |- ${version}, (failed|skipped|left out):)`).test(line);
  const [head = "", rest = ""] = page.split("<!-- runs -->\n");
  const [runs = "", tail = ""] = rest.split("<!-- end of runs -->");
  const kept = joined(runs).filter((line) => line !== "" && !belongs(line));
  const rows = [...kept.filter((line) => /^\| \d/.test(line)), row].sort(byVersion);
  const title = kept.filter((line) => /^\| (?!\d)/.test(line));
  const lines = [...kept.filter((line) => line.startsWith("- ")), ...notes].sort(byVersion);
  const table = [...title, ...rows].join("\n");
  return `${head}<!-- runs -->\n\n${table}\n\n${lines.join("\n")}\n\n<!-- end of runs -->${tail}`;
}

/** Lines, with list items that were wrapped as one each; cells without padding. */
function joined(text: string): string[] {
  return text
    .replace(/\n {2}/g, " ")
    .split("\n")
    .map((line) => line.replace(/ +\|/g, " |").replace(/\| +/g, "| "));
}

async function run(version: string, files: readonly string[], output: string): Promise<number> {
  const reports = ["--reporter=default", "--reporter=json", `--outputFile.json=${output}`];
  const args = ["vitest", "run", "--project", "cluster", "--project", "chart", ...reports, ...files];
  const env = { ...process.env, PACELINE_KUBERNETES: version };
  const [code] = (await once(spawn("npx", args, { cwd: ROOT, env, stdio: "inherit" }), "exit")) as [number | null];
  return code ?? 1;
}

async function main(): Promise<number> {
  const [version = "", ...files] = process.argv.slice(2);
  if (!versions().includes(version)) {
    console.error(`say which Kubernetes: one of ${versions().join(", ")}`);
    return 2;
  }
  await buildBinaries({ ...process.env, PACELINE_KUBERNETES: version });
  const output = join(ROOT, `out/kubernetes-${version}.json`);
  const code = await run(version, files.length > 0 ? files : filesFor(version), output);
  if (files.length === 0 && existsSync(output))
    await write(version, JSON.parse(readFileSync(output, "utf8")) as Report);
  return code;
}

async function write(version: string, report: Report): Promise<void> {
  const commit = spawnSync("git", ["rev-parse", "--short", "HEAD"], { cwd: ROOT, encoding: "utf8" }).stdout.trim();
  const row = versionRow(version, report, new Date().toISOString().slice(0, 10), commit);
  const page = withRun(readFileSync(PAGE, "utf8"), version, row, versionNotes(version, report));
  const options = await prettier.resolveConfig(PAGE);
  writeFileSync(PAGE, await prettier.format(page, { ...options, parser: "markdown", proseWrap: "always" }));
}

if (import.meta.main) process.exitCode = await main();
