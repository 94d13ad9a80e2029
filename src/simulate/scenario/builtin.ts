/** The scenarios that come with Paceline: one YAML file each, in the folder beside this file. */
import { assetNames, assetText } from "../../api/assets.ts";

const FOLDER = "simulate/scenario/builtin";

/** Their names, in alphabetical order. */
export function builtinNames(): readonly string[] {
  return assetNames(FOLDER)
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => file.slice(0, -".yaml".length))
    .sort();
}

/** The text of a built-in scenario; undefined if the name is unknown. */
export function builtinText(name: string): string | undefined {
  return builtinNames().includes(name) ? assetText(`${FOLDER}/${name}.yaml`) : undefined;
}
