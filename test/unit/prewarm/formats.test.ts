/** What every format of `paceline prewarm` writes: valid for the tool that takes it, and safe to run. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { Ajv } from "ajv";
import { UsageError } from "../../../src/api/usage-error.ts";
import { formats } from "../../../src/prewarm/formats/formats.ts";
import { volumeGib } from "../../../src/prewarm/formats/packer.ts";
import { isReference, type PrewarmImage } from "../../../src/prewarm/formats/prewarm-list.ts";
import { pullScript } from "../../../src/prewarm/formats/pull-script.ts";
import { hasProgram } from "../../support/telemetry-programs.ts";
import { options, someImages } from "./lists.ts";
import { mimeParts } from "./mime.ts";

const many = (count: number): PrewarmImage[] =>
  Array.from({ length: count }, (_, at) => ({ ref: `registry.test/app-${at}:1`, digest: undefined, bytes: 1_000 }));

const hasShellcheck = hasProgram("shellcheck");
if (!hasShellcheck) console.warn("SKIPPED: there is no shellcheck (Debian: shellcheck), so scripts are not checked");

/** Everything that shellcheck finds, notes on style as well. */
const shellcheck = (script: string) =>
  execFileSync("shellcheck", ["--format", "gcc", "-"], { input: script, encoding: "utf8" });

describe("scripts", () => {
  const scripts: Readonly<Record<string, string>> = {
    nodeadm: mimeParts(formats.nodeadm(someImages, options))[0]?.content ?? "",
    "al2-userdata": mimeParts(formats["al2-userdata"](someImages, options))[0]?.content ?? "",
    bottlerocket: formats.bottlerocket(someImages, options),
    "gke-secondary-disk": formats["gke-secondary-disk"](someImages, options),
  };
  it.skipIf(!hasShellcheck).each(Object.keys(scripts))("%s: shellcheck finds nothing", (name) => {
    expect(shellcheck(scripts[name] ?? "")).toBe("");
  });
  it.each(Object.keys(scripts))("%s: bash can read it", (name) => {
    expect(execFileSync("bash", ["-n"], { input: scripts[name] ?? "", encoding: "utf8" })).toBe("");
  });
});

it.each(Object.keys(formats) as (keyof typeof formats)[])("%s says whether sizes are compressed", (name) => {
  for (const sizes of ["compressed", "unpacked"] as const)
    expect(formats[name]({ ...someImages, sizes }, options)).toMatch(new RegExp(`4 images \\([\\d.]+ GiB ${sizes}\\)`));
});

it("volumes have room for the unpacked images and for their compressed layers", () => {
  // 500 MB: compressed ones unpack to three times as much, unpacked ones come with as much again at most.
  expect(volumeGib({ ...someImages, sizes: "compressed" }, 20)).toBe(22);
  expect(volumeGib({ ...someImages, sizes: "unpacked" }, 20)).toBe(21);
});

describe("user data", () => {
  it("has one script, and the given part: a NodeConfig is nodeadm's, a script comes after the pulls", () => {
    const nodeConfig = "apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec: {}\n";
    const script = "#!/bin/bash\n/etc/eks/bootstrap.sh my-cluster\n";
    const nodeadm = mimeParts(formats.nodeadm(someImages, { ...options, withPart: nodeConfig }));
    expect(nodeadm.map(({ type }) => type)).toEqual(["application/node.eks.aws", "text/x-shellscript"]);
    expect(parse(nodeadm[0]?.content ?? "")).toEqual(parse(nodeConfig));
    const al2 = mimeParts(formats["al2-userdata"](someImages, { ...options, withPart: script }));
    expect(al2.map(({ type }) => type)).toEqual(["text/x-shellscript", "text/x-shellscript"]);
    expect(al2[1]?.content).toBe(script);
  });
  it.each([
    { length: 60, pin: `sha256:${"ab".repeat(32)}`, count: 55, said: "55 images by digest" },
    { length: 60, pin: undefined, count: 85, said: "or 85 by tag with names of 60 characters" },
    { length: 80, pin: `sha256:${"ab".repeat(32)}`, count: 45, said: "and 45" },
    { length: 80, pin: undefined, count: 65, said: "or 65 with 80." },
  ])("has the room that docs/prewarm.md says: $said", ({ length, pin, count, said }) => {
    const docs = readFileSync(join(import.meta.dirname, "../../../docs/prewarm.md"), "utf8").replaceAll(/\s+/g, " ");
    expect(docs).toContain(said);
    const ref = `${"123456789012.dkr.ecr.eu-west-1.amazonaws.com/".padEnd(length - 7, "a")}:v1.2.3`;
    expect(ref).toHaveLength(length);
    const images = Array.from({ length: count }, () => ({ ref, digest: pin, bytes: 1_000 }));
    expect(mimeParts(formats.nodeadm({ ...someImages, images }, options))).toHaveLength(1);
  });
  it("beyond what EC2 takes is refused, with what to do instead", () => {
    const list = { ...someImages, images: many(400), className: undefined };
    expect(() => formats.nodeadm(list, options)).toThrow(UsageError);
    expect(() => formats.nodeadm(list, options)).toThrow(/16384.*--budget.*packer/);
  });
});

