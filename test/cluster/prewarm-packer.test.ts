/** The Packer template against HashiCorp's parser. */
import { expect, test } from "vitest";
import { formats } from "../../src/prewarm/formats/formats.ts";
import { hclfmt } from "../support/hclfmt.ts";
import { options, someImages } from "../unit/prewarm/lists.ts";

test("HashiCorp's parser takes the Packer template, and would format it no other way", async () => {
  const text = formats.packer(someImages, options);
  expect(await hclfmt(text)).toBe(text);
});

test("the parser finds what is no HCL, so that the test above can fail", async () => {
  await expect(hclfmt(formats.packer(someImages, options).replace("}\n}", "}\n"))).rejects.toThrow(/Error/);
});
