/**
 * Rounds of requests: evenly spread and bounded, every node gets its turn, and dead nodes delay no other. A fake clock
 * makes the times exact.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nodeName } from "../../../src/core/ids.ts";
import { startRounds, type RoundsOptions } from "../../../src/telemetry/rounds.ts";
import type { TelemetryTarget } from "../../../src/telemetry/source.ts";

const ends: (() => Promise<void>)[] = [];
beforeEach(() => void vi.useFakeTimers());
afterEach(async () => {
  const over = Promise.all(ends.splice(0).map((end) => end()));
  await vi.runAllTimersAsync();
  await over;
  vi.useRealTimers();
});

const nodes = (count: number, prefix = "n"): TelemetryTarget[] =>
  Array.from({ length: count }, (_, index) => ({
    name: nodeName(`${prefix}${index}`),
    address: undefined,
    paced: true,
  }));
const after = <T>(ms: number, answer: T) => new Promise<T>((resolve) => setTimeout(resolve, ms, answer));
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

function run(
  targets: readonly TelemetryTarget[],
  answer: (name: string) => Promise<boolean>,
  more: Partial<RoundsOptions> = {},
) {
  const asked: { name: string; atMs: number; round: number }[] = [];
  const flight = { now: 0, peak: 0 };
  const ended: number[] = [];
  let round = 0;
  const startMs = performance.now();
  const end = startRounds({
    ...{ intervalMs: 250, rotationMs: 10_000, targets: () => targets, steadyNow: () => performance.now() },
    ...{ random: () => 0.5, beforeRound: () => void (round += 1), onRound: (one) => ended.push(one.asked) },
    async ask({ name }) {
      asked.push({ name, atMs: performance.now() - startMs, round });
      flight.peak = Math.max(flight.peak, (flight.now += 1));
      const answered = await answer(name);
      flight.now -= 1;
      return answered;
    },
    ...more,
  });
  ends.push(end);
  return { asked, flight, end, ended };
}

const turnsOf = (asked: readonly { name: string }[], name: string) => asked.filter((one) => one.name === name).length;

describe("the questions of a round", () => {
  it("are spread over three quarters of the interval: no storm", async () => {
    const { asked, ended } = run(nodes(400), () => Promise.resolve(true), { intervalMs: 1_000 });
    await pass(375);
    // Half of them, with a tolerance for what is due in one look of 20 ms.
    expect(Math.abs(asked.length - 200)).toBeLessThanOrEqual(12);
    await pass(500);
    expect(new Set(asked.map(({ name }) => name)).size).toBe(400);
    expect([asked.length, ended]).toEqual([400, [400]]);
  });

  it("stay within the bound in flight, and every node has a turn in each round, although rounds take longer", async () => {
    const { asked, flight, ended } = run(nodes(200), () => after(20, true), { maxInFlight: 5 });
    // 200 questions of 20 ms, five at a time: 0.8 s a round.
    await pass(4_100);
    expect(flight.peak).toBe(5);
    expect(turnsOf(asked, "n199")).toBeGreaterThanOrEqual(4);
    expect(turnsOf(asked, "n0") - turnsOf(asked, "n199")).toBeLessThanOrEqual(1);
    expect(new Set(ended)).toEqual(new Set([200]));
  });

  it("come in the same order each time, so that a node is asked at even intervals", async () => {
    const { asked } = run(nodes(20), () => Promise.resolve(true));
    await pass(800);
    const order = asked.slice(0, 20).map(({ name }) => name);
    expect(asked.slice(20, 40).map(({ name }) => name)).toEqual(order);
  });

  it("are one per node at a time: a node that still owes an answer misses its turn", async () => {
    const { asked, ended } = run(nodes(3), (name) => after(name === "n1" ? 600 : 1, true));
    await pass(1_300);
    expect(turnsOf(asked, "n1")).toBe(2);
    expect(turnsOf(asked, "n0")).toBe(6);
    expect(ended).toContain(2);
  });

  it("go to nodes that are not paced in rotation, a share in each round, and to paced ones in every round", async () => {
    let answers = 0;
    const { asked } = run([], () => Promise.resolve((answers += 1) > 0), {
      rotationMs: 1_000,
      targets: () => nodes(40).map((node) => ({ ...node, paced: node.name === "n0" && answers >= 40 })),
    });
    const places = () => asked.flatMap(({ name }, place) => (name === "n0" ? [place] : []));
    await pass(2_400);
    // Ten others in each round. The first rotation asks all; then n0 is found, and asked in every round.
    expect(places()[0]).toBe(0);
    expect(places()[1]).toBe(40);
    expect(
      places()
        .slice(2, 5)
        .map((place, index) => place - (places()[index + 1] ?? NaN)),
    ).toEqual([11, 11, 11]);
  });

  it("are shifted a little each time, so that replicas do not synchronise", async () => {
    const chance = [0, 1];
    const { asked } = run(nodes(1), () => Promise.resolve(true), { random: () => chance.shift() ?? 0.5 });
    await pass(600);
    expect(asked.map(({ atMs }) => Math.round(atMs))).toEqual([0, 225, 500]);
  });
});

describe("nodes that do not answer", () => {
  const dead = (name: string) => name.startsWith("dead");

  it("do not delay living nodes once they are known, even if there are hundreds", async () => {
    const { asked, flight } = run([...nodes(600, "dead"), ...nodes(20, "living")], (name) =>
      dead(name) ? after(200, false) : Promise.resolve(true),
    );
    // They are known as dead after two turns. From then on, living nodes have a turn in each interval.
    await pass(1_500);
    const before = turnsOf(asked, "living19");
    await pass(1_500);
    expect(turnsOf(asked, "living19") - before).toBeGreaterThanOrEqual(5);
    expect(flight.peak).toBeLessThanOrEqual(256 + 64);
  });

  it("are asked less often, but not given up", async () => {
    const { asked } = run(nodes(1), () => Promise.resolve(false));
    await pass(5_000);
    expect(asked.slice(0, 5).map(({ round }) => round)).toEqual([1, 2, 4, 8, 12]);
  });

  it("all have their turn, even if there are more than their lane can handle", async () => {
    // Five at a time, 200 ms each: about six in a round, so 24 before the first are due again.
    const { asked } = run(nodes(100, "dead"), () => after(200, false), { maxInFlight: 5 });
    await pass(60_000);
    const turns = nodes(100, "dead").map(({ name }) => turnsOf(asked, name));
    expect(Math.min(...turns)).toBeGreaterThanOrEqual(Math.max(...turns) - 2);
  });
});

it("rounds end, and no node is asked afterwards", async () => {
  const { asked, end } = run(nodes(50), () => after(5, true));
  await pass(100);
  const over = end();
  await pass(5);
  await over;
  const told = asked.length;
  await pass(1_000);
  expect(asked.length).toBe(told);
});
