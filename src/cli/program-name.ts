/** The program's name in help texts: kubectl runs a file called `kubectl-paceline` for `kubectl paceline`. */
import { basename } from "node:path";

/** @param argv as in `process.argv`: Node or the single executable file, and what was started */
export function programName(argv: readonly string[]): "paceline" | "kubectl paceline" {
  return argv.slice(0, 2).some((path) => /^kubectl-paceline\b/.test(basename(path))) ? "kubectl paceline" : "paceline";
}
