/** How well text can be read: the contrast of each piece of text with what is behind it. */
import type { Page } from "playwright-core";

export interface Contrast {
  readonly text: string;
  /** 1 to 21. Source: WCAG 2.2, relative luminance. */
  readonly ratio: number;
}

/** Runs in the browser. */
const MEASURE = `(() => {
  const channels = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const luminance = (colour) => {
    const [red = 0, green = 0, blue = 0] = channels(colour).map((value) => linear(value / 255));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if ((channels(colour)[3] ?? 1) > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const hasText = (one) => [...one.childNodes].some((node) => node.nodeName === "#text" && node.textContent.trim());
  return [...document.body.querySelectorAll("*")]
    .filter((one) => one.checkVisibility() && hasText(one))
    .map((one) => {
      const [a, b] = [luminance(getComputedStyle(one).color), luminance(behind(one))];
      return { text: one.textContent.slice(0, 40), ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) };
    });
})()`;

/** Of all text that is seen, where colours are plain. */
export const contrasts = (page: Page): Promise<Contrast[]> => page.evaluate<Contrast[]>(MEASURE);
