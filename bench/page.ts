/**
 * `npm run bench:page`: the status page with 500 nodes and 2,000 held pods. First paint with all figures in Chromium,
 * and what the server pays for each viewer, against the same service without one. Exit 1 when a budget is missed, 2
 * without a browser or for wrong flags. `--write` writes what it measured into docs/status-page.md.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Browser, chromium, type Page } from "playwright-core";
import { browserPath } from "../dev/browser.ts";
import { measuredHere } from "../dev/docs/figures.ts";
import { type Figure, percentile, printVerdict } from "./figures.ts";
import { flagsOf } from "./flags.ts";
import type { PageOrder, PageTold } from "./page/order.ts";
import { withProgress } from "./progress.ts";
import { writeRun } from "./written.ts";

const { write } = flagsOf({ write: { type: "boolean", default: false } });

const SIZE: PageOrder = { nodes: 500, pods: 15_000, held: 2_000 };
const PAINTS = 7;
const PAINT_MS = 1_000;
const CPU_SECONDS = 30;
const CORE_SHARE = 0.05;
const MANY_VIEWERS = 5;

const server = fork(join(import.meta.dirname, "page/server.ts"), { stdio: ["ignore", "inherit", "inherit", "ipc"] });

async function ask<Kind extends PageTold["kind"]>(order: PageOrder | "cpu", kind: Kind) {
  server.send(order);
  const ended = once(server, "exit").then(() => {
    throw new Error("the server ended early");
  });
  for (;;) {
    const [told] = (await Promise.race([once(server, "message"), ended])) as [PageTold];
    if (told.kind === kind) return told as Extract<PageTold, { kind: Kind }>;
  }
}

/** Share of one core that the server uses over half a minute. */
async function coreShare(): Promise<number> {
  const [before, beganMs] = [await ask("cpu", "cpu"), performance.now()];
  await delay(CPU_SECONDS * 1_000);
  const [after, tookMs] = [await ask("cpu", "cpu"), performance.now() - beganMs];
  return (after.user + after.system - before.user - before.system) / 1_000 / tookMs;
}

interface Paint {
  /** From the navigation to something on the screen, ms. */
  readonly firstMs: number;
  /** To the frame after all figures are in the tables, ms. */
  readonly figuresMs: number;
}

/** A browser that has not been there before. */
async function paint(browser: Browser, url: string): Promise<Paint> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 1000 } });
  const page = await context.newPage();
  await page.addInitScript(`new MutationObserver((_, observer) => {
    if (!document.body?.dataset.shown) return;
    observer.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(() => { globalThis.figuresMs = performance.now(); }));
  }).observe(document, { attributes: true, childList: true, subtree: true });`);
  await page.goto(url);
  for (;;) {
    const text = await page.evaluate<string>(`JSON.stringify({
      firstMs: performance.getEntriesByName("first-contentful-paint")[0]?.startTime, figuresMs: globalThis.figuresMs })`);
    const seen = JSON.parse(text) as Partial<Paint>;
    if (seen.firstMs !== undefined && seen.figuresMs !== undefined) {
      await context.close();
      return { firstMs: seen.firstMs, figuresMs: seen.figuresMs };
    }
    await delay(50);
  }
}

async function viewer(browser: Browser, url: string): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(url);
  await page.waitForSelector("body[data-shown]");
  return page;
}

/** KiB on the way of the first answer, and the middle one of those that follow. */
async function sizes(url: string): Promise<Figure[]> {
  const first = await fetch(`${url}/page/state.json`);
  const text = await first.text();
  const packed = Number(first.headers.get("content-length"));
  let { version } = JSON.parse(text) as { version: string };
  const later: number[] = [];
  for (let turn = 0; turn < 9; turn += 1) {
    await delay(1_000);
    const answer = await fetch(`${url}/page/state.json?since=${version}`);
    ({ version } = (await answer.json()) as { version: string });
    later.push(Number(answer.headers.get("content-length")));
  }
  const kib = (what: string, bytes: number, note = "") => ({ what, measured: bytes / 1_024, unit: "KiB", note });
  return [
    kib("the first answer, packed", packed, `${(text.length / 1_024).toFixed(0)} KiB unpacked`),
    kib("an update each second, packed", percentile(later, 0.5), `middle of ${later.length}`),
  ];
}

const share = (what: string, measured: number, budget?: Figure["budget"]): Figure => ({
  ...{ what, measured: 100 * measured, unit: "% of a core" },
  ...(budget && { budget }),
});

async function bench(browser: Browser): Promise<Figure[]> {
  const { url } = await withProgress("filling the service", () => ask(SIZE, "listening"));
  await delay(5_000); // the first plans compile
  const alone = await withProgress("the service alone, 30 s", coreShare);
  const paints: Paint[] = [];
  await withProgress("first paint", async () => {
    for (let turn = 0; turn < PAINTS; turn += 1) paints.push(await paint(browser, url));
  });
  const pages = [await viewer(browser, url)];
  const one = await withProgress("one viewer, 30 s", coreShare);
  while (pages.length < MANY_VIEWERS) pages.push(await viewer(browser, url));
  const many = await withProgress(`${MANY_VIEWERS} viewers, 30 s`, coreShare);
  await Promise.all(pages.map((page) => page.close()));
  const bytes = await sizes(url);
  const middle = (of: (paint: Paint) => number) => percentile(paints.map(of), 0.5);
  const most = `middle of ${PAINTS}, most ${Math.max(...paints.map(({ figuresMs }) => figuresMs)).toFixed(0)} ms`;
  const budget = { kind: "at most", value: 100 * CORE_SHARE } as const;
  return [
    { what: "first paint", measured: middle(({ firstMs }) => firstMs), unit: "ms" },
    {
      ...{ what: "paint with all figures", measured: middle(({ figuresMs }) => figuresMs), unit: "ms", note: most },
      budget: { kind: "at most", value: PAINT_MS },
    },
    share("plans and samples, without viewers", alone),
    share("one viewer more", one - alone, budget),
    share(`${MANY_VIEWERS} viewers more`, many - alone, budget),
    ...bytes,
  ];
}

if (browserPath === undefined) {
  console.error("bench: there is no Chromium (Debian's package chromium, or its path in CHROMIUM)");
  process.exit(2);
}
const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
try {
  const where = measuredHere();
  const size = `${SIZE.nodes} young nodes, ${SIZE.pods} pods, ${SIZE.held} held ones`;
  console.log(size);
  const figures = await bench(browser);
  process.exitCode = printVerdict(figures);
  if (write) await writeRun("page", { ...where, of: `\`npm run bench:page\` with ${size}`, figures });
} finally {
  await browser.close();
  server.disconnect();
}
