import { describe, expect, it } from "vitest";
import { runCampaign } from "../../../bench/faults/campaign.ts";
import { bugs } from "../../../bench/faults/bugs.ts";
import { described } from "../../../bench/faults/described.ts";
import { runSchedule } from "../../../bench/faults/run.ts";
import { scheduleOf } from "../../../bench/faults/schedule.ts";
import { shrink } from "../../../bench/faults/shrink.ts";

const told = ({ schedule, violation }: Awaited<ReturnType<typeof runSchedule>>) =>
  `seed ${schedule.seed}: ${violation?.invariant ?? ""}: ${violation?.detail ?? ""}`;

describe("faults", () => {
  it("keeps every promise in 200 runs in which network, clocks, nodes and replicas fail", async () => {
    const { failures, virtualHours } = await runCampaign({ firstSeed: 1, seeds: 200 });
    expect(failures.map(told)).toEqual([]);
    expect(virtualHours).toBeGreaterThan(20);
  }, 900_000); // about a minute of CPU; the guard is for machines that do much else

  it("gives the same log for the same seed, and another one for another seed", async () => {
    const [first, again, other] = [await run(7), await run(7), await run(8)];
    expect(again.digest).toBe(first.digest);
    expect(again.trace).toEqual(first.trace);
    expect(other.digest).not.toBe(first.digest);
  });

  it("finds a deliberate bug, and prints the few steps that it needs", async () => {
    const bug = bugs.find(({ name }) => name === "lose a deleted node");
    const { failures } = await runCampaign({ firstSeed: 1, seeds: 200, bug, mostFailures: 1 });
    const [failure] = failures;
    if (!failure) throw new Error("the bug was not found");
    const smaller = await shrink(failure, bug);
    expect(smaller.schedule.steps.length).toBeLessThanOrEqual(5);
    const text = described(smaller).split("\n");
    expect(text).toContainEqual(expect.stringMatching(/^seed \d+: allStateIsInTheApiServer at \d+\.\d{3} s$/));
    expect(text).toContainEqual(expect.stringMatching(/^ +\d+\.\d{3} s {2}leave/));
  });
});

const run = (seed: number) => runSchedule(scheduleOf(seed));
