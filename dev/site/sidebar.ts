/** The order of the docs. docs/README.md has it, and the site's sidebar follows. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "../..");

export interface Chapter {
  readonly text: string;
  readonly items: { readonly text: string; readonly link: string }[];
}

/** A chapter for each `## ` heading, with the links at the beginning of its list's lines. */
export function sidebar(order = readFileSync(join(ROOT, "docs/README.md"), "utf8")): Chapter[] {
  return order
    .split(/^## /m)
    .slice(1)
    .map((part) => ({
      text: part.slice(0, part.indexOf("\n")),
      items: [...part.matchAll(/^- \[([^\]]+)\]\(([^):]+)\.md\)/gm)].map(([, text = "", page = ""]) => ({
        text: text.replaceAll("`", ""),
        link: `/${page.replace(/README$/, "")}`,
      })),
    }));
}
