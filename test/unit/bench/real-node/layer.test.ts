import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { filesLayer, randomLayer, writeLayer } from "../../../../bench/real-node/layer.ts";
import { parseDirtyBytes, parseDiskStats } from "../../../../bench/real-node/sampler.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "paceline-layer-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const BYTES = 3_000_000;

describe("a synthetic layer", () => {
  it("is the same for the same seed and differs for another", async () => {
    const [first, again, other] = await Promise.all(
      ["a", "a", "b"].map((seed, index) => writeLayer(join(folder, String(index)), randomLayer(seed, BYTES, 3))),
    );
    expect(again).toEqual(first);
    expect(other?.digest).not.toBe(first?.digest);
  });

  it("compresses as specified, and reports its size", async () => {
    const { size } = await writeLayer(join(folder, "layer"), randomLayer("a", BYTES, 3));
    expect(statSync(join(folder, "layer")).size).toBe(size);
    expect(BYTES / size).toBeGreaterThan(2.8);
    expect(BYTES / size).toBeLessThan(3.1);
  });

  it("is an archive that tar unpacks to the same files", async () => {
    const content = Buffer.from("#!/bin/sh\n");
    await writeLayer(join(folder, "layer.tar.gz"), filesLayer([{ name: "pause", content }]));
    execFileSync("tar", ["-xzf", "layer.tar.gz"], { cwd: folder });
    expect(readFileSync(join(folder, "pause"))).toEqual(content);
    expect(statSync(join(folder, "pause")).mode & 0o777).toBe(0o755);
  });
});

describe("the bench's readings of the disk", () => {
  it("reads the device's counters from /proc/diskstats", () => {
    const text =
      "   7       1 loop1 10 1 800 50 20 2 1600 150 3 90 200 0 0 0 0\n   7       0 loop0 1 1 1 1 1 1 1 1 1 1 1\n";
    expect(parseDiskStats(text, "loop1")).toEqual({ ios: 30, waitedMs: 200, busyMs: 90, writtenBytes: 1600 * 512 });
    expect(() => parseDiskStats(text, "loop9")).toThrow("loop9");
  });

  it("adds up dirty pages and those being written", () => {
    expect(parseDirtyBytes("Dirty:   10 kB\nWriteback:   5 kB\nWritebackTmp: 9 kB\n")).toBe(15 * 1024);
  });
});
