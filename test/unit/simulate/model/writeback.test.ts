/**
 * If flushes do not take all dirty pages along, the kernel's own writeback decides what is written and which tasks
 * wait.
 */
import { describe, expect, test } from "vitest";
import { DIRTY_EXPIRE_MS, MIB } from "../../../../src/simulate/model/constants.ts";
import { Flow } from "../../../../src/simulate/model/flow.ts";
import type { RuntimeFlushes } from "../../../../src/simulate/model/types.ts";
import { plainCapacity, plainNode, podOf, run } from "./one-node.ts";

const flowOf = (backgroundBytes: number) =>
  new Flow({ ...plainCapacity, flushShare: 1, dirtyLimitBytes: 15_000, backgroundBytes }, 0);

/** A flow with this many bytes, dirtied as fast as the page cache takes them. */
function dirtied(bytes: number, backgroundBytes = 10_000): Flow {
  const flow = flowOf(backgroundBytes);
  flow.add("smallWrite", bytes, () => undefined);
  return flow;
}

/** When a flush that begins at `atMs` ends. */
function flushed(flow: Flow, ownBytes: number, atMs: number): number | undefined {
  let doneMs: number | undefined;
  flow.settle(atMs);
  flow.flush(ownBytes, () => (doneMs = flow.nowMs));
  flow.settle(atMs + 1_000);
  return doneMs;
}

test("below the limit nothing is written, and the disk is idle", () => {
  const flow = dirtied(14_000);
  flow.settle(1_000);
  expect(flow.dirtyBytes).toBe(14_000);
  expect(flow.rates()).toMatchObject({ written: 0, busy: 0, awaitMs: 1 });
});

test("a flush waits for its own bytes, and leaves the others dirty", () => {
  const flow = dirtied(5_000);
  expect(flushed(flow, 2_000, 100)).toBeCloseTo(120);
  expect(flow.dirtyBytes).toBeCloseTo(3_000);
});

test("a flush that takes everything along waits for everything", () => {
  const flow = dirtied(5_000, 0);
  flow.settle(5);
  const { dirtyBytes } = flow;
  expect(flushed(flow, 0, 5)).toBeCloseTo(5 + dirtyBytes / 100);
  expect(flow.dirtyBytes).toBe(0);
});

test("at the limit the kernel writes down to the threshold, writers get the disk's rate, and small flushes wait", () => {
  const flow = dirtied(20_000);
  flow.settle(16);
  expect(flow.rates()).toMatchObject({ throttled: true, inflow: 100, written: 100 });
  // The last 5,000 bytes come in at the disk's rate until 65 ms; then 5,000 more are written.
  expect(flushed(flow, 0, 20)).toBeCloseTo(115);
  expect(flow.dirtyBytes).toBeCloseTo(10_000);
});

test("bytes that stay dirty are written once they are old, and then nothing more happens", () => {
  const flow = dirtied(5_000);
  flow.settle(DIRTY_EXPIRE_MS);
  expect(flow.dirtyBytes).toBe(5_000);
  flow.settle(DIRTY_EXPIRE_MS + 1_000);
  expect(flow.dirtyBytes).toBe(0);
  flow.settle(10 * DIRTY_EXPIRE_MS);
  expect(flow.nextMs()).toBe(Infinity);
});

describe("an image of 300 MiB in three layers, 150 MiB compressed", () => {
  const image = "example.com/app:1";
  const started = (runtimeFlushes?: RuntimeFlushes) => {
    const node = plainNode({ images: [{ name: image, mib: 300, layers: 3, compressedRatio: 0.5 }], runtimeFlushes });
    node.addPod(podOf("a", image), 0);
    const readySeconds = run(node, 20).readySeconds("a") ?? Infinity;
    const { disk, memory } = node.counters(20_000);
    return { readySeconds, written: disk.writtenBytes / MIB, dirty: memory.dirtyBytes / MIB };
  };

  test("containerd that flushes its own files waits for the blobs only; the layers stay in memory", () => {
    const { readySeconds, written, dirty } = started("files");
    expect(written).toBeCloseTo(150);
    expect(dirty).toBeCloseTo(300);
    expect(readySeconds).toBeLessThan(started().readySeconds);
  });

  test("by default it waits for everything", () => {
    expect(started()).toEqual(started("file-system"));
    expect(started()).toMatchObject({ written: 450, dirty: 0 });
  });
});
