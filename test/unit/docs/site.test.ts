/** The site shows the pages as GitHub does: the same order, the same anchors, and links that lead somewhere. */
import { describe, expect, it } from "vitest";
import { sidebar } from "../../../dev/site/sidebar.ts";
import { githubSlug } from "../../../dev/site/slug.ts";
import { siteLink } from "../../../dev/site/source-links.ts";

const SOURCE = "https://example.com/source";

describe("a link of a page", () => {
  it.each([
    ["policy.md#general", "try.md", "policy.md#general"],
    ["../model.md", "adr/0003-limit.md", "../model.md"],
    ["adr/README.md", "design.md", "adr/index.md"],
    ["README.md#a", "adr/0003-limit.md", "index.md#a"],
    ["../README.md", "install.md", `${SOURCE}/README.md`],
    ["../src/api/reasons.ts", "reasons.md", `${SOURCE}/src/api/reasons.ts`],
    ["../../src/core/pacer.ts#L1", "adr/0003-limit.md", `${SOURCE}/src/core/pacer.ts#L1`],
    ["../charts/paceline/values", "install.md", `${SOURCE}/charts/paceline/values`],
    ["#general", "policy.md", "#general"],
    ["https://example.com/a.md", "policy.md", "https://example.com/a.md"],
  ])("%s on %s", (href, page, expected) => expect(siteLink(href, page, SOURCE)).toBe(expected));
});

it("the sidebar has a chapter for each heading of the order, and no link that stands within a sentence", () => {
  const order =
    "# Docs\n\n## First\n\n- [`one`](one.md): see [two](two.md).\n\n## Second\n\n- [All](adr/README.md): x\n";
  expect(sidebar(order)).toEqual([
    { text: "First", items: [{ text: "one", link: "/one" }] },
    { text: "Second", items: [{ text: "All", link: "/adr/" }] },
  ]);
});

it("anchors are those of GitHub", () => {
  expect(githubSlug("source: node-exporter (the default)")).toBe("source-node-exporter-the-default");
  expect(githubSlug("`slots.max` & more")).toBe("slotsmax--more");
});
