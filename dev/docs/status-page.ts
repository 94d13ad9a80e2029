/**
 * `npm run docs:status-page`: writes the pictures of the status page, light and dark, from a run of the demo's herd on
 * a real control plane. It takes about two minutes and needs Chromium.
 */
import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Browser, chromium, type Page } from "playwright-core";
import { browserPath } from "../browser.ts";
import { runHerd } from "../demo/herd.ts";

const PICTURES = join(import.meta.dirname, "../../docs/pictures");
const SIZE = { width: 1280, height: 1120 };
/** So many pods are to be held when the pictures are taken, and the charts are to have so much history. */
const HELD = 20;
const HISTORY_MS = 24_000;
const WITHIN_MS = 150_000;
/** In bytes: README loads both. */
const LARGEST = 200_000;

/** Opens the page at once, so that its charts have a history, and asks about a pod and a node when there are some. */
async function takePictures(browser: Browser, url: string): Promise<void> {
  const page = await browser.newPage({ viewport: SIZE, ignoreHTTPSErrors: true });
  page.setDefaultTimeout(WITHIN_MS);
  await page.goto(url);
  await page.waitForSelector("body[data-shown]");
  await delay(HISTORY_MS);
  await page.locator(`#held tbody tr:nth-child(${HELD})`).waitFor();
  await page.locator("#nodes tbody tr", { hasText: "young-" }).first().waitFor();
  await ask(page, "node", await page.locator("#nodes tbody a", { hasText: "young-" }).first().innerText());
  await ask(page, "pod", await page.locator("#held tbody a").last().innerText());
  await page.evaluate("document.activeElement.blur(); scrollTo(0, 0)");
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    const file = join(PICTURES, `status-page-${colorScheme}.png`);
    await writeFile(file, await page.screenshot());
    const { size } = await stat(file);
    console.log(`${file}: ${Math.round(size / 1_000)} kB`);
    if (size > LARGEST) throw new Error(`${file} is larger than ${LARGEST / 1_000} kB`);
  }
  await page.close();
}

async function ask(page: Page, what: "node" | "pod", name: string): Promise<void> {
  await page.fill(`#${what}-asked`, name);
  await page.press(`#${what}-asked`, "Enter");
  await page.locator(`#${what}-answer`, { hasText: name }).waitFor();
}

if (browserPath === undefined)
  throw new Error("there is no Chromium (Debian's package chromium, or its path in CHROMIUM)");
await mkdir(PICTURES, { recursive: true });
const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
try {
  let pictures: Promise<void> | undefined;
  const levers = { gate: true, fence: true, extender: false };
  const onService = ({ url }: { readonly url: string }) => {
    pictures = takePictures(browser, url);
    pictures.catch(() => undefined); // thrown below
  };
  await runHerd("for the pictures", "ordinary", levers, { onService });
  await pictures;
} finally {
  await browser.close();
}
