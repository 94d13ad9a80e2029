/**
 * The status page: fixed files, read once, and what they show. Every link in them is relative, so the page works behind
 * a proxy.
 */
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import type { FastifyInstance } from "fastify";
import { assetText } from "../api/assets.ts";
import type { AppDependencies } from "./dependencies.ts";
import { statusAnswer } from "./answers.ts";
import { PageFeed } from "./page-feed.ts";

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
  ["/page/clock.js", SCRIPT, own("clock.js")],
  ["/page/charts.js", SCRIPT, own("charts.js")],
  ["/page/questions.js", SCRIPT, own("questions.js")],
  ["/page/table.js", SCRIPT, own("table.js")],
  ["/page/uplot.css", CSS, published("uPlot.min.css")],
  ["/page/uplot.js", SCRIPT, published("uPlot.iife.min.js")],
];

/** Adds `/` and the files that it loads. */
export function pageRoutes(app: FastifyInstance, dependencies: AppDependencies): void {
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
  feedRoute(app, dependencies);
}

const compress = promisify(gzip);
/** A shorter answer is sent as it is. In characters. */
const WORTH_COMPRESSING = 2_000;

/** What the page shows, as far as it has changed. Its form is the page's own affair; `/status.json` is for others. */
function feedRoute(app: FastifyInstance, dependencies: AppDependencies): void {
  const read = () => ({ status: statusAnswer(dependencies), nowMs: dependencies.now() });
  const feed = new PageFeed(read, () => performance.now());
  let packed: { readonly text: string; readonly bytes: Promise<Buffer> } | undefined;
  app.get<{ Querystring: { since?: string | string[] } }>("/page/state.json", async (request, reply) => {
    const text = feed.answer(String(request.query.since ?? ""));
    reply.type("application/json; charset=utf-8").headers({ "cache-control": "no-store", vary: "accept-encoding" });
    const accepted = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
    if (!accepted || text.length < WORTH_COMPRESSING) return reply.send(text);
    // Viewers mostly ask for the same changes, one after the other.
    if (packed?.text !== text) packed = { text, bytes: compress(text, { level: constants.Z_BEST_SPEED }) };
    return reply.header("content-encoding", "gzip").send(await packed.bytes);
  });
}
