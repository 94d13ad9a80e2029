/** .github/workflows: actionlint with shellcheck, and what actionlint does not ask for. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { versions } from "../../dev/control-plane/build.ts";
import { findTool } from "../../dev/go-tools.ts";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");
const FOLDER = join(ROOT, ".github/workflows");

interface Job {
  readonly permissions?: Record<string, string>;
  readonly if?: string;
  readonly needs?: string | readonly string[];
  /** Another workflow, in place of steps; its jobs have their own time-outs. */
  readonly uses?: string;
  readonly steps?: readonly {
    readonly uses?: string;
    readonly id?: string;
    readonly run?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly with?: Record<string, unknown>;
  }[];
  readonly strategy?: { readonly matrix?: { readonly version?: readonly string[] } };
  readonly "timeout-minutes"?: number;
}
interface Workflow {
  readonly permissions?: Record<string, string>;
  readonly on: object;
  readonly jobs: Readonly<Record<string, Job>>;
}

const workflow = (file: string) => parse(readFileSync(join(FOLDER, file), "utf8")) as Workflow;
const files = readdirSync(FOLDER);

describe(".github/workflows", () => {
  const hasShellcheck = run("shellcheck", ["--version"]).then(
    () => true,
    () => false,
  );

  it("pass actionlint, and their shell lines pass shellcheck (Debian's package shellcheck)", async (context) => {
    // In CI it is there (.ci/run), so nothing is skipped.
    if (!(await hasShellcheck) && process.env["CI"] !== "true") context.skip("shellcheck is not installed");
    const paths = files.map((file) => join(FOLDER, file));
    await run(await findTool("actionlint"), ["-shellcheck", "shellcheck", "-pyflakes", "", ...paths]);
  });

  it.each(files)("%s may read the contents by default, and a job more only by name; each job ends", (file) => {
    const { permissions, jobs } = workflow(file);
    expect(permissions).toEqual({ contents: "read" });
    for (const [name, job] of Object.entries(jobs)) {
      if (job.uses === undefined) expect(job["timeout-minutes"], name).toBeGreaterThan(0);
      const writes = Object.entries(job.permissions ?? {}).filter(([, value]) => value === "write");
      const allowed = file === "site.yml" && name === "deploy" ? ["pages", "id-token"] : [];
      if (file !== "release.yml")
        expect(
          writes.map(([key]) => key),
          name,
        ).toEqual(allowed);
    }
  });

  it.each(files)("%s uses actions of a version, and keeps no token in the checkout", (file) => {
    for (const { uses = "", with: given } of Object.values(workflow(file).jobs).flatMap(({ steps = [] }) => steps)) {
      if (uses !== "") expect(uses).toMatch(/@(v\d+(\.\d+)*|[0-9a-f]{40})$/);
      if (uses.startsWith("actions/checkout@")) expect(given).toMatchObject({ "persist-credentials": false });
    }
  });

  it("run the tests on every Kubernetes that can be built", () => {
    expect(workflow("test.yml").jobs["kubernetes"]?.strategy?.matrix?.version).toEqual(versions());
  });

  it("publish nothing before every test has passed and the executables are built", () => {
    const { jobs } = workflow("release.yml");
    expect(jobs["test"]?.uses).toBe("./.github/workflows/test.yml");
    expect(workflow("test.yml").on).toHaveProperty("workflow_call");
    const publishing = Object.entries(jobs).filter(([, job]) => job.permissions?.["id-token"] === "write");
    expect(publishing.map(([name]) => name)).toEqual(["npm", "image", "chart", "github"]);
    for (const [name, { needs }] of publishing)
      expect(needs, name).toEqual(expect.arrayContaining(["test", "executables"]));
  });

  it("attach the archives of the executables to the release, with krew's manifest, which has their sums", () => {
    const { jobs } = workflow("release.yml");
    const steps = jobs["executables"]?.steps ?? [];
    expect(steps.map(({ run: text }) => text)).toContain("npm run krew -- files");
    const uploaded = steps.find(({ uses = "" }) => uses.startsWith("actions/upload-artifact@"));
    expect(uploaded?.with).toMatchObject({ path: "files" });
    expect(jobs["github"]?.needs).toContain("executables");
  });

  it("sign each archive before the release has it, and SECURITY.md checks it by the file that is then beside it", () => {
    const lines = workflow("release.yml").jobs["github"]?.steps?.map(({ run: text = "" }) => text) ?? [];
    const signs = lines.findIndex((text) =>
      text.includes('cosign sign-blob --yes --bundle "$archive.bundle" "$archive"'),
    );
    expect(signs).toBeGreaterThan(-1);
    expect(lines.findIndex((text) => text.includes("gh release create"))).toBeGreaterThan(signs);
    const security = readFileSync(join(ROOT, "SECURITY.md"), "utf8");
    expect(security).toContain("--bundle paceline-linux-x64.tar.gz.bundle paceline-linux-x64.tar.gz\n");
  });

  it("publish the site of main that was built, below the path at which Pages serves it, and of no pull request", () => {
    const { on, jobs } = workflow("site.yml");
    expect(on).toEqual({ push: { branches: ["main"] }, workflow_dispatch: null });
    const steps = jobs["build"]?.steps ?? [];
    const built = steps.find(({ run: text }) => text === "npm run site");
    const from = steps.find(({ uses = "" }) => uses.startsWith("actions/configure-pages@"))?.id ?? "";
    expect(built?.env).toEqual({ SITE_BASE: `\${{ steps.${from}.outputs.base_path }}/` });
    expect(readFileSync(join(ROOT, "dev/site/config.ts"), "utf8")).toContain('base: process.env["SITE_BASE"]');
    const uploaded = steps.find(({ uses = "" }) => uses.startsWith("actions/upload-pages-artifact@"));
    expect(uploaded?.with).toEqual({ path: "out/site" });
    expect(jobs["deploy"]?.needs).toBe("build");
  });

  it("publish no site from forks, which have no Pages", () => {
    const { homepage } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { homepage: string };
    const [, repository = ""] = /^https:\/\/github\.com\/([^#]+)/.exec(homepage) ?? [];
    expect(workflow("site.yml").jobs["build"]?.if).toBe(`github.repository == '${repository}'`);
  });

  it("publish from the repository that package, chart and SECURITY.md name: provenance is checked against it", () => {
    const read = (file: string) => readFileSync(join(ROOT, file), "utf8");
    const { repository } = JSON.parse(read("package.json")) as { repository: { url: string } };
    const [, address = "", owner = ""] =
      /^git\+(https:\/\/github\.com\/([^/]+)\/paceline)\.git$/.exec(repository.url) ?? [];
    expect(parse(read("charts/paceline/Chart.yaml"))).toMatchObject({ home: address, sources: [address] });
    expect(read("SECURITY.md")).toContain(`^${address}/`);
    for (const file of ["SECURITY.md", "charts/paceline/README.md"]) {
      const owners = [...read(file).matchAll(/ghcr\.io\/([^/]+)\//g)].map(([, one]) => one);
      expect([...new Set(owners)], file).toEqual([owner]);
    }
  });

  it("install on kind by the commands of test/kind/README.md", () => {
    const words = (text: string) => text.replace(/["\\]|--wait --timeout \d+m/g, "").replace(/\s+/g, " ");
    const readme = words(readFileSync(join(ROOT, "test/kind/README.md"), "utf8"));
    const steps = workflow("e2e.yml").jobs["kind"]?.steps ?? [];
    const commands = steps.map(({ run: text = "" }) => words(text)).join(" ");
    for (const line of ["kind create cluster", "docker build", "kubectl -n paceline create secret", "helm install"]) {
      const [command = ""] = new RegExp(`${line}.*?(?= (kubectl|helm|kind load|\`\`\`| Then|&&|$))`).exec(readme) ?? [];
      expect(command).not.toBe("");
      expect(commands).toContain(command);
    }
  });
});
