/** Progress on any output, tested with a fake clock and an output that records. */
import { describe, expect, test } from "vitest";
import { type ProgressOptions, type Tell, withProgress } from "../../../src/cli/progress.ts";
import { type FakeClock, fakeClock } from "../../support/fake-clock.ts";

/** The longest silence that the project promises. */
const MOST_SILENCE_MS = 20_000;

interface Written {
  readonly atMs: number;
  readonly text: string;
}

/** Work that runs until `finish` or `fail`, and the texts that it has written, with their times. */
function begin(options: Omit<ProgressOptions, "clock" | "output"> & { isTTY?: boolean; columns?: number } = {}) {
  const clock: FakeClock = fakeClock(0);
  const written: Written[] = [];
  const { isTTY = false, columns = 200, ...rest } = options;
  const output = { isTTY, columns, write: (text: string) => void written.push({ atMs: clock.now(), text }) };
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let tell: Tell = () => undefined;
  const work = (given: Tell) => {
    tell = given;
    return promise;
  };
  const result = withProgress("building etcd", work, { ...rest, clock, output });
  const texts = () => written.map(({ text }) => text);
  return { clock, written, texts, result, tell: (text: string) => tell(text), finish: () => resolve("done"), fail: reject }; // prettier-ignore
}

describe("without a terminal", () => {
  test("the name is printed at once, with the description of the whole", () => {
    expect(begin().texts()).toEqual(["building etcd …\n"]);
    expect(begin({ detail: "once, about 5 minutes" }).texts()).toEqual(["building etcd: once, about 5 minutes\n"]);
  });

  test("it is never silent for longer than 20 s, and each line has the time and the latest progress", async () => {
    const step = begin();
    for (let second = 0; second < 120; second++) {
      await step.clock.advance(1_000);
      step.tell(`package ${second}`);
    }
    const times = step.written.map(({ atMs }) => atMs);
    expect(times.length).toBeGreaterThan(5);
    for (const [index, atMs] of times.entries()) expect(atMs - (times[index - 1] ?? 0)).toBeLessThan(MOST_SILENCE_MS);
    expect(step.texts()[1]).toBe("building etcd, 10 s so far: package 8\n");
    expect(step.texts().at(-1)).toMatch(/^building etcd, 2 min 0 s so far: package \d+\n$/);
  });

  test("work that blocks the event loop prints when it reports progress, without a timer", () => {
    const texts: string[] = [];
    let nowMs = 0;
    const clock = { now: () => nowMs, setTimer: () => () => undefined };
    const output = { write: (text: string) => void texts.push(text) };
    void withProgress(
      "counting",
      (tell) => {
        for (; nowMs <= 40_000; nowMs += 100) tell(`${nowMs} ms`);
        return Promise.resolve();
      },
      { clock, output },
    );
    expect(texts.slice(0, 3)).toEqual([
      "counting …\n",
      "counting, 10 s so far: 10000 ms\n",
      "counting, 20 s so far: 20000 ms\n",
    ]);
  });

  test("long work reports its end, short work does not, and neither leaves a timer", async () => {
    const short = begin();
    short.finish();
    expect(await short.result).toBe("done");
    expect(short.texts()).toEqual(["building etcd …\n"]);
    expect(short.clock.pending()).toBe(0);
    const long = begin();
    await long.clock.advance(50_000);
    long.finish();
    await long.result;
    expect(long.texts().at(-1)).toBe("building etcd: done after 50 s\n");
    expect(long.clock.pending()).toBe(0);
  });

  test("failed work does not report its end, and its error is passed on", async () => {
    const step = begin();
    await step.clock.advance(50_000);
    step.fail(new Error("no compiler"));
    await expect(step.result).rejects.toThrow("no compiler");
    expect(step.texts().at(-1)).toContain("50 s so far");
    expect(step.clock.pending()).toBe(0);
  });

  test("work that may be quiet for a while prints nothing if it ends within that time", async () => {
    const step = begin({ quietForMs: 2_000 });
    await step.clock.advance(1_900);
    expect(step.texts()).toEqual([]);
    await step.clock.advance(200);
    expect(step.texts()).toEqual(["building etcd, 2 s so far …\n"]);
    await step.clock.advance(MOST_SILENCE_MS);
    expect(step.texts().length).toBeGreaterThan(1);
  });
});

describe("on a terminal", () => {
  const CLEAR = "\r\x1b[2K";

  test("one line overwrites itself, at once on progress and each second for the time; the end clears it", async () => {
    const step = begin({ isTTY: true });
    step.tell("package 1");
    await step.clock.advance(2_000);
    step.finish();
    await step.result;
    expect(step.texts()).toEqual([
      `${CLEAR}building etcd …`,
      `${CLEAR}building etcd: package 1`,
      `${CLEAR}building etcd, 1 s so far: package 1`,
      `${CLEAR}building etcd, 2 s so far: package 1`,
      CLEAR,
    ]);
    expect(step.clock.pending()).toBe(0);
  });

  test("a line that is longer than the terminal is wide is cut, so that it can overwrite itself", () => {
    expect(begin({ isTTY: true, columns: 10 }).texts()).toEqual([`${CLEAR}building `]);
  });
});
