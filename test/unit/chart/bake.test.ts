/** docker-bake.hcl, which no program here can read: what the release relies on. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "../../..");
const bake = readFileSync(join(root, "docker-bake.hcl"), "utf8");
const release = readFileSync(join(root, ".github/workflows/release.yml"), "utf8");

it("the release builds a target of docker-bake.hcl for both architectures, with provenance, under the image that it signs", () => {
  expect(release).toContain("docker buildx bake release --push");
  expect(bake).toMatch(
    /target "release" \{\s+inherits = \["image"\]\s+attest   = \["type=provenance,mode=max", "type=sbom"\]/,
  );
  expect(bake).toContain('platforms  = ["linux/amd64", "linux/arm64"]');
  for (const variable of ["IMAGE", "VERSION"]) expect(bake).toContain(`variable "${variable}"`);
  expect(release).toContain('IMAGE="$REGISTRY/paceline"');
  expect(release).toContain('image="$REGISTRY/paceline@$(jq -r \'.release."containerimage.digest"\' metadata.json)"');
});
