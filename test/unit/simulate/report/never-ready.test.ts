/** Reports say plainly that pods can never become Ready, and only then. */
import { expect, test } from "vitest";
import { compare } from "../../../../src/simulate/engine/compare.ts";
import { comparisonTable } from "../../../../src/simulate/report/table.ts";
import { verdictSentence } from "../../../../src/simulate/report/verdict.ts";
import { parseScenario } from "../../../../src/simulate/scenario/parse.ts";

function comparisonOf(keys: string) {
  const parsed = parseScenario(
    `nodes: [{}]\nimages: [{ name: a, mib: 1 }]\nworkloads: [{ name: b, images: [a] }, { name: a, images: [a], ${keys} }]`,
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const { scenario, policy } = parsed;
  return compare({ name: "test", scenario, policy, seed: 1 }).comparison;
}

test("a pod with a missing Secret is named by table, verdict and JSON", () => {
  const comparison = comparisonOf("missingSecret: true");
  const sentence = "1 pod can never become Ready, whatever the strategy";
  expect(comparisonTable(comparison)).toContain(sentence);
  expect(verdictSentence(comparison)).toContain(sentence);
  expect(verdictSentence(comparison)).toContain("With Paceline all other pods were Ready");
  expect(verdictSentence(comparison)).not.toContain("never became");
  expect(comparison.strategies.none).toMatchObject({ unreadyPods: 1, neverReadyPods: 1 });
});

test("without such pods, nothing is said", () => {
  const comparison = comparisonOf("readySeconds: 1");
  expect(comparisonTable(comparison) + verdictSentence(comparison)).not.toContain("never");
  expect(JSON.stringify(comparison)).not.toContain("neverReadyPods");
});
