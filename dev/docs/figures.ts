/**
 * Figures in pages, between two comments: the script that measured them writes them, and no hand does. The figures are
 * kept in docs/figures, so that a test can see that no page was changed by hand.
 */

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
