/** The matrix of Kubernetes versions: which can be built, and how a run comes into docs/versions.md. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { DEFAULT_VERSION, kubernetesOf, versions, wantedVersion } from "../../../dev/control-plane/build.ts";
import { filesFor, versionNotes, versionRow, withRun } from "../../../dev/kubernetes-versions.ts";

const root = join(import.meta.dirname, "../../..");

describe("versions that can be built", () => {
  it("begin with the lowest that the chart claims, and each is a release of its own name", () => {
    const chart = parse(readFileSync(join(root, "charts/paceline/Chart.yaml"), "utf8")) as { kubeVersion: string };
    const [lowest] = versions();
    expect(chart.kubeVersion).toBe(`>=${lowest}.0-0`);
    for (const version of versions()) expect(kubernetesOf(version)).toMatch(new RegExp(`^v${version}\\.\\d+$`));
  });

  it("are named where another is asked for", () => {
    expect(wantedVersion({})).toBe(DEFAULT_VERSION);
    expect(wantedVersion({ PACELINE_KUBERNETES: "1.34" })).toBe("1.34");
    expect(() => wantedVersion({ PACELINE_KUBERNETES: "1.2" })).toThrow(`there is ${versions().join(", ")}`);
  });
});

it("what a version lacks is left out by name, and nothing of the version that CI runs", () => {
  expect(filesFor("1.34")).not.toContain("test/chart/exempt-policy.test.ts");
  expect(filesFor(DEFAULT_VERSION)).toContain("test/chart/exempt-policy.test.ts");
  for (const file of filesFor(DEFAULT_VERSION)) expect(existsSync(join(root, file)), file).toBe(true);
  expect(versionNotes("1.34", { testResults: [] })[0]).toMatch(/^- 1\.34, left out: `test\/chart\/exempt-policy/);
  expect(versionNotes(DEFAULT_VERSION, { testResults: [] })).toEqual([]);
});

describe("docs/versions.md", () => {
  const page = readFileSync(join(root, "docs/versions.md"), "utf8");
  const report = (passed: number, ...failed: string[]) => {
    const results = [
      ...Array.from({ length: passed }, () => ["a", "passed"]),
      ...failed.map((name) => [name, "failed"]),
    ];
    const assertionResults = results.map(([fullName = "", status = ""]) => ({ fullName, status }));
    return { testResults: [{ name: "/x/test/cluster/gate.test.ts", assertionResults }] };
  };
  const after = (before: string, version: string, of: ReturnType<typeof report>) =>
    withRun(before, version, versionRow(version, of, "2026-11-29", "abc1234"), versionNotes(version, of));

  it("gets one row for each version, in order, with the failures of its last run by name", () => {
    const first = after(after(page, "1.36", report(9)), "1.34", report(7, "gate holds"));
    expect(first).toMatch(
      /\| 1\.34 \| v1\.34\.\d+ \| 7 \| 1 \| 0 \| .*\n(.*\n)*\| 1\.36 \| v1\.36\.\d+ \| 9 \| 0 \| 0 \|/,
    );
    expect(first).toContain("- 1.34, failed: gate holds.");
    const second = after(first, "1.34", report(8));
    expect(second).not.toContain("gate holds");
    expect(second.match(/\| 1\.34 \|/g)).toHaveLength(1);
    expect(after(second, "1.34", report(8))).toBe(second);
  });
});
