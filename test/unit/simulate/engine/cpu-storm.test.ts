/** Start-up work that shares the cores (kube-throttler#57): images are there, so sandboxes alone cost nothing. */
import { expect, it } from "vitest";
import { runStrategy } from "../../../../src/simulate/engine/run.ts";
import { builtinText } from "../../../../src/simulate/scenario/builtin.ts";
import { parseScenario } from "../../../../src/simulate/scenario/parse.ts";

it("pods whose images are there and that need cores to come up do not start together on the word of an idle sample", () => {
  const parsed = parseScenario(builtinText("morning-cpu") ?? "");
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const { scenario, policy } = parsed;
  const { result } = runStrategy({ scenario, strategy: { kind: "paceline", policy }, seed: 1 });
  expect(result).toMatchObject({ startErrors: 0, restarts: 0, unreadyPods: 0 });
});
