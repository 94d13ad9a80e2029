/**
 * The docs as a site: `npm run site` writes it to out/site. It loads nothing from elsewhere: no fonts, a search of its
 * own. A link that leads nowhere fails the build.
 */
import { join } from "node:path";
import { defineConfig } from "vitepress";
import { sourceLinks } from "./source-links.ts";
import { ROOT, sidebar } from "./sidebar.ts";
import { githubSlug } from "./slug.ts";

/** Where the files of the repository are read that are no pages of the site: code, charts, values. */
const SOURCE = process.env["SITE_SOURCE"] ?? "https://github.com/paceline/paceline/blob/main";

export const siteConfig = defineConfig({
  title: "Paceline",
  description: "Pod pacing for Kubernetes: starts land on a young node in batches that its disk can feed.",
  lang: "en",
  /** A path other than `/` where the site is served below one, as GitHub Pages does. */
  base: process.env["SITE_BASE"] ?? "/",
  cacheDir: join(ROOT, "node_modules/.cache/vitepress"),
  // GitHub shows a folder's README, a web server its index.
  rewrites: { "README.md": "index.md", ":folder/README.md": ":folder/index.md" },
  lastUpdated: false,
  markdown: { anchor: { slugify: githubSlug }, config: (markdown) => markdown.use(sourceLinks, SOURCE) },
  // Nothing of the repository's tsconfig concerns the bundle, and esbuild does not know all of it.
  vite: { esbuild: { tsconfigRaw: "{}" } },
  themeConfig: {
    nav: [
      { text: "Try it", link: "/try" },
      { text: "Install", link: "/install" },
      { text: "Policy", link: "/policy" },
    ],
    sidebar: sidebar(),
    outline: { level: [2, 3] },
    search: { provider: "local" },
    docFooter: { prev: "Before", next: "Next" },
  },
});
