import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";
import { nodeName } from "../../../src/core/ids.ts";
import { Telemetry, type TelemetryOf } from "../../../src/policy/telemetry.ts";
import { prometheusRange } from "../../../src/telemetry/prometheus-range.ts";
import { TelemetryFailure } from "../../../src/telemetry/source.ts";

const START_S = 1_764_400_000;
const window = { fromMs: START_S * 1_000, toMs: (START_S + 60) * 1_000 };
const here = { name: nodeName("young-1.corp"), address: "10.0.0.1", paced: true };
const other = { name: nodeName("young-2.corp"), address: "10.0.0.2", paced: true };

const settingsOf = (url: string, more: object = {}) =>
  Telemetry.parse({ source: "prometheus", url, ...more }) as TelemetryOf<"prometheus">;

/** A series that has the same value at each of these seconds; scraped every 15 s, `age` tells it. */
const series = (
  part: string,
  labels: object,
  value: number | ((at: number) => unknown),
  seconds = [0, 5, 15, 20, 30],
) => ({
  metric: { ...labels, paceline: part },
  values: seconds.map((at) => [START_S + at, typeof value === "number" ? String(value) : value(at)]),
});

function nodeSeries(labels: object = { instance: "10.0.0.1:9100" }) {
  const disk = { ...labels, device: "nvme0n1" };
  return [
    ...[series("ios", disk, 1_000), series("waitedSeconds", disk, 40), series("busy", disk, 0.9)],
    ...[series("writtenBytes", disk, 9e7), series("readBytes", disk, 0), series("load1", labels, 8)],
    series("age", labels, (at) => String(at % 15)),
  ];
}

const answerOf = (result: readonly unknown[]) =>
  JSON.stringify({ status: "success", data: { resultType: "matrix", result } });

async function server(answer: (request: IncomingMessage, form: URLSearchParams, response: ServerResponse) => string) {
  const one = createServer((request, response) => {
    void text(request).then((body) => response.end(answer(request, new URLSearchParams(body), response)));
  });
  await new Promise<void>((resolve) => one.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void one.close());
  return `http://127.0.0.1:${(one.address() as AddressInfo).port}`;
}

it("gives one sample for each scrape of the window, and asks for these nodes and this time alone", async () => {
  const forms: URLSearchParams[] = [];
  const url = await server((request, form) => {
    expect(request.url).toBe("/api/v1/query_range");
    forms.push(form);
    return answerOf(nodeSeries());
  });
  const found = await prometheusRange({ settings: settingsOf(url), targets: [here], ...window });
  const samples = found.get(here.name) ?? [];
  expect(samples.map(({ atMs }) => Math.round(atMs / 1_000) - START_S)).toEqual([0, 15, 30]);
  expect(samples[1]).toMatchObject({ utilisation: 0.9, awaitMs: 40, iops: 1_000, writeBytesPerSecond: 9e7, load1: 8 });
  expect(samples[1]?.ioPressure).toBeUndefined();
  expect(forms).toHaveLength(1);
  expect([forms[0]?.get("start"), forms[0]?.get("end")]).toEqual([String(START_S), String(START_S + 60)]);
  expect(forms[0]?.get("query")).toContain('instance=~"\\\\[?(young-1\\\\.corp|10\\\\.0\\\\.0\\\\.1)');
});

it("a node that the label instance does not show is found by the label node; one that neither shows is left out", async () => {
  const url = await server((_request, form) =>
    answerOf(form.get("query")?.includes("node=~") ? nodeSeries({ node: "young-1.corp" }) : []),
  );
  const found = await prometheusRange({ settings: settingsOf(url), targets: [here, other], ...window });
  expect([...found.keys()]).toEqual([here.name]);
});

it("loop devices are asked for where the settings name a device, and are left out otherwise", async () => {
  const queries: string[] = [];
  const url = await server((_request, form) => {
    queries.push(form.get("query") ?? "");
    return answerOf([]);
  });
  const leavesOutLoops = async (settings: ReturnType<typeof settingsOf>) => {
    queries.length = 0;
    await prometheusRange({ settings, targets: [here], ...window });
    return queries.map((query) => query.includes("|loop)"));
  };
  expect(await leavesOutLoops({ ...settingsOf(url), device: "loop7" })).not.toContain(true);
  expect(await leavesOutLoops(settingsOf(url))).not.toContain(false);
  expect(queries.length).toBeGreaterThan(0);
});

it("many nodes are asked for in several requests of bounded length", async () => {
  const lengths: number[] = [];
  const url = await server((_request, form) => {
    lengths.push(form.toString().length);
    return answerOf([]);
  });
  const targets = Array.from({ length: 50 }, (_, at) => ({
    name: nodeName(`ip-10-0-0-${at}.eu-central-1.compute.internal`),
    address: `10.0.0.${at}`,
    paced: true,
  }));
  expect((await prometheusRange({ settings: settingsOf(url), targets, ...window })).size).toBe(0);
  expect(lengths).toHaveLength(6);
  expect(Math.max(...lengths)).toBeLessThan(131_072);
});

it("a refusal names the address and the cure", async () => {
  const url = await server((_request, _form, response) => {
    response.statusCode = 401;
    return "no token";
  });
  const asked = prometheusRange({ settings: settingsOf(url), targets: [here], ...window });
  await expect(asked).rejects.toThrow(`${url}/api/v1/query_range answers 401: no token; check --prometheus`);
});

it("any answer, cut or odd, gives samples or a named failure, and never a zero that it does not have", async () => {
  const odd = fc.oneof(
    fc.constantFrom<unknown>(null, "", " ", [], {}, true, false, "NaN", "+Inf", "x", undefined),
    fc.double({ min: 1 }).map(String),
  );
  let answer = "";
  const url = await server(() => answer);
  // No value that is drawn is zero, so that a zero can only come from what is unknown.
  const parts = fc.constantFrom(
    "ios",
    "waitedSeconds",
    "busy",
    "writtenBytes",
    "readBytes",
    "load1",
    "cores",
    "ioPressure",
  );
  const anySeries = fc.tuple(parts, fc.array(odd, { minLength: 1, maxLength: 4 })).map(([part, values]) => {
    const labels = { instance: "10.0.0.1:9100", device: "nvme0n1", paceline: part };
    return { metric: labels, values: values.map((value, at) => [START_S + at, value]) };
  });
  const whole = fc.array(fc.oneof(anySeries, fc.jsonValue()), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(whole, fc.option(fc.nat(2_000)), async (drawn, cut) => {
      const age = series("age", { instance: "10.0.0.1:9100" }, () => "0", [0, 1, 2, 3]);
      const full = answerOf([...drawn, age]);
      answer = cut === null ? full : full.slice(0, cut);
      try {
        const found = await prometheusRange({ settings: settingsOf(url), targets: [here], ...window });
        for (const { atMs: _, device: __, ...figures } of found.get(here.name) ?? []) {
          for (const figure of Object.values(figures)) {
            expect(figure === undefined || (typeof figure === "number" && figure > 0)).toBe(true);
          }
        }
      } catch (error) {
        if (!(error instanceof TelemetryFailure)) throw error;
        expect(error.kind).toBe("BadAnswer");
        expect(error.message).toContain(url);
      }
    }),
    { numRuns: 150 },
  );
});