describe("objects", () => {
  // Written from the CRDs (openkruise/kruise v1alpha1 and v1beta1, senthilrch/kube-fledged v1alpha2), closed, so that a
  // key which the API server would drop is found.
  const strings = { type: "array", items: { type: "string" }, minItems: 1 };
  const labels = { type: "object", additionalProperties: { type: "string" } };
  const closed = (properties: object, required: readonly string[]) => ({
    type: "object",
    additionalProperties: false,
    properties,
    required,
  });
  const object = (apiVersion: string, kind: string, spec: object) =>
    closed(
      {
        apiVersion: { const: apiVersion },
        kind: { const: kind },
        metadata: closed(
          { name: { type: "string", pattern: "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$" }, namespace: { type: "string" } },
          ["name"],
        ),
        spec,
      },
      ["apiVersion", "kind", "metadata", "spec"],
    );
  const count = { type: "integer", minimum: 0 };
  const schemas = {
    kruise: object(
      "apps.kruise.io/v1alpha1",
      "ImageListPullJob",
      closed(
        {
          images: { ...strings, maxItems: 255 },
          imagePullPolicy: { enum: ["Always", "IfNotPresent"] },
          parallelism: count,
          selector: closed({ matchLabels: labels, names: strings }, []),
          pullPolicy: closed({ timeoutSeconds: count, backoffLimit: count }, []),
          // A deadline is for jobs that end (Always).
          completionPolicy: closed({ type: { const: "Never" } }, ["type"]),
        },
        ["images", "completionPolicy"],
      ),
    ),
    "kube-fledged": object(
      "kubefledged.io/v1alpha2",
      "ImageCache",
      closed(
        {
          cacheSpec: {
            type: "array",
            minItems: 1,
            items: closed({ images: strings, nodeSelector: labels }, ["images"]),
          },
        },
        ["cacheSpec"],
      ),
    ),
  } as const;

  for (const name of ["kruise", "kube-fledged"] as const) {
    it(`${name}: is what its CRD takes, for one class and for any`, () => {
      const validate = new Ajv({ allErrors: true }).compile(schemas[name]);
      for (const className of [someImages.className, undefined]) {
        validate(parse(formats[name]({ ...someImages, className }, options)));
        expect(validate.errors).toBeNull();
      }
    });
    it(`${name}: names images as pods do`, () => {
      const text = formats[name](someImages, options);
      for (const { ref } of someImages.images) expect(text).toContain(`- ${ref}\n`);
    });
  }
  it("kruise: more images than its webhook takes are refused", () => {
    expect(() => formats.kruise({ ...someImages, images: many(256), className: undefined }, options)).toThrow(
      /255.*--budget/,
    );
  });
});

describe("packer", () => {
  it("carries the pull script unchanged by HCL's templates", () => {
    const text = formats.packer(someImages, options);
    const [, script = ""] = /<<-PACELINE_PREWARM\n([^]*?)\n {4}PACELINE_PREWARM/.exec(text) ?? [];
    expect(script.replaceAll("$${", "${").replaceAll("%%{", "%{")).toBe(
      pullScript(someImages, { ...options, timeoutSeconds: 3_600 }),
    );
    expect(script.replaceAll("$${", "")).not.toContain("${");
  });
});

const BAD = Array.from("\n\r \t'\"`$;&|<>(){}%\\!*?#~");

describe("references", () => {
  it("are refused when a shell, a list or a template could read more in them than a name", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.constantFrom(...BAD), (text, bad) => {
        expect(isReference(`registry.test/a${bad}${text}:1`)).toBe(false);
      }),
    );
    expect(someImages.images.map(({ ref }) => isReference(ref))).toEqual([true, true, true, true]);
    expect(isReference("-rf/x:1")).toBe(false);
    expect(isReference("registry.test/app")).toBe(false);
  });
});
