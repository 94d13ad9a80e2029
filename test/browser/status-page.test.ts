/**
 * The status page in a real browser: it shows and follows the decision core's state, answers the two questions, can be
 * used by keyboard and screen reader and on a narrow screen, and says when the service is down.
 */
import type { FastifyInstance } from "fastify";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Pacer } from "../../src/core/pacer.ts";
import { nodeName } from "../../src/core/ids.ts";
import { testApp } from "../support/app.ts";
import { hasBrowser, launchBrowser } from "../support/browser.ts";
import { contrasts } from "../support/contrast.ts";
import { HANG_MS } from "../support/control-plane.ts";
import {
  aDaemonPod,
  aGatedPod,
  aNode,
  anOldNode,
  aPod,
  bound,
  changed,
  START_MS,
  started,
} from "../support/core-facts.ts";

/** Notes in `heard` what a screen reader would read out by itself. */
const LISTEN = `
  globalThis.heard = [];
  const listen = new MutationObserver((changes) => heard.push(...changes.map(({ target }) => target.nodeName)));
  for (const place of document.querySelectorAll("[role=status], [role=log], [role=alert], [aria-live]"))
    listen.observe(place, { childList: true, characterData: true, subtree: true, attributes: true });
`;

describe.skipIf(!hasBrowser("the status page"))("the status page in Chromium", () => {
  let app: FastifyInstance;
  let pacer: Pacer;
  let browser: Browser;
  let page: Page;
  let url: string;
  let nowMs = START_MS;
  const errors: string[] = [];
  const requests: string[] = [];

  beforeAll(async () => {
    const now = () => nowMs;
    ({ app, pacer } = testApp({
      nodes: [aNode("young-1"), aNode("young-2"), anOldNode("old")],
      dependencies: { now },
    }));
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

  const names = (id: string) => page.locator(`#${id} tbody th`).allTextContents();
  const nextUpdate = async () => {
    const before = await page.locator("body").getAttribute("data-shown");
    await page.locator(`body:not([data-shown="${before ?? ""}"])`).waitFor();
  };

  test("shows paced nodes with their slots, and held pods with their reason, as text", async () => {
    expect(errors).toEqual([]);
    expect(await names("nodes")).toEqual(["young-1", "young-2"]);
    expect(await page.locator("#nodes tbody tr").first().textContent()).toContain("1 of ");
    expect(await page.locator("#held tbody").textContent()).toContain("<b>waits</b>");
    expect(await page.locator("#held tbody").textContent()).toContain("AwaitingRelease");
    expect(await page.locator("#sums").textContent()).toContain("settled nodes1");
    expect(await page.locator("canvas").count()).toBe(2);
  });

  test("follows changes without a reload", async () => {
    pacer.upsertPod(started(bound(aPod("starting"), "young-1")), START_MS);
    await page.locator("#nodes tbody tr", { hasText: "young-1" }).filter({ hasText: "0 of" }).waitFor();
    pacer.upsertPod(bound(aPod("another"), "young-2"), START_MS);
    await page.locator("#nodes tbody tr", { hasText: "young-2" }).filter({ hasText: "1 of" }).waitFor();
  });

  test("filters the rows, and tells a screen reader how many match", async () => {
    await page.fill("#filter", "young-2");
    await page.locator("#nodes-note", { hasText: "1 of 2" }).waitFor();
    expect(await names("nodes")).toEqual(["young-2"]);
    await page.locator("#said", { hasText: "1 nodes and 0 held pods match" }).waitFor({ state: "attached" });
    await page.fill("#filter", "");
  });

  test("shows only the nodes that pods wait for", async () => {
    pacer.upsertPod(aDaemonPod("agent", "young-2"), START_MS);
    await page.locator("#held tbody tr", { hasText: "default/agent" }).waitFor();
    await page.check("#only-waiting");
    expect(await names("nodes")).toEqual(["young-2"]);
    await page.uncheck("#only-waiting");
    expect(await names("nodes")).toHaveLength(2);
  });

  test("sorts by the title that is pressed, and says so", async () => {
    const title = page.locator("#nodes thead th", { hasText: "node" }).first();
    await title.getByRole("button").press("Enter");
    expect([await title.getAttribute("aria-sort"), await names("nodes")]).toEqual([
      "ascending",
      ["young-1", "young-2"],
    ]);
    await title.getByRole("button").press("Enter");
    expect([await title.getAttribute("aria-sort"), await names("nodes")]).toEqual([
      "descending",
      ["young-2", "young-1"],
    ]);
    expect(await page.locator("#said :last-child").textContent()).toBe("nodes: sorted by node, descending");
  });

  test("what is said stays there to be read out when something else is said in the same moment", async () => {
    await page.evaluate(`
      document.getElementById("filter").dispatchEvent(new Event("input"));
      document.querySelector("#held thead button").click();
    `);
    await page.locator("#said", { hasText: "2 nodes and 2 held pods match" }).waitFor({ state: "attached" });
    expect((await page.locator("#said p").allTextContents()).slice(-2)).toEqual([
      "held pods: sorted by pod, ascending",
      "2 nodes and 2 held pods match",
    ]);
  });

  test("says why a pod that is typed in waits, and until when at the latest", async () => {
    await page.fill("#pod-asked", "default/agent");
    await page.press("#pod-asked", "Enter");
    const answer = page.locator("#pod-answer");
    await answer.filter({ hasText: "AwaitingRelease" }).filter({ hasText: "at the latest" }).waitFor();
    expect(new URL(page.url()).hash).toBe("#pod=default%2Fagent");
    expect(await page.evaluate("document.activeElement.id")).toBe("pod-answer");
    pacer.upsertPod(changed(aDaemonPod("agent", "young-2"), { gated: false, hold: undefined }), START_MS);
    pacer.upsertPod(bound(aPod("agent"), "young-2"), START_MS);
    await answer.filter({ hasText: "it is on node young-2" }).waitFor();
    await page.locator("#said", { hasText: "it is on node young-2" }).waitFor({ state: "attached" });
  });

  test("says what a node's limit did in the last ten minutes, as a line and in words", async () => {
    const failing = bound(aPod("fails"), "young-1");
    pacer.upsertPod(failing, START_MS);
    pacer.upsertPod(changed(failing, { overloadFailures: 1 }), START_MS);
    nowMs = START_MS + 60_000;
    await page.locator("#nodes tbody a", { hasText: "young-1" }).click();
    await page.locator("#node-words", { hasText: "it went down once" }).waitFor();
    expect(await page.locator("#limit-steps li").allTextContents()).toEqual([
      expect.stringContaining("a container of fails failed to start"),
    ]);
    expect(await page.locator("#limit-line polyline").getAttribute("points")).toMatch(
      /^0,4\.0 540\.0,4\.0 540\.0,30\.0 /,
    );
  });

  test.each([
    ["#pod=100%", "pod-answer", "100%: no such pod is known"],
    ["#pod=../young-1", "pod-answer", "give it as namespace/name"],
    ["#node=..", "node-words", ".. is no name of a node"],
    ["#node=broken", "node-words", "broken: no answer (status 404)"],
    ["#node=fieldless", "node-words", "fieldless: no answer ("],
  ])("opened at %s it says in that answer's place what is wrong, and shows the rest", async (hash, place, words) => {
    const other = await browser.newPage();
    await other.route("**/status/nodes/broken", (route) => route.fulfill({ status: 404, body: "<html>" }));
    await other.route("**/status/nodes/fieldless", (route) => route.fulfill({ json: {} }));
    const uncaught: string[] = [];
    other.on("pageerror", (error) => uncaught.push(error.message));
    await other.goto(`${url}/${hash}`);
    await other.locator(`#${place}`, { hasText: words }).waitFor({ timeout: 10_000 });
    await other.waitForSelector("body[data-shown]");
    expect([await other.locator("#trouble").textContent(), uncaught]).toEqual(["", []]);
    await other.close();
  });

  test("an update moves neither the focus nor the row that has it, nor reads anything out", async () => {
    await page.locator("#nodes tbody a", { hasText: "young-1" }).focus();
    const before = await names("nodes");
    await page.evaluate(LISTEN);
    for (const name of ["x", "y", "z"]) pacer.upsertPod(bound(aPod(name), "young-2"), nowMs);
    pacer.observeSample(nodeName("young-2"), { atMs: nowMs, awaitMs: 3, utilisation: 0.4 }, nowMs);
    await page.locator("#nodes tbody tr", { hasText: "40 %" }).waitFor();
    await nextUpdate();
    expect(await names("nodes")).toEqual(before);
    expect(await page.evaluate("document.activeElement.textContent")).toBe("young-1");
    expect(await page.evaluate("heard")).toEqual([]);
  });

  test("everything that can be pressed has a name, and the tables are tables also where they look like cards", async () => {
    for (const width of [1280, 320]) {
      await page.setViewportSize({ width, height: 900 });
      const tree = await page.locator("body").ariaSnapshot();
      expect(tree).not.toMatch(/- (button|textbox|searchbox|checkbox|link|img)(:| \[|$)/m);
      expect(tree).toContain('- table "Held pods"');
      expect(tree).toContain('- rowheader "young-1"');
      expect(tree).toContain('- columnheader "held for"');
    }
  });

  test("a screen of 320 px needs no scrolling sideways, and still has every figure", async () => {
    await page.setViewportSize({ width: 320, height: 900 });
    await nextUpdate();
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(320);
    expect(
      await page.evaluate(`[...document.querySelectorAll(".wide")].map((one) => one.scrollWidth - one.clientWidth)`),
    ).toEqual([0, 0]);
    expect(await page.locator("#nodes tbody td").first().isVisible()).toBe(true);
    await page.setViewportSize({ width: 1280, height: 1000 });
  });

  test.each(["light", "dark"] as const)(
    "text can be read in the %s scheme (WCAG AA, 4.5 to 1)",
    async (colorScheme) => {
      await page.emulateMedia({ colorScheme });
      const measured = await contrasts(page);
      expect(measured.length).toBeGreaterThan(20);
      expect(measured.filter(({ ratio }) => ratio < 4.5)).toEqual([]);
      await page.emulateMedia({ colorScheme: null });
    },
  );

  test("of 500 nodes and 2,000 held pods it shows the first hundred, and more when asked", async () => {
    for (let index = 0; index < 500; index += 1) pacer.upsertNode(aNode(`many-${index}`), START_MS);
    for (let index = 0; index < 2_000; index += 1)
      pacer.upsertPod(aDaemonPod(`held-${index}`, `many-${index % 500}`, { createdAtMs: START_MS - index }), START_MS);
    await page.locator("#held-note", { hasText: "100 of 2001 shown" }).waitFor();
    expect(await page.locator("#held-reasons").textContent()).toBe("AwaitingRelease 2001");
    expect(await page.locator("#held tbody tr").count()).toBe(100);
    await page.locator("#held ~ .more").click();
    expect(await page.locator("#held tbody tr").count()).toBe(200);
    await page.fill("#filter", "many-77");
    await page.locator("#held-note", { hasText: "4 of 2001 shown" }).waitFor();
    await page.fill("#filter", "");
  });

  test("makes requests only to the service", () => {
    for (const request of requests) expect(request.startsWith(url) || request === "data:,").toBe(true);
    expect(errors).toEqual([]);
  });

  test("says when the service no longer answers, and keeps the last state", async () => {
    await page.route("**/state.json*", (route) => route.abort());
    await page.locator("#trouble", { hasText: "no answer" }).waitFor();
    expect(await page.locator("#nodes tbody tr").count()).toBe(100);
    await page.unroute("**/state.json*");
    await page.locator("#trouble:empty").waitFor({ state: "attached" });
  });
});
