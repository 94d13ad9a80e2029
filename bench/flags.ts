/** The command line of a bench: what is wrong with it is said in a line, with what there is; exit code 2. */
import { parseArgs, type ParseArgsConfig } from "node:util";

type Options = NonNullable<ParseArgsConfig["options"]>;

const WRONG_USAGE = 2;

export function endWith(message: string): never {
  process.stderr.write(`bench: ${message}\n`);
  process.exit(WRONG_USAGE);
}

/** @param options as `parseArgs` of node:util takes them */
export const flagsOf = <const Wanted extends Options>(options: Wanted) =>
  read({ options, allowPositionals: false }).values;

/** Flags, and what else is given, such as folders. */
export const argumentsOf = <const Wanted extends Options>(options: Wanted) => read({ options, allowPositionals: true });

function read<const Wanted extends Options>({
  options,
  allowPositionals,
}: {
  options: Wanted;
  allowPositionals: boolean;
}) {
  try {
    return parseArgs({ options, allowPositionals });
  } catch (error) {
    const flags = Object.entries(options).map(([name, { type }]) => `--${name}${type === "string" ? " …" : ""}`);
    return endWith(`${(error as Error).message}. Its flags: ${flags.join(", ")}.`);
  }
}

/** A whole number above 0. */
export function countOf(flag: string, text: string): number {
  const count = Number(text);
  return Number.isInteger(count) && count > 0 ? count : endWith(`--${flag} wants a whole number above 0`);
}

/** All of these names, or the one that is given. */
export const chosenOf = <Name extends string>(flag: string, names: readonly Name[], text: string | undefined) =>
  text === undefined ? names : [oneOf(flag, names, text)];

/** One of these names. */
export function oneOf<Name extends string>(flag: string, names: readonly Name[], text: string): Name {
  return names.find((name) => name === text) ?? endWith(`--${flag} "${text}" is none of ${names.join(", ")}`);
}
