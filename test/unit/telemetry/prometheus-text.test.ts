import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseLine, prometheusTextReader } from "../../../src/telemetry/prometheus-text.ts";

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

  it("reads NaN as such", () => expect(parseLine("node_load1 NaN", wanted)?.value).toBeNaN());

  it.each([
    "",
    "# HELP node_load1 x",
    "node_load15 2",
    "node_load1",
    "node_load1 x",
    'node_load1{a="b} 2',
    'node_load1{a="b" c="d"} 2',
  ])("passes over %j", (line) => expect(parseLine(line, wanted)).toBeUndefined());

  it("never throws, whatever the line", () => {
    fc.assert(fc.property(fc.string(), fc.string(), (a, b) => void parseLine(`node_load1${a}{${b}`, wanted)));
  });
});

describe("a text in chunks", () => {
  const text = '# TYPE x\nnode_load1 2\r\nother 5\nnode_disk_reads_completed_total{device="sda"} 7\n\nnode_load1 3';

  it("reads the same however it is cut", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: text.length })), (cuts) => {
        const reader = prometheusTextReader(wanted);
        const places = [0, ...cuts.toSorted((a, b) => a - b), text.length];
        places.forEach((place, index) => reader.push(text.slice(place, places[index + 1] ?? text.length)));
        expect(reader.end().map(({ value }) => value)).toEqual([2, 7, 3]);
      }),
    );
  });

  it("keeps a bounded number of series", () => {
    const reader = prometheusTextReader(wanted);
    for (let line = 0; line < 20_000; line++) reader.push(`node_load1 ${line}\n`);
    expect(reader.end().length).toBeLessThanOrEqual(8_192);
  });
});
