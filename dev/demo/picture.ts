/**
 * The demo as a picture: pods Ready over time, without Paceline and with it. One SVG without script; it follows the
 * reader's light or dark setting, and brings its own ground, so that it can be read on any page.
 */
import type { DemoResult, HerdResult } from "./table.ts";

const WIDTH = 640;
const HEIGHT = 310;
/** Space around the plot, px: for the title, both axes and what is written beside the lines. */
const PLOT = { left: 52, right: WIDTH - 20, top: 82, bottom: HEIGHT - 38 };

/** Steps of the axis of time, s: the first that gives at most eight of them. */
const STEPS = [1, 2, 5, 10, 20, 30, 60, 120];
const MOST_STEPS = 8;

/** Colours after Okabe and Ito, for people with colour blindness too; the unpaced line is dashed as well. */
const STYLE = `
  .ground { fill: #ffffff } text { fill: #1f2328; font: 15px system-ui, sans-serif } .title { font-weight: 600 }
  .axis { fill: #59636e; font-size: 13px } .grid { stroke: #d1d9e0; stroke-width: 1 }
  .line { fill: none; stroke-width: 2.5 } .unpaced { stroke: #c04a00; stroke-dasharray: 7 4 } .paced { stroke: #00795a }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 } text { fill: #f0f6fc } .axis { fill: #9198a1 } .grid { stroke: #3d444d }
    .unpaced { stroke: #ff9a4d } .paced { stroke: #2fc99a }
  }`;

interface Scale {
  readonly x: (second: number) => number;
  readonly y: (pods: number) => number;
}

/** The text of an SVG file. */
export function readyPicture({ unpaced, paced }: DemoResult): string {
  const endSecond = Math.max(unpaced.makespanSeconds, paced.makespanSeconds);
  const step = STEPS.find((one) => endSecond / one <= MOST_STEPS) ?? endSecond;
  const lastSecond = Math.ceil(endSecond / step) * step;
  const pods = Math.max(unpaced.readySeconds.length, paced.readySeconds.length);
  const scale: Scale = {
    x: (second) => round(PLOT.left + ((PLOT.right - PLOT.left) * second) / lastSecond),
    y: (count) => round(PLOT.bottom - ((PLOT.bottom - PLOT.top) * count) / Math.max(1, pods)),
  };
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="title">
<title id="title">${summary(unpaced, paced)}</title>
<style>${STYLE}
</style>
<rect class="ground" width="${WIDTH}" height="${HEIGHT}" rx="6"/>
<text class="title" x="${PLOT.left}" y="22">Pods Ready of ${pods}, by seconds since three young nodes joined</text>
${key(44, "paced", `with Paceline: ${outcome(paced)}`)}
${key(64, "unpaced", `without Paceline: ${outcome(unpaced)}`)}
${axes(scale, lastSecond, step, pods)}
${line("unpaced", unpaced, scale)}
${line("paced", paced, scale)}
</svg>
`;
}

/** The two lines in words, for readers that do not see them. */
function summary(unpaced: HerdResult, paced: HerdResult): string {
  return `Pods Ready over time. With Paceline: ${outcome(paced)}. Without Paceline: ${outcome(unpaced)}.`;
}

const outcome = ({ makespanSeconds, startErrors }: HerdResult) =>
  `all Ready after ${makespanSeconds.toFixed(1)} s, ${startErrors} failed starts`;

const key = (y: number, name: string, text: string) =>
  `<path class="line ${name}" d="M${PLOT.left} ${y - 4}h28"/><text x="${PLOT.left + 36}" y="${y}">${text}</text>`;

function axes({ x, y }: Scale, lastSecond: number, step: number, pods: number): string {
  const seconds = Array.from({ length: Math.round(lastSecond / step) + 1 }, (_, index) => index * step);
  const counts = [...Array.from({ length: Math.ceil(pods / 25) - 1 }, (_, index) => index * 25), pods];
  return [
    ...counts.map((count) => `<path class="grid" d="M${PLOT.left} ${y(count)}H${PLOT.right}"/>`),
    ...counts.map(
      (count) => `<text class="axis" x="${PLOT.left - 8}" y="${y(count) + 4}" text-anchor="end">${count}</text>`,
    ),
    ...seconds.map(
      (second) => `<text class="axis" x="${x(second)}" y="${PLOT.bottom + 22}" text-anchor="middle">${second} s</text>`,
    ),
  ].join("\n");
}

/** Steps, as a pod is Ready or not; the end stays level until the other run ends. */
function line(name: string, { readySeconds }: HerdResult, { x, y }: Scale): string {
  const steps = readySeconds.map((second, index) => `H${x(second)}V${y(index + 1)}`);
  return `<path class="line ${name}" d="M${x(0)} ${y(0)}${steps.join("")}H${PLOT.right}"/>`;
}

const round = (pixels: number) => Math.round(pixels * 10) / 10;
