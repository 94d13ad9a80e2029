/**
 * Links of the docs lead to files of the repository, as on GitHub. On the site those to a folder's README lead to its
 * index, and those to what is no page of the site lead to the repository.
 */
import { posix } from "node:path";
import type { MarkdownRenderer } from "vitepress";

/** The link as the site needs it. `page`: path of the page in docs/. */
export function siteLink(href: string, page: string, source: string): string {
  if (/^([a-z]+:|#|\/)/.test(href)) return href;
  const [path = "", anchor] = href.split("#");
  const target = posix.join("docs", posix.dirname(page), path);
  const rest = anchor === undefined ? "" : `#${anchor}`;
  const isPage = target.startsWith("docs/") && target.endsWith(".md");
  if (!isPage) return `${source}/${target}${rest}`;
  return `${path.replace(/(^|\/)README\.md$/, "$1index.md")}${rest}`;
}

/** Changes the links before VitePress checks and renders them. */
export function sourceLinks(markdown: MarkdownRenderer, source: string): void {
  markdown.core.ruler.push("source-links", ({ tokens, env }) => {
    const { relativePath } = env as { relativePath: string };
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const href = token.type === "link_open" ? token.attrGet("href") : null;
      if (href !== null) token.attrSet("href", siteLink(href, relativePath, source));
    }
  });
}
