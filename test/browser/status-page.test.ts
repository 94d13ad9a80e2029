/**
 * The status page in a real browser: it shows and follows the decision core's state, and says when the service is down.
 */
import type { FastifyInstance } from "fastify";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Pacer } from "../../src/core/pacer.ts";
import { testApp } from "../support/app.ts";
import { hasBrowser, launchBrowser } from "../support/browser.ts";
import { HANG_MS } from "../support/control-plane.ts";
import { aGatedPod, aNode, anOldNode, aPod, bound, START_MS, started } from "../support/core-facts.ts";

describe.skipIf(!hasBrowser("the status page"))("the status page in Chromium", () => {
  let app: FastifyInstance;
  let pacer: Pacer;
  let browser: Browser;
  let page: Page;
  let url: string;
  const errors: string[] = [];
  const requests: string[] = [];

  beforeAll(async () => {
    ({ app, pacer } = testApp({ nodes: [aNode("young-1"), aNode("young-2"), anOldNode("old")] }));
    pacer.upsertPod(bound(aPod("starting"), "young-1"), START_MS);
    pacer.upsertPod(aGatedPod("<b>waits</b>"), START_MS);
    url = await app.listen({ host: "127.0.0.1", port: 0 });
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
    page.setDefaultTimeout(HANG_MS);
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(url);
    await page.waitForSelector("body[data-shown]");
  });

  afterAll(async () => {
    await browser.close();
    await app.close();
  });

  test("shows paced nodes with their slots, and held pods with their reason, as text", async () => {
    expect(errors).toEqual([]);
    expect(await page.locator("#nodes tbody tr").allTextContents()).toEqual([
      expect.stringContaining("young-1young"),
      expect.stringContaining("young-2young"),
    ]);
    expect(await page.locator("#nodes tbody tr").first().textContent()).toContain("1 of ");
    expect(await page.locator("#held tbody").textContent()).toContain("<b>waits</b>");
    expect(await page.locator("#held tbody").textContent()).toContain("AwaitingRelease");
    expect(await page.locator("#sums").textContent()).toContain("settled nodes1");
    expect(await page.locator("canvas").count()).toBe(2);
  });

  test("follows changes without a reload", async () => {
    pacer.upsertPod(started(bound(aPod("starting"), "young-1")), START_MS);
    await page.locator("#nodes tbody", { hasNotText: "1 of" }).waitFor();
    pacer.upsertPod(bound(aPod("another"), "young-2"), START_MS);
    await page.locator("#nodes tbody tr", { hasText: "young-2" }).filter({ hasText: "1 of" }).waitFor();
  });

  test("filters the rows", async () => {
    await page.fill("#filter", "young-2");
    await page.locator("#nodes-note", { hasText: "1 of 2" }).waitFor();
    expect(await page.locator("#nodes tbody tr").count()).toBe(1);
    await page.fill("#filter", "");
  });

  test("makes requests only to the service", () => {
    for (const request of requests) expect(request.startsWith(url) || request === "data:,").toBe(true);
  });

  test("says when the service no longer answers, and keeps the last state", async () => {
    await page.route("**/status.json", (route) => route.abort());
    await page.locator("#trouble", { hasText: "no answer" }).waitFor();
    expect(await page.locator("#nodes tbody tr").count()).toBe(2);
    await page.unroute("**/status.json");
    await page.locator("#trouble").waitFor({ state: "hidden" });
  });
});
