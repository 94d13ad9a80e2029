/**
 * The HTML report of `paceline simulate` in a real browser: it draws every chart, without network and without errors.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compare } from "../../src/simulate/engine/compare.ts";
import { htmlReport } from "../../src/simulate/report/html.ts";
import { parseScenario } from "../../src/simulate/scenario/parse.ts";
import { hasBrowser, launchBrowser } from "../support/browser.ts";
import { HANG_MS } from "../support/control-plane.ts";

const text = `
description: "small </script><b>herd</b>"
nodes: [{ joinSeconds: 5 }]
images: [{ name: a, mib: 200, layers: 3 }, { name: b, mib: 60, layers: 2 }]
workloads: [{ name: a, replicas: 6, images: [a] }, { name: b, replicas: 6, images: [b] }]
`;

describe.skipIf(!hasBrowser("the report of paceline simulate"))("the report in Chromium", () => {
  let folder: string;
  let browser: Browser;
  let page: Page;
  const errors: string[] = [];
  const requests: string[] = [];

  beforeAll(async () => {
    const parsed = parseScenario(text);
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
    const { scenario, policy } = parsed;
    const html = htmlReport({
      ...compare({ name: "small", scenario, policy, seed: 1, series: true }),
      description: scenario.description,
    });
    folder = await mkdtemp(join(tmpdir(), "paceline-report-"));
    await writeFile(join(folder, "report.html"), html);
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
    page.setDefaultTimeout(HANG_MS);
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(pathToFileURL(join(folder, "report.html")).href);
    await page.waitForSelector("body[data-drawn]");
  });

  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true });
  });

  test("draws five charts with lines in the strategies' colours, and logs no error", async () => {
    expect(errors).toEqual([]);
    expect(await page.locator("canvas").count()).toBe(5);
    const inked = await page.evaluate(`[...document.querySelectorAll("canvas")].map((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let coloured = 0;
      for (let at = 0; at < data.length; at += 4) {
        if (data[at + 3] > 200 && Math.max(data[at], data[at + 1], data[at + 2]) - Math.min(data[at], data[at + 1], data[at + 2]) > 60) coloured += 1;
      }
      return coloured;
    })`);
    for (const pixels of inked as number[]) expect(pixels).toBeGreaterThan(100);
  });

  test("requests nothing but itself", () => {
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatch(/^file:/);
  });

  test("shows the verdict, every strategy, and the description as text", async () => {
    expect(await page.locator("#verdict").textContent()).toMatch(/With Paceline all pods were Ready after \d+ s/);
    expect(await page.locator("main > .wide tbody tr").count()).toBe(3);
    expect(await page.locator(".origin").textContent()).toBe("small </script><b>herd</b>");
  });
});
