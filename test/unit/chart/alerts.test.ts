/** The chart's alerts: Prometheus takes them, each has its place in the docs, and each fires when it should. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse } from "yaml";
import { expect, it } from "vitest";
import { createMetrics } from "../../../src/server/metrics.ts";
import { testApp } from "../../support/app.ts";
import { hasProgram } from "../../support/telemetry-programs.ts";

const ROOT = join(import.meta.dirname, "../../..");
const RULES = join(ROOT, "charts/paceline/files/alerts.yaml");
const CASES = join(import.meta.dirname, "alerts.promtool.yaml");
const hasPromtool = hasProgram("promtool");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
}
const read = async (path: string) => await readFile(path, "utf8");
const { groups } = parse(await read(RULES)) as { groups: readonly { rules: readonly Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const page = await read(join(ROOT, "docs/monitoring.md"));

const promtool = async (...args: string[]) => {
  const { stdout, stderr } = await promisify(execFile)("promtool", args);
  return stdout + stderr;
};

it("each alert is a heading of docs/monitoring.md, in the same order, and its runbook link leads there", () => {
  const [, alerts = ""] = page.split("\n## Alerts\n");
  const headings = [...alerts.matchAll(/^### (\S+)$/gm)].map(([, heading]) => heading);
  expect(headings).toEqual(rules.map(({ alert }) => alert));
  for (const { alert, annotations } of rules) {
    expect(annotations["runbook_url"]).toBe(`docs/monitoring.md#${alert.toLowerCase()}`);
  }
});

it("each alert asks for metrics that exist", () => {
  const known = createMetrics().registry.getMetricsAsArray();
  const names = known.flatMap(({ name }) => [name, `${name}_bucket`]);
  const asked = rules.flatMap(({ expr }) => [...expr.matchAll(/paceline_\w+/g)].map(([name]) => name));
  expect(asked.length).toBeGreaterThan(8);
  expect(asked.filter((name) => !names.includes(name))).toEqual([]);
});

it("each alert is tested, both to fire and not to", async () => {
  interface Case {
    readonly alertname: string;
    readonly exp_alerts?: readonly unknown[];
  }
  const { tests } = parse(await read(CASES)) as { tests: readonly { alert_rule_test?: readonly Case[] }[] };
  const cases = tests.flatMap((one) => one.alert_rule_test ?? []);
  const tested = (fires: boolean) =>
    new Set(cases.filter((one) => (one.exp_alerts !== undefined) === fires).map(({ alertname }) => alertname));
  const all = new Set(rules.map(({ alert }) => alert));
  expect(tested(true)).toEqual(all);
  expect(tested(false)).toEqual(all);
});

it.runIf(hasPromtool)("promtool takes the rules, and each fires when it should", async () => {
  expect(await promtool("check", "rules", RULES)).toContain(`${rules.length} rules found`);
  expect(await promtool("test", "rules", CASES)).toContain("SUCCESS");
});

it("a series that counts failures is there before the first: Prometheus sees a rise only from one value to another", async () => {
  const text = await createMetrics().registry.metrics();
  expect(text).toContain('paceline_handler_failures_total{handler="mutate-pods"} 0');
  expect(text).toContain('paceline_write_failures_total{kind="release"} 0');
});

it.runIf(hasPromtool)("promtool finds nothing wrong with the names and helps of our metrics", async () => {
  const answer = await testApp().app.inject({ method: "GET", url: "/metrics" });
  const folder = await mkdtemp(join(tmpdir(), "paceline-metrics-"));
  await writeFile(join(folder, "metrics"), answer.body);
  // Ends with 3 and says what is wrong, or with 0.
  const run = promisify(execFile)("sh", ["-c", `promtool check metrics < ${join(folder, "metrics")}`]);
  await expect(run.finally(() => rm(folder, { recursive: true }))).resolves.toEqual({ stdout: "", stderr: "" });
});
