import fc from "fast-check";
import { expect, it } from "vitest";
import { overTimeOf } from "../../../src/diagnose/findings/over-time.ts";
import type { FailureReport } from "../../../src/diagnose/findings/sink.ts";
import { pictureWords } from "../../../src/diagnose/report/picture.ts";
import { findingsOf } from "../../../src/diagnose/findings/findings.ts";
import { Tally } from "../../../src/diagnose/findings/tally.ts";

const failure = (node: string, atMs: number): FailureReport => ({
  source: "event",
  fingerprint: "SandboxDeadline",
  misconfigured: false,
  atMs,
  node,
  namespace: "",
  pod: "",
  uid: "",
  container: "",
  attempt: undefined,
  containerId: "",
  finishedAt: "",
  place: undefined,
  image: "",
  owner: "",
  message: "",
});

const failures = fc.array(
  fc
    .record({ node: fc.nat(20), atMs: fc.integer({ min: 1.7e12, max: 1.9e12 }) })
    .map(({ node, atMs }) => failure(`n${node}`, atMs)),
  { maxLength: 60 },
);

it("every failure is in one square, or among the nodes that are left out; the picture has no more bins than a screen shows", () => {
  fc.assert(
    fc.property(failures, (all) => {
      const { nodes, startsMs, others } = overTimeOf(all);
      const drawn = nodes.flatMap(({ counts }) => counts).reduce((sum, count) => sum + count, 0);
      expect(drawn + others.failures).toBe(all.length);
      expect(nodes.length).toBeLessThanOrEqual(12);
      expect(startsMs.length).toBeLessThanOrEqual(122);
      for (const { counts } of nodes) expect(counts.length).toBe(startsMs.length);
    }),
  );
});

it("says what one square stands for", () => {
  const tally = new Tally(3_600_000, { sinceMs: undefined, untilMs: undefined });
  for (const minute of [0, 50]) tally.failure(failure(`n${minute}`, Date.UTC(2026, 10, 24, 8, minute)));
  expect(pictureWords(findingsOf(tally))).toMatch(/^A square is 30 seconds: /);
});
