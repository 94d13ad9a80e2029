/** A real browser for tests of HTML pages. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";
import { HANG_MS } from "./control-plane.ts";

const executablePath = [
  process.env["CHROMIUM"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
]
  .filter((path) => path !== undefined)
  .find((path) => existsSync(path));

/** False if there is no browser. Then prints what is not tested. */
export function hasBrowser(what: string): boolean {
  if (executablePath === undefined) process.stderr.write(`SKIPPED: chromium is missing, so ${what} is not tested\n`);
  return executablePath !== undefined;
}

export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({
    timeout: HANG_MS,
    executablePath: executablePath ?? "",
    args: ["--no-sandbox", "--disable-background-networking"],
  });
