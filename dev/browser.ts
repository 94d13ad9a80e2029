/** Where a Chromium is on this machine; undefined: there is none. */
import { existsSync } from "node:fs";

export const browserPath: string | undefined = [
  process.env["CHROMIUM"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
]
  .filter((path) => path !== undefined)
  .find((path) => existsSync(path));
