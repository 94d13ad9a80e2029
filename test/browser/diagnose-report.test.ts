/** The HTML report of `paceline diagnose` in a real browser: both charts drawn, without network, without an error. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findingsOf } from "../../src/diagnose/findings/findings.ts";
import { Tally } from "../../src/diagnose/findings/tally.ts";
import { verdictOf } from "../../src/diagnose/findings/verdict.ts";
import { readObject } from "../../src/diagnose/records/objects.ts";
import { htmlReport } from "../../src/diagnose/report/html.ts";
import { hasBrowser, launchBrowser } from "../support/browser.ts";

/** Three nodes, whose pods fail a minute after one another; one name tries to end the script element. */
function findings() {
  const tally = new Tally(3_600_000, { sinceMs: undefined, untilMs: undefined });
  for (const [row, host] of ["young-1", "young-2.eu-west-1.compute.internal", "</script><b>x"].entries()) {
    for (let index = 0; index < 12; index++) {
      const atMs = Date.parse("2026-11-24T08:00:00Z") + row * 300_000 + (index % 5) * 60_000;
      const event = {
        kind: "Event",
        type: "Warning",
        reason: "Failed",
        message: "Error: context deadline exceeded",
        involvedObject: { kind: "Pod", namespace: "shop", name: `web-${row}-${index}` },
        source: { component: "kubelet", host },
        firstTimestamp: new Date(atMs).toISOString(),
      };
      readObject(event, "", undefined, tally);
    }
  }
  return findingsOf(tally);
}

describe.skipIf(!hasBrowser("the report of paceline diagnose"))("the report of diagnose in Chromium", () => {
  let folder: string;
  let browser: Browser;
  let page: Page;
  const errors: string[] = [];
  const requests: string[] = [];

  beforeAll(async () => {
    const found = findings();
    folder = await mkdtemp(join(tmpdir(), "paceline-diagnose-report-"));
    await writeFile(join(folder, "report.html"), htmlReport(found, verdictOf(found), "1h"));
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
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

  test("failures over time by node: a row for each node, squares where starts failed", async () => {
    expect(errors).toEqual([]);
    expect(await page.locator("canvas").count()).toBe(2);
    const squares = await page.evaluate(`(() => {
      const canvas = document.querySelector("#picture canvas");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let orange = 0;
      for (let at = 0; at < data.length; at += 4) if (data[at] > 200 && data[at + 2] < 200 && data[at + 3] > 200) orange += 1;
      return orange;
    })()`);
    expect(squares).toBeGreaterThan(500);
    if (process.env["PACELINE_SHOT"] !== undefined)
      await page.screenshot({ path: process.env["PACELINE_SHOT"], fullPage: true });
  });

  test("asks for nothing but the file itself", () => {
    expect(requests.filter((url) => !url.startsWith("file:"))).toEqual([]);
  });
});
