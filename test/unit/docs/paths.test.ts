import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { sidebar } from "../../../dev/site/sidebar.ts";
import { githubSlug } from "../../../dev/site/slug.ts";

const ROOT = join(import.meta.dirname, "../../..");
const pages = globSync(["*.md", "{docs,dev,test,certs,scheduler-config,charts}/**/*.md"], { cwd: ROOT });

const read = (page: string) => readFileSync(join(ROOT, page), "utf8");

/** Links and pictures of a page that are files of the repository, relative to it, without their anchors. */
function linkedFiles(page: string): string[] {
  const shown = read(page).replaceAll(/<!--[\s\S]*?-->/g, "");
  const links = [...shown.matchAll(/\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"/g)];
  const targets = links.map(([, target, picture]) => (target ?? picture ?? "").split("#")[0] ?? "");
  return targets.filter((target) => target !== "" && !/^[a-z]+:/.test(target));
}

/** Source files that a page names in backticks. Names with a placeholder are left out. */
const namedFiles = (page: string) =>
  [...read(page).matchAll(/`((?:src|dev|bench|test)\/[\w./-]+\.\w+)`/g)].map(([, file = ""]) => file);

test("every link of the pages leads to a file", () => {
  expect(pages).toContain("docs/design.md");
  const broken = pages.flatMap((page) =>
    linkedFiles(page)
      .filter((target) => !existsSync(join(ROOT, dirname(page), target)))
      .map((target) => `${page}: ${target}`),
  );
  expect(broken).toEqual([]);
});

/** Anchors of a page: those of its headings, outside of code. */
function anchors(page: string): Set<string> {
  const headings = read(page)
    .replace(/^```[\s\S]*?^```/gm, "")
    .matchAll(/^#+ (.+)$/gm);
  return new Set([...headings].map(([, heading = ""]) => githubSlug(heading)));
}

test("every anchor of a link is a heading of the page", () => {
  const dead = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\(([^)\s#:]*)#([^)\s]+)\)/g)]
      .map(([, file, anchor = ""]) => [file ? join(dirname(page), file) : page, anchor] as const)
      .filter(([file, anchor]) => file.endsWith(".md") && !anchors(file).has(anchor))
      .map(([file, anchor]) => `${page}: ${file}#${anchor}`),
  );
  expect(dead).toEqual([]);
});

test("code, charts and manifests name only pages that exist, and headings that these have", () => {
  const files = globSync(["{src,charts,webhook-config,scheduler-config,dev,bench}/**/*.{ts,yaml,yml,tpl,txt,json}"], {
    cwd: ROOT,
  });
  expect(files).toContain("src/doctor/rules/starts.ts");
  const dead = files.flatMap((file) =>
    [...read(file).matchAll(/docs\/([\w/-]+\.md)(?:#([\w-]+))?/g)]
      .map(([, page = "", anchor]) => [join("docs", page), anchor] as const)
      .filter(([page, anchor]) => !existsSync(join(ROOT, page)) || (anchor && !anchors(page).has(anchor)))
      .map(([page, anchor = ""]) => `${file}: ${page} ${anchor}`),
  );
  expect(dead).toEqual([]);
});

test("docs/README.md, which the site's sidebar follows, names every page of docs/", () => {
  const named = sidebar().flatMap(({ items }) => items.map(({ link }) => `docs${link}`.replace(/\/$/, "/README")));
  const there = pages.filter((page) => /^docs\/([\w-]+|(adr|experiments)\/README)\.md$/.test(page));
  expect(named.map((page) => `${page}.md`).sort()).toEqual(there.filter((page) => page !== "docs/README.md").sort());
});

test("every page of docs/ begins with a heading and a paragraph, which says for whom it is or what it has", () => {
  const headless = pages
    .filter((page) => /^docs\/[\w-]+\.md$/.test(page))
    .filter((page) => !/^# .+\n\n(<!--[^>]*-->\n\n)?[A-Z`*[][^\n]{30,}/.test(read(page)));
  expect(headless).toEqual([]);
});

test("every file that the pages name exists", () => {
  const missing = pages.flatMap((page) =>
    namedFiles(page)
      .filter((file) => !existsSync(join(ROOT, file)))
      .map((file) => `${page}: ${file}`),
  );
  expect(missing).toEqual([]);
});

test("the design names at most ten files from a pod's admission to its release, and one for each of the five questions", () => {
  const [, way = ""] = /## The way of one pod\n([\s\S]*?)\n## /.exec(read("docs/design.md")) ?? [];
  expect(way.match(/^\d+\. \[src\//gm)?.length).toBeLessThanOrEqual(10);
  const questions = way.split("\n- ").slice(1);
  expect(questions).toHaveLength(5);
  for (const question of questions) expect(question.match(/\]\(\.\.\/src\//g), question).toHaveLength(1);
});

test("no table of a page is as wide as a paragraph is long: sentences are in lists", () => {
  const WIDEST = 200; // characters of a line; the tables of figures need 190
  const wide = pages
    .filter((page) => /^docs\/[\w-]+\.md$/.test(page))
    .filter((page) =>
      read(page)
        .split("\n")
        .some((line) => line.startsWith("|") && line.length > WIDEST),
    );
  expect(wide).toEqual([]);
});

test("prose of the pages wraps at 120; tables, code and long links do not", () => {
  const long = pages.flatMap((page) => {
    const outsideCode = read(page).replace(/^```[\s\S]*?^```/gm, "");
    const lines = outsideCode.split("\n").filter((line) => line.length > 120 && line.trim().includes(" "));
    return lines
      .filter((line) => !/^\s*\||\]\([^)]{60,}\)|https?:|`[^`]{60,}`|`[^`]{60,}$/.test(line))
      .map((line) => `${page}: ${line}`);
  });
  expect(long).toEqual([]);
});
