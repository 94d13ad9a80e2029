/**
 * Figures in pages, between two comments: the script that measured them writes them, and no hand does. The figures are
 * kept in docs/figures, so that a test can see that no page was changed by hand.
 */
import { availableParallelism, loadavg } from "node:os";

/** When and on which machine figures were measured. */
export interface Measured {
  /** Day, `2026-11-29`. */
  readonly measured: string;
  readonly cores: number;
  /** Load average when it began: above the cores, other work took its part of them. */
  readonly load: number;
}

/** Ask it before the measurement begins. */
export const measuredHere = (): Measured => ({
  measured: new Date().toISOString().slice(0, 10),
  cores: availableParallelism(),
  load: loadavg()[0] ?? 0,
});

/** The same in a sentence. */
export function measuredWhere({ measured, cores, load }: Measured): string {
  const busy = load > cores ? `, which other work used as well (load average ${load.toFixed(1)})` : "";
  return `Measured on ${measured} on ${cores} cores${busy}.`;
}

const END = "<!-- end of figures -->";
const beginning = (name: string) => `<!-- figures: ${name} -->`;

/** The page with this text between the comments of this name. @throws if the page has no such place */
export function withFigures(page: string, name: string, text: string): string {
  const from = page.indexOf(beginning(name));
  const to = page.indexOf(END, from);
  if (from < 0 || to < 0) throw new Error(`the page has no place for the figures "${name}"`);
  return `${page.slice(0, from)}${beginning(name)}\n\n${text}\n\n${page.slice(to)}`;
}

/** Names of the places for figures in a page. */
export const figureNames = (page: string): string[] =>
  [...page.matchAll(/<!-- figures: (\S+) -->/g)].map(([, name = ""]) => name);
