/**
 * The status page: fixed files, read once. The page loads `status.json` by a relative link, so it works behind a proxy.
 */
import type { FastifyInstance } from "fastify";
import { assetText } from "../api/assets.ts";

/** The page may load only its own files, and no other page may frame it. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'";

const HTML = "text/html; charset=utf-8";
const CSS = "text/css; charset=utf-8";
const SCRIPT = "text/javascript; charset=utf-8";

const own = (name: string) => `server/page/${name}`;
const published = (name: string) => `uplot/dist/${name}`;

const files: readonly (readonly [path: string, type: string, file: string])[] = [
  ["/", HTML, own("index.html")],
  ["/page/page.css", CSS, own("page.css")],
  ["/page/page.js", SCRIPT, own("page.js")],
  ["/page/uplot.css", CSS, published("uPlot.min.css")],
  ["/page/uplot.js", SCRIPT, published("uPlot.iife.min.js")],
];

/** Adds `/` and the files that it loads. */
export function pageRoutes(app: FastifyInstance): void {
  for (const [path, type, file] of files) {
    const text = assetText(file);
    app.get(path, (_request, reply) =>
      reply
        .type(type)
        .headers({
          "content-security-policy": CONTENT_SECURITY_POLICY,
          "x-content-type-options": "nosniff",
          "cache-control": "no-cache",
        })
        .send(text),
    );
  }
}
