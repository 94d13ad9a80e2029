/** `npm run site [-- --out DIR]`: builds the docs as a site into out/site. It fails on dead links. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "vitepress";
import { ROOT } from "./sidebar.ts";

const { values } = parseArgs({ options: { out: { type: "string", default: join(ROOT, "out/site") } } });
await build(join(ROOT, "docs"), { outDir: values.out });
