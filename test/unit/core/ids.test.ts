import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { imageName } from "../../../src/core/ids.ts";

const DIGEST = `sha256:${"5f".repeat(32)}`;

describe("an image's name is the one that kubelets list", () => {
  it.each([
    ["nginx", "docker.io/library/nginx:latest"],
    ["nginx:1.27", "docker.io/library/nginx:1.27"],
    ["docker.io/nginx:1.27", "docker.io/library/nginx:1.27"],
    ["index.docker.io/nginx", "docker.io/library/nginx:latest"],
    ["index.docker.io/team/app:2", "docker.io/team/app:2"],
    ["team/app", "docker.io/team/app:latest"],
    ["localhost/app", "localhost/app:latest"],
    ["localhost:5000/app", "localhost:5000/app:latest"],
    ["registry.example:5000/team/app:2", "registry.example:5000/team/app:2"],
    ["REGISTRY/app", "REGISTRY/app:latest"],
    [`nginx@${DIGEST}`, `docker.io/library/nginx@${DIGEST}`],
    [`nginx:1.27@${DIGEST}`, `docker.io/library/nginx@${DIGEST}`],
    [`registry.example:5000/app:2@${DIGEST}`, `registry.example:5000/app@${DIGEST}`],
    [`registry.example:5000/app@${DIGEST}`, `registry.example:5000/app@${DIGEST}`],
  ])("%s", (reference, listed) => expect(imageName(reference)).toBe(listed));

  it("stays as it is once it is one", () => {
    const part = fc.stringMatching(/^[a-z0-9]{1,8}$/);
    const tag = fc.oneof(
      fc.constant(""),
      part.map((text) => `:${text}`),
    );
    const host = fc.constantFrom("", "docker.io/", "index.docker.io/", "localhost:5000/", "r.example/");
    fc.assert(
      fc.property(host, part, tag, fc.constantFrom("", `@${DIGEST}`), (...parts) => {
        const name = imageName(parts.join(""));
        expect(imageName(name)).toBe(name);
      }),
    );
  });
});
