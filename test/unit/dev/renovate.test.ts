/** Updates of what users run come one by one: none hides in a group of development packages. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "../../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

interface Rule {
  readonly groupName?: string;
  readonly matchPackageNames?: readonly string[];
}

it("the group of development packages leaves out every package that src/ imports, and names none that is gone", () => {
  const imported = globSync("src/**/*.ts", { cwd: root }).flatMap((file) =>
    [...read(file).matchAll(/^import (?:.* from )?"((?:@[\w.-]+\/)?[\w-]+)/gm)].map(([, name = ""]) => name),
  );
  const { packageRules } = JSON.parse(read("renovate.json")) as { packageRules: readonly Rule[] };
  const left = packageRules.find(({ groupName }) => groupName === "development")?.matchPackageNames ?? [];
  const shipped = [...new Set(imported)].filter((name) => name !== "node");
  expect(shipped).toContain("fastify");
  expect(left).toEqual(expect.arrayContaining(shipped.map((name) => `!${name}`)));
  const { devDependencies } = JSON.parse(read("package.json")) as { devDependencies: Record<string, string> };
  expect(left.map((name) => name.slice(1)).filter((name) => !(name in devDependencies))).toEqual([]);
});
