/** The scenarios that come with Paceline: one YAML file each, in the folder beside this file. */
import { readdirSync, readFileSync } from "node:fs";

const folder = new URL("builtin/", import.meta.url);

/** Their names, in alphabetical order. */
export function builtinNames(): readonly string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => file.slice(0, -".yaml".length))
    .sort();
}

/** The text of a built-in scenario; undefined if the name is unknown. */
export function builtinText(name: string): string | undefined {
  return builtinNames().includes(name) ? readFileSync(new URL(`${name}.yaml`, folder), "utf8") : undefined;
}
