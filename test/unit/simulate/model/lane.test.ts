import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BackOff } from "../../../../src/simulate/model/back-off.ts";
import { Lane } from "../../../../src/simulate/model/lane.ts";
import { goDuration } from "../../../../src/simulate/model/messages.ts";
import { seededRandom } from "../../../../src/simulate/model/random.ts";
import { TokenBucket } from "../../../../src/simulate/model/token-bucket.ts";

describe("a lane", () => {
  test("finishes the task with the least need first, and equal ones in the order of adding", () => {
    const amounts = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(amounts, (needs) => {
        const lane = new Lane();
        const done: number[] = [];
        for (const [at, need] of needs.entries()) lane.add(need, () => done.push(at));
        for (let task = lane.take(); task !== undefined; task = lane.take()) task.done();
        const expected = [...needs.keys()].sort((a, b) => (needs[a] ?? 0) - (needs[b] ?? 0) || a - b);
        expect(done).toEqual(expected);
      }),
    );
  });

  test("a cancelled task never finishes and no longer counts", () => {
    const lane = new Lane();
    const done: string[] = [];
    const first = lane.add(1, () => done.push("first"));
    lane.add(2, () => done.push("second"));
    lane.cancel(first);
    lane.cancel(first);
    expect(lane.size).toBe(1);
    expect(lane.untilNext()).toBe(2);
    lane.snap();
    lane.takeDue()?.done();
    expect(done).toEqual(["second"]);
    expect(lane.untilNext()).toBe(Infinity);
  });

  test("a task that joins later needs its amount from then on", () => {
    const lane = new Lane();
    lane.add(10, () => undefined);
    lane.advance(4);
    const late = lane.add(10, () => undefined);
    expect(late.target).toBe(14);
  });
});

describe("pull QPS", () => {
  test("allows a full burst at once, then one pull for each interval", () => {
    const bucket = new TokenBucket(5, 10, 0);
    const taken = (nowMs: number, tries: number) =>
      Array.from({ length: tries }, () => bucket.tryTake(nowMs)).filter(Boolean);
    expect(taken(0, 15)).toHaveLength(10);
    expect(taken(199, 3)).toHaveLength(0);
    expect(taken(200, 3)).toHaveLength(1);
    expect(taken(1_200, 9)).toHaveLength(5);
    expect(taken(1_000_000, 30)).toHaveLength(10);
  });

  test("0 means no limit", () => {
    const bucket = new TokenBucket(0, 0, 0);
    expect(bucket.tryTake(0)).toBe(true);
  });
});

describe("back-off", () => {
  test("10 s, doubling to 300 s, forgotten after ten quiet minutes", () => {
    const backOff = new BackOff();
    const delays: number[] = [];
    let nowMs = 0;
    for (let failure = 0; failure < 8; failure += 1) {
      backOff.next(nowMs);
      delays.push(backOff.delayMs / 1_000);
      nowMs += backOff.delayMs;
    }
    expect(delays).toEqual([10, 20, 40, 80, 160, 300, 300, 300]);
    backOff.next(nowMs + 700_000);
    expect(backOff.delayMs).toBe(10_000);
  });

  test("lasts until its time is over, and begins with the first failure", () => {
    const backOff = new BackOff();
    expect(backOff.holdsSince(0, 0)).toBe(false);
    backOff.next(1_000);
    expect(backOff.holdsSinceUpdate(10_999)).toBe(true);
    expect(backOff.holdsSinceUpdate(11_000)).toBe(false);
  });
});

test("equal seeds give equal numbers, different seeds do not", () => {
  const draw = (seed: number) => {
    const random = seededRandom(seed);
    return Array.from({ length: 5 }, random);
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
  for (const value of draw(7)) expect(value >= 0 && value < 1).toBe(true);
});

test.each([
  [0, "0s"],
  [850.9, "850ms"],
  [12_345, "12.345s"],
  [123_500, "2m3.5s"],
  [3_600_000, "1h0m0s"],
])("%d ms as Go prints it: %s", (ms, text) => {
  expect(goDuration(ms)).toBe(text);
});
