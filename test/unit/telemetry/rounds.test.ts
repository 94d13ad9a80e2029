/** Rounds of questions: evenly spread, bounded, everybody's turn, and the dead delay nobody. */
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { nodeName } from "../../../src/core/units.ts";
import { startRounds, type RoundsOptions } from "../../../src/telemetry/rounds.ts";
import type { TelemetryTarget } from "../../../src/telemetry/source.ts";

const nodes = (count: number, prefix = "n"): TelemetryTarget[] =>
  Array.from({ length: count }, (_, index) => ({
    ...{ name: nodeName(`${prefix}${index}`), address: undefined, paced: true },
  }));
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function run(
  targets: readonly TelemetryTarget[],
  answer: (name: string) => Promise<boolean>,
  more: Partial<RoundsOptions> = {},
) {
  const asked: { name: string; atMs: number }[] = [];
  const flight = { now: 0, peak: 0 };
  const startMs = performance.now();
  const end = startRounds({
    ...{ intervalMs: 250, rotationMs: 10_000, targets: () => targets, steadyNow: () => performance.now() },
    async ask({ name }) {
      asked.push({ name, atMs: performance.now() - startMs });
      flight.peak = Math.max(flight.peak, (flight.now += 1));
      const answered = await answer(name);
      flight.now -= 1;
      return answered;
    },
    ...more,
  });
  onTestFinished(end);
  return { asked, flight, end };
}

const turnsOf = (asked: readonly { name: string }[], name: string) => asked.filter((one) => one.name === name).length;

describe("the questions of a round", () => {
  it("are spread over the interval: no storm", async () => {
    const { asked } = run(nodes(400), () => Promise.resolve(true), { intervalMs: 1_000 });
    await pause(400);
    // About half of three quarters of the second have passed.
    expect(asked.length).toBeGreaterThan(100);
    expect(asked.length).toBeLessThan(320);
    await vi.waitFor(() => expect(asked.length).toBeGreaterThanOrEqual(400), { timeout: 3_000 });
    expect(new Set(asked.slice(0, 400).map(({ name }) => name)).size).toBe(400);
  });

  it("stay within the bound in flight, and the last in order has its turn although rounds take longer", async () => {
    const { asked, flight } = run(nodes(200), () => pause(20).then(() => true), { intervalMs: 250, maxInFlight: 5 });
    await vi.waitFor(() => expect(turnsOf(asked, "n199")).toBeGreaterThanOrEqual(2), { timeout: 5_000 });
    expect(flight.peak).toBeLessThanOrEqual(5);
    expect(turnsOf(asked, "n0") - turnsOf(asked, "n199")).toBeLessThanOrEqual(1);
  });

  it("come in the same order each time, so that a node is asked at even distances", async () => {
    const { asked } = run(nodes(20), () => Promise.resolve(true));
    await vi.waitFor(() => expect(asked.length).toBeGreaterThanOrEqual(60), { timeout: 3_000 });
    const order = asked.slice(0, 20).map(({ name }) => name);
    expect(asked.slice(20, 40).map(({ name }) => name)).toEqual(order);
  });
});

describe("nodes that do not answer", () => {
  it("by the hundred delay no living one once they are known", async () => {
    const dead = nodes(600, "dead");
    const living = nodes(20, "living");
    const { asked, flight } = run([...dead, ...living], (name) =>
      name.startsWith("dead") ? pause(200).then(() => false) : Promise.resolve(true),
    );
    // Known as dead after two turns; from then on the living have a turn in each interval.
    await vi.waitFor(() => expect(turnsOf(asked, "living19")).toBeGreaterThanOrEqual(3), { timeout: 8_000 });
    const before = turnsOf(asked, "living19");
    await pause(1_500);
    expect(turnsOf(asked, "living19") - before).toBeGreaterThanOrEqual(4);
    expect(flight.peak).toBeLessThanOrEqual(256 + 64);
  });

  it("are asked less often, but not given up", async () => {
    const { asked } = run(nodes(1), () => Promise.resolve(false));
    await pause(3_000);
    expect(turnsOf(asked, "n0")).toBeGreaterThanOrEqual(3);
    expect(turnsOf(asked, "n0")).toBeLessThanOrEqual(7);
  });
});

it("rounds end: nobody is asked afterwards", async () => {
  const { asked, end } = run(nodes(50), () => pause(5).then(() => true));
  await pause(100);
  await end();
  const told = asked.length;
  await pause(400);
  expect(asked.length).toBe(told);
});
