/**
 * A herd in an ordinary cluster, with room on other nodes than the young one, or a node that opens late (issue 19): the
 * built-in scenarios, each all at once and with Paceline's defaults.
 */
import { describe, expect, it } from "vitest";
import { runStrategy } from "../../../../src/simulate/engine/run.ts";
import type { Strategy } from "../../../../src/simulate/engine/strategy.ts";
import { builtinText } from "../../../../src/simulate/scenario/builtin.ts";
import { parseScenario } from "../../../../src/simulate/scenario/parse.ts";

function runs(name: string) {
  const parsed = parseScenario(builtinText(name) ?? "");
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const { scenario, policy } = parsed;
  const run = (strategy: Strategy) => runStrategy({ scenario, strategy, seed: 1 }).result;
  return { none: run({ kind: "none" }), paceline: run({ kind: "paceline", policy }) };
}

const PACED = ["room-elsewhere", "standby-nodes", "rolling-upgrade", "uncordon", "gpu-late"];

describe.each(PACED)("%s", (name) => {
  const { none, paceline } = runs(name);

  it("has no failed start with Paceline, and every pod is Ready", () => {
    expect(paceline).toMatchObject({ startErrors: 0, unreadyPods: 0 });
  });

  it("takes no longer than 1.05 times all at once, and a mean below it", () => {
    expect(paceline.makespanSeconds).toBeLessThanOrEqual(1.05 * none.makespanSeconds);
    expect(paceline.meanReadySeconds).toBeLessThan(none.meanReadySeconds);
  });

  it("lets no node start as many at once as it would have to all at once", () => {
    expect(paceline.peakInStartup).toBeLessThan(none.peakInStartup);
  });
});

describe.each(["uncordon", "gpu-late"])("%s, a late opening", (name) => {
  const { none, paceline } = runs(name);

  it("has failed starts all at once, and is paced to less than half as many at a time", () => {
    expect(none.startErrors).toBeGreaterThan(0);
    expect(paceline.peakInStartup).toBeLessThan(none.peakInStartup / 2);
  });
});

describe.each(["rollout", "rollout-small"])("%s, an ordinary one", (name) => {
  const { none, paceline } = runs(name);

  it("is not held back at all", () => {
    expect(paceline.longestHoldSeconds).toBeCloseTo(none.longestHoldSeconds, 1); // kube-scheduler takes its time, too
    expect(paceline.makespanSeconds).toBeLessThanOrEqual(1.02 * none.makespanSeconds);
  });
});
