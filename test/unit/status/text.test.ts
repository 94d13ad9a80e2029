/** What `paceline status` prints of nodes. */
import { expect, test } from "vitest";
import { nodeName } from "../../../src/core/ids.ts";
import type { StatusAnswer } from "../../../src/server/answers.ts";
import { statusProblems, statusText } from "../../../src/status/text.ts";
import { aNode, anOldNode, START_MS } from "../../support/core-facts.ts";
import { CORDON_TAINT, pacerWith } from "../../support/core-plan.ts";

/** The line of each node. */
function linesOf(...nodes: readonly ReturnType<typeof aNode>[]): string[] {
  const status = pacerWith(nodes, []).status(START_MS);
  const leader = { holder: "p-1", alive: true, leading: true };
  const answer: StatusAnswer = { ...status, leader, policyValid: true, synced: true, version: "0" };
  return statusText(answer, [])
    .split("\n")
    .filter((line) => nodes.some(({ name }) => line.startsWith(name)));
}

test("a young node has the time until which it is young, in UTC", () => {
  const until = new Date(START_MS + 600_000).toISOString().slice(11, 19);
  expect(linesOf(aNode("n1", { readySinceMs: START_MS }))).toEqual([
    expect.stringMatching(new RegExp(`^n1 +young until ${until}Z `)),
  ]);
});

test("webhooks that the API server does not reach are a problem, once pods have come unasked for five minutes", () => {
  const leader = { holder: "p-1", alive: true, leading: true };
  const problems = (silentSeconds: number) =>
    statusProblems({
      ...pacerWith([], []).status(START_MS),
      leader,
      policyValid: true,
      synced: true,
      version: "0",
      silentSeconds,
    });
  expect(problems(300)).toEqual([]);
  expect(problems(301)).toEqual([expect.stringContaining("does not reach the webhook")]);
});

test("a cordoned node has none", () => {
  const cordoned = { unschedulable: true, taints: [CORDON_TAINT] };
  expect(linesOf(anOldNode("n1", cordoned))).toEqual([expect.stringMatching(/^n1 +cordoned {2,}/)]);
});

test("the IOPS that a node's disk completes stand beside those that it is given", () => {
  const pacer = pacerWith([aNode("n1", { readySinceMs: START_MS })], [], {
    nodeClasses: [{ name: "c", diskIOPS: 3000 }],
  });
  pacer.observeSample(nodeName("n1"), { atMs: START_MS, iops: 2_949.6 }, START_MS);
  const leader = { holder: "p-1", alive: true, leading: true };
  const answer = { ...pacer.status(START_MS), leader, policyValid: true, synced: true, version: "0" };
  expect(statusText(answer, [])).toMatch(/AWAIT +IOPS[^]+^n1 .* 2950\/3000 /m);
});
