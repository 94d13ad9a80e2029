/** `npm run sbom`: prints the image's bill of materials as CycloneDX: the packages whose code is in the bundle. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { bundleModules } from "../bundle/bundle.ts";

const OUTPUT_BYTES = 64 * 1_048_576;
const run = promisify(execFile);

interface Component {
  readonly "bom-ref": string;
  readonly scope?: string;
  readonly properties?: readonly { readonly name: string; readonly value: string }[];
}

interface Dependency {
  readonly ref: string;
  readonly dependsOn: readonly string[];
}

interface Bom {
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly Dependency[];
}

/** npm's own list, from the lock file alone, without what is not in the bundle. */
export async function sbom(): Promise<string> {
  const flags = ["sbom", "--package-lock-only", "--sbom-format=cyclonedx", "--sbom-type=application"];
  const [{ stdout }, refs] = await Promise.all([run("npm", flags, { maxBuffer: OUTPUT_BYTES }), bundledRefs()]);
  const all = JSON.parse(stdout) as Bom;
  const known = refs.add(all.metadata.component["bom-ref"]);
  const bom: Bom = {
    ...all,
    components: all.components.filter((component) => known.has(component["bom-ref"])).map(shipped),
    dependencies: all.dependencies
      .filter(({ ref }) => known.has(ref))
      .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((one) => known.has(one)) })),
  };
  return `${JSON.stringify(bom, undefined, 2)}\n`;
}

/** npm calls them optional, and for development: for an install of the npm package they are. */
const shipped = ({ properties = [], ...component }: Component): Component => ({
  ...component,
  scope: "required",
  properties: properties.filter(({ name }) => name !== "cdx:npm:package:development"),
});

async function bundledRefs(): Promise<Set<string>> {
  const folder = await mkdtemp(join(tmpdir(), "paceline-sbom-"));
  try {
    return new Set((await bundleModules(folder)).map(({ name, version }) => `${name}@${version}`));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) process.stdout.write(await sbom());
