/** The docs' site, built once: no link or anchor of it leads nowhere, and people can read it in a browser. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, posix } from "node:path";
import { promisify } from "node:util";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasBrowser, launchBrowser } from "../support/browser.ts";
import { HANG_MS } from "../support/control-plane.ts";

const ROOT = join(import.meta.dirname, "../..");
const NARROW = { width: 375, height: 800 };
const WIDE = { width: 1440, height: 900 };
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".png": "image/png",
};

let folder: string;
let pages: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-site-"));
  const env = { ...process.env, NODE_ENV: "production" };
  await promisify(execFile)(process.execPath, [join(ROOT, "dev/site/build.ts"), "--out", folder], { env });
  pages = globSync("**/*.html", { cwd: folder }).filter((page) => page !== "404.html");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const ids = (page: string) =>
  new Set([...readFileSync(join(folder, page), "utf8").matchAll(/\bid="([^"]+)"/g)].map(([, id]) => id));

test("every link of the site leads to a file of it, and every anchor to a place there", () => {
  expect(pages.length).toBeGreaterThan(30);
  const dead = pages.flatMap((page) =>
    [...readFileSync(join(folder, page), "utf8").matchAll(/ (?:href|src)="([^":]+)"/g)]
      .map(([, link = ""]) => link.split("#"))
      .map(([path = "", anchor]) => ({
        file: path === "" ? page : fileOf(posix.join("/", posix.dirname(page)), path),
        anchor,
      }))
      .filter(({ file, anchor }) => !existsSync(join(folder, file)) || (anchor !== undefined && !ids(file).has(anchor)))
      .map(({ file, anchor = "" }) => `${page}: ${file}#${anchor}`),
  );
  expect(dead).toEqual([]);
});

/** The file that a web server gives for a path. */
function fileOf(from: string, path: string): string {
  const whole = posix.resolve(from, path);
  if (path === "" || path.endsWith("/")) return posix.join(whole, "index.html");
  return extname(whole) === "" ? `${whole}.html` : whole;
}

describe.skipIf(!hasBrowser("the docs' site"))("the site in Chromium", () => {
  let server: Server;
  let url: string;
  let browser: Browser;
  const elsewhere: string[] = [];
  const errors: string[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      const file = fileOf("/", decodeURIComponent(new URL(request.url ?? "/", "http://site").pathname));
      readFile(join(folder, file)).then(
        (content) =>
          response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream").end(content),
        () => response.writeHead(404).end(),
      );
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
    server.close();
  });

  async function open(path: string, options: BrowserContextOptions): Promise<Page> {
    const page = await browser.newPage(options);
    page.setDefaultTimeout(HANG_MS);
    page.on("request", (request) => !request.url().startsWith(url) && elsewhere.push(request.url()));
    page.on("pageerror", ({ message }) => errors.push(`${path}: ${message}`));
    page.on(
      "response",
      (response) => response.status() >= 400 && errors.push(`${response.url()}: ${response.status()}`),
    );
    await page.goto(`${url}${path}`, { waitUntil: "networkidle" });
    return page;
  }

  test.each(["light", "dark"] as const)("%s: text stands out from its ground", async (colorScheme) => {
    const page = await open("/", { colorScheme, viewport: WIDE });
    const [text = 0, ground = 0] = await page.evaluate<number[]>(BRIGHTNESS);
    expect(colorScheme === "dark" ? text - ground : ground - text).toBeGreaterThan(100);
    await page.close();
  });

  test("narrow: no page is wider than the window", async () => {
    const page = await open("/", { viewport: NARROW });
    const tooWide: string[] = [];
    for (const path of pages) {
      await page.goto(`${url}/${path}`, { waitUntil: "domcontentloaded" });
      const width = await page.evaluate<number>("document.documentElement.scrollWidth");
      if (width > NARROW.width) tooWide.push(`${path}: ${width}`);
    }
    expect(tooWide).toEqual([]);
    await page.close();
  });

  test("wide: the sidebar leads from chapter to chapter in the order of docs/README.md", async () => {
    const page = await open("/", { viewport: WIDE });
    const chapters = await page.locator(".VPSidebar h2").allTextContents();
    expect(chapters).toEqual([
      "Is this my problem?",
      "Try it",
      "Install and observe",
      "Enforce",
      "Operate",
      "Reference",
      "Internals",
    ]);
    await page.locator(".VPSidebar a", { hasText: "The policy" }).click();
    await page.locator("h1", { hasText: "The policy" }).waitFor();
    await page.close();
  });

  test("narrow: both menus open, and lead to a page", async () => {
    const page = await open("/metrics.html", { viewport: NARROW });
    const sidebar = page.locator(".VPSidebar");
    const { x = 0, width = 0 } = (await sidebar.boundingBox()) ?? {};
    expect(x + width).toBeLessThanOrEqual(0);
    await page.locator(".VPLocalNav .menu").click();
    await sidebar.locator("a", { hasText: "Reasons" }).click();
    await page.locator("h1", { hasText: "Reasons" }).waitFor();
    await page.locator(".VPNavBarHamburger").click();
    await page.locator(".VPNavScreen a", { hasText: "Install" }).click();
    await page.locator("h1", { hasText: "Install and observe" }).waitFor();
    await page.close();
  });

  test("the picture of the demo is shown, and a search finds a page, offline", async () => {
    const page = await open("/results.html", { viewport: WIDE });
    const naturalWidth = "document.querySelector('main img').naturalWidth";
    expect(await page.evaluate<number>(naturalWidth)).toBeGreaterThan(300);
    await page.locator("#local-search button").click();
    await page.locator("#localsearch-input").fill("maxHoldSeconds");
    await page.locator("#localsearch-list a").first().waitFor();
    await page.close();
    expect(elsewhere).toEqual([]);
    expect(errors).toEqual([]);
  });
});

/** Brightness of the text of a paragraph and of the page's ground, 0 to 255; runs in the browser. */
const BRIGHTNESS = `(() => {
  const brightness = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number);
    return 0.299 * r + 0.587 * g + 0.114 * b;
  };
  const style = (selector) => getComputedStyle(document.querySelector(selector));
  return [brightness(style("main p").color), brightness(style("body").backgroundColor)];
})()`;
