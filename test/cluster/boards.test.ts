/** The dashboards: Grafana's schema takes them, and each query has data in a Prometheus that scraped a real run. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { boards } from "../../dev/dashboards/boards.ts";
import { emptyPanels, startWatchedRun } from "../../dev/dashboards/run.ts";
import { grafanaSays } from "../../dev/dashboards/validator.ts";
import { eventually } from "../support/control-plane.ts";
import { hasProgram, temporaryFolder } from "../support/telemetry-programs.ts";

const FOLDER = join(import.meta.dirname, "../../charts/paceline/files/dashboards");

it("Grafana's own schema takes each dashboard, and refuses a field that it does not know", async () => {
  const files = boards.map(({ name }) => join(FOLDER, `${name}.json`));
  expect(await grafanaSays(files)).toBe(files.map((file) => `${file}: valid\n`).join(""));
  const folder = await temporaryFolder();
  const bad = join(folder.path, "bad.json");
  await writeFile(bad, (await readFile(files[0] ?? "", "utf8")).replace('"legendFormat"', '"legendFormatt"'));
  expect(await grafanaSays([bad])).toContain("unexpected field 'legendFormatt'");
  await folder.remove();
});

it.runIf(hasProgram("prometheus"))(
  "each query of each panel has data while the demo's herd is paced, or says why it has none",
  async () => {
    await using run = await startWatchedRun();
    await eventually("every query has data", async () => (await emptyPanels(run, boards)).length === 0).catch(
      () => undefined,
    );
    expect(await emptyPanels(run, boards)).toEqual([]);
  },
);
