#!/usr/bin/env node
// In a checkout the sources run. The npm package has no src/, because Node strips no types below node_modules: there
// the bundle runs (docs/adr/0014).
import { existsSync } from "node:fs";

const sources = new URL("../src/cli/main.ts", import.meta.url);
await import(existsSync(sources) ? sources.href : new URL("../dist/main.mjs", import.meta.url).href);
