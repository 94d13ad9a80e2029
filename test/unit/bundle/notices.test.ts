/** The licences of what is in the bundle: none is forgotten, and none is of a kind that we have not thought about. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bundleModules } from "../../../dev/bundle/bundle.ts";
import type { BundledPackage } from "../../../dev/bundle/bundled-packages.ts";

/** They ask for their text to go with the code, and for nothing else. */
const PERMISSIVE = ["0BSD", "Apache-2.0", "BlueOak-1.0.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"];
let folder: string;
let packages: readonly BundledPackage[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-notices-"));
  packages = await bundleModules(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("the notices have each package whose code is in the bundle, uPlot's text among them", async () => {
  const notices = await readFile(join(folder, "THIRD-PARTY-NOTICES.txt"), "utf8");
  const names = packages.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["fastify", "undici", "uplot", "zod", "@kubernetes/client-node"]));
  for (const { name, version, license } of packages) expect(notices).toContain(`\n${name} ${version} (${license})\n`);
});

it("every licence in the bundle is a permissive one", () => {
  expect(packages.filter(({ license }) => !PERMISSIVE.includes(license))).toEqual([]);
});

it("every import that the bundle leaves to the outside is of Node itself", async () => {
  const chunks = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".mjs"));
  const texts = await Promise.all(chunks.map((name) => readFile(join(folder, name), "utf8")));
  const imported = texts.flatMap((text) => [...text.matchAll(/^(?:import|export) [^"'\n]*from "([^"]+)";$/gm)]);
  const outside = new Set(imported.map(([, name]) => name ?? "").filter((name) => !name.startsWith(".")));
  const { builtinModules } = await import("node:module");
  expect([...outside].filter((name) => !builtinModules.includes(name.replace(/^node:/, "")))).toEqual([]);
});
