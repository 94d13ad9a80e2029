/** The herd as scenario files for `paceline simulate`: they agree with the settings. */
import { describe, expect, it } from "vitest";
import { scenarioOf } from "../../../../bench/real-node/scenario.ts";
import { settings } from "../../../../bench/real-node/settings.ts";
import { parseScenario } from "../../../../src/simulate/scenario/parse.ts";

describe.each(Object.values(settings))("the scenario of $name", (setting) => {
  it("equals the file beside the bench (npx vitest -u rewrites it)", async () => {
    await expect(scenarioOf(setting)).toMatchFileSnapshot(`../../../../bench/real-node/scenarios/${setting.name}.yaml`);
  });

  it("is valid for paceline simulate", () => {
    expect(parseScenario(scenarioOf(setting))).toMatchObject({ ok: true });
  });
});
