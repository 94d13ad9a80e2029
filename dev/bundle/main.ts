/** `npm run bundle`: fills dist/, which `npm pack` and the image hold. */
import { join } from "node:path";
import { bundleModules } from "./bundle.ts";

const packages = await bundleModules(join(import.meta.dirname, "../../dist"));
console.error(`dist/: src/ and ${packages.length} packages`);
