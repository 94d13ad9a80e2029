/** `npm run sbom`: prints the image's bill of materials (production dependencies) as CycloneDX. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const OUTPUT_BYTES = 64 * 1_048_576;
const run = promisify(execFile);

/** npm's own list, from the lock file alone. */
export async function sbom(): Promise<string> {
  const flags = ["sbom", "--omit=dev", "--package-lock-only", "--sbom-format=cyclonedx", "--sbom-type=application"];
  return (await run("npm", flags, { maxBuffer: OUTPUT_BYTES })).stdout;
}

if (import.meta.main) process.stdout.write(await sbom());
