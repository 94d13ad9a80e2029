/** What a recording lacks is told: no figure may rest on what was not read without saying so. */
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, it } from "vitest";
import { readRecording } from "../../../src/recording/read-recording.ts";
import { missingNotes } from "../../../src/recording/unread.ts";
import { simulatedLog } from "../replay/simulated-log.ts";
import { START_MS } from "./audit.ts";

const { log, nodes } = simulatedLog();

async function notesOf(...contents: readonly (string | Buffer)[]) {
  const inputs = contents.map((one, at) => ({ name: `input ${at}`, stream: Readable.from([Buffer.from(one)]) }));
  return missingNotes(await readRecording(inputs, { nowMs: START_MS + 86_400_000 }));
}

it("says nothing where all was read", async () => {
  expect(await notesOf(log.join("\n"), nodes)).toEqual([]);
});

it("a few torn lines are counted, and do not put the herds in doubt", async () => {
  const [note, ...more] = await notesOf([...log, log[0]?.slice(0, 90)].join("\n"), nodes);
  expect(more).toEqual([]);
  expect(note).toContain("1 × brokenJson");
  expect(note).not.toContain("incomplete");
});

it("a large share that is not recognised puts the herds in doubt", async () => {
  const noise = Array.from({ length: log.length }, (_, at) => `~~ ${at} ~~`);
  const [note] = await notesOf([...log, ...noise].join("\n"), nodes);
  expect(note).toContain(`Not read (49 % of the input): ${noise.length} × notRecognised`);
  expect(note).toContain("Herds may be incomplete");
});

it("a gzip stream that ends early puts the herds in doubt, however little of it is read", async () => {
  const packed = gzipSync(log.join("\n"));
  const [note] = await notesOf(packed.subarray(0, packed.length * 0.9), nodes);
  expect(note).toContain("1 × truncatedGzip");
  expect(note).toContain("Herds may be incomplete");
});

it("an object of another kind is no damage", async () => {
  const other = JSON.stringify({ apiVersion: "v1", kind: "Service", metadata: {} });
  expect(await notesOf([...log, other].join("\n"), nodes)).toEqual([]);
});

it("a line cut anywhere inside is always told", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(log.length - 1), fc.double({ min: 0.05, max: 0.95, noNaN: true }), async (which, share) => {
      const damaged = log.map((line, at) => (at === which ? line.slice(0, Math.ceil(line.length * share)) : line));
      expect(await notesOf(damaged.join("\n"), nodes)).toEqual([expect.stringContaining("Not read")]);
    }),
    { numRuns: 40 },
  );
});
