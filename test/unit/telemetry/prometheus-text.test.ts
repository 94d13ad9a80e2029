import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseLine, prometheusTextReader } from "../../../src/telemetry/prometheus-text.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const wanted = new Set(["node_disk_reads_completed_total", "node_load1"]);

describe("one line", () => {
  it.each([
    ["node_load1 0.5", { name: "node_load1", labels: {}, value: 0.5 }],
    ["node_load1 1e+06 1395066363000", { name: "node_load1", labels: {}, value: 1e6 }],
    ["node_load1{} 3", { name: "node_load1", labels: {}, value: 3 }],
    ["node_load1\t+Inf", { name: "node_load1", labels: {}, value: Infinity }],
    ['node_load1{a="x",} 1', { name: "node_load1", labels: { a: "x" }, value: 1 }],
    [
      String.raw`node_load1{ a = "q\"uote\\ \n }" , b="2" } -4`,
      { name: "node_load1", labels: { a: 'q"uote\\ \n }', b: "2" }, value: -4 },
    ],
  ])("reads %s", (line, series) => expect(parseLine(line, wanted)).toEqual(series));

  it("reads NaN as NaN", () => expect(parseLine("node_load1 NaN", wanted)?.value).toBeNaN());

  it.each([
    "",
    "# HELP node_load1 x",
    "node_load15 2",
    "node_load1",
    "node_load1 x",
    'node_load1{a="b} 2',
    'node_load1{a="b" c="d"} 2',
  ])("passes over %j", (line) => expect(parseLine(line, wanted)).toBeUndefined());

  it("never throws on any line", () => {
    fc.assert(fc.property(fc.string(), fc.string(), (a, b) => void parseLine(`node_load1${a}{${b}`, wanted)));
  });
});

describe("a text in chunks", () => {
  const text = '# TYPE x\nnode_load1 2\r\nother 5\nnode_disk_reads_completed_total{device="sdä"} 7\n\nnode_load1 3\n';

  /** The values that a text gives, cut at these places. */
  function valuesOf(bytes: Buffer, cuts: readonly number[] = []): number[] {
    const values: number[] = [];
    const push = prometheusTextReader(wanted, ({ value }) => values.push(value));
    const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
    places.forEach((place, index) => push(bytes.subarray(place, places[index + 1] ?? bytes.length)));
    return values;
  }

  it("reads the same with any cuts", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: text.length })), (cuts) => {
        expect(valuesOf(Buffer.from(text), cuts)).toEqual([2, 7, 3]);
      }),
    );
  });

  it("that ends in the middle of a line gives only the complete lines", () => {
    const bytes = Buffer.from("node_load1 2\nnode_load1 345\n");
    for (let end = 0; end < bytes.length; end += 1) {
      expect(valuesOf(bytes.subarray(0, end))).toEqual(end < 13 ? [] : [2]);
    }
  });

  it("keeps nothing of a line without end", () => {
    const values: number[] = [];
    const push = prometheusTextReader(wanted, ({ value }) => values.push(value));
    const keptBytes = () => {
      collectGarbage();
      const { arrayBuffers, heapUsed } = process.memoryUsage();
      return arrayBuffers + heapUsed;
    };
    const filler = Buffer.alloc(65_536, "x");
    const before = keptBytes();
    for (let chunk = 0; chunk < 1_000; chunk += 1) push(filler);
    expect(keptBytes() - before).toBeLessThan(16_777_216); // of 64 MiB that were pushed
    push(Buffer.from("\nnode_load1 4\n"));
    expect(values).toEqual([4]);
  });
});
