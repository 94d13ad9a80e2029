/** A real browser for tests of HTML pages. */
import { type Browser, chromium } from "playwright-core";
import { browserPath } from "../../dev/browser.ts";
import { HANG_MS } from "./control-plane.ts";

/** False if there is no browser. Then prints what is not tested. */
export function hasBrowser(what: string): boolean {
  if (browserPath === undefined) process.stderr.write(`SKIPPED: chromium is missing, so ${what} is not tested\n`);
  return browserPath !== undefined;
}

export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({
    timeout: HANG_MS,
    executablePath: browserPath ?? "",
    args: ["--no-sandbox", "--disable-background-networking"],
  });
