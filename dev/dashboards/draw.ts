/** Draws a board as one SVG: what each panel's queries returned, for the docs. */
import { escaped } from "../../src/api/html-text.ts";
import type { Board, Panel, Unit } from "./boards.ts";
import type { Series } from "./prometheus.ts";

/** A panel with its lines; none: it had no data. */
export interface DrawnPanel {
  readonly panel: Panel;
  readonly lines: readonly (readonly [legend: string, series: Series])[];
}

const COLUMNS = 3;
const [WIDTH, HEIGHT, GAP] = [370, 236, 16];
/** Inside a panel: where the plot is. */
const PLOT = { left: 58, top: 36, width: WIDTH - 74, height: 118 } as const;
/** Lines of a legend that have room. */
const MOST_NAMED = 6;
/** Lines that others are held against. */
const BOUND = /\b(provisioned|limit|cap|cores)\b/;
/** Okabe and Ito's colours, which people with colour blindness can tell apart. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a00", "#777777"];

/** What a board shows, epoch s; `from` is 0 s of the pictures. `step`: between two points of a line, s. */
export interface Span {
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

/** The document. Times of the lines are in epoch s. */
export function boardSvg(board: Board, drawn: readonly DrawnPanel[], span: Span): string {
  const rows = Math.ceil(drawn.length / COLUMNS);
  const [width, height] = [COLUMNS * (WIDTH + GAP) + GAP, 48 + rows * (HEIGHT + GAP)];
  const panels = drawn.map((one, at) => {
    const [x, y] = [GAP + (at % COLUMNS) * (WIDTH + GAP), 48 + Math.floor(at / COLUMNS) * (HEIGHT + GAP)];
    return `<g transform="translate(${x} ${y})">${panelSvg(one, span)}</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(`${board.title}: ${board.about}`)}">
<style>${STYLE}</style>
<rect class="page" width="${width}" height="${height}"/>
<text class="title" x="${GAP}" y="31">${escaped(board.title)}</text>
${panels.join("\n")}
</svg>
`;
}

function panelSvg({ panel, lines }: DrawnPanel, { from, to, step }: Span): string {
  const frame = `<rect class="panel" width="${WIDTH}" height="${HEIGHT}" rx="4"/><text class="name" x="12" y="22">${escaped(panel.title)}</text>`;
  if (lines.length === 0) {
    return `${frame}<text class="tick" x="12" y="60">No data: ${escaped(panel.emptyBecause ?? "none came")}.</text>`;
  }
  const shown = panel.stacked ? stacked(lines) : lines;
  const most = Math.max(...shown.flatMap(([, { points }]) => points.map(([, value]) => value)));
  const top = niceTop(Math.max(most, panel.unit === "percentunit" ? 1 : 0));
  const x = (at: number) => PLOT.left + ((at - from) / (to - from)) * PLOT.width;
  const y = (value: number) => PLOT.top + PLOT.height * (1 - value / top);
  const grid = [0, 0.5, 1].map((share) => {
    const at = y(share * top);
    return `<path class="grid" d="M${PLOT.left} ${short(at)}h${PLOT.width}"/><text class="tick" text-anchor="end" x="${PLOT.left - 6}" y="${short(at + 4)}">${label(share * top, panel.unit)}</text>`;
  });
  const times = [0, 0.5, 1].map(
    (share) =>
      `<text class="tick" text-anchor="middle" x="${short(PLOT.left + share * PLOT.width)}" y="${PLOT.top + PLOT.height + 16}">${Math.round(share * (to - from))} s</text>`,
  );
  const at = ([when, value]: Point) => `${short(x(when))} ${short(y(value))}`;
  /** A point without neighbours is a dot. */
  const pathOf = (points: readonly Point[]) => `M${points.map(at).join("L")}${points.length === 1 ? "h0" : ""}`;
  const paths = shown.map(
    ([name, { points }], index) =>
      `<path fill="none" stroke="${colour(index)}" stroke-width="1.6" stroke-linecap="round"${BOUND.test(name) ? ' stroke-dasharray="5 4"' : ""} d="${unbroken(points, step).map(pathOf).join("")}"/>`,
  );
  return [frame, ...grid, ...times, ...paths, legend(shown.map(([name]) => name))].join("");
}

type Point = Series["points"][number];

/** The pieces of a line between its gaps: more than two steps without a point. */
function unbroken(points: readonly Point[], step: number): Point[][] {
  const pieces: Point[][] = [];
  for (const point of points) {
    const piece = pieces.at(-1);
    const before = piece?.at(-1)?.[0] ?? -Infinity;
    if (piece && point[0] - before <= 2 * step) piece.push(point);
    else pieces.push([point]);
  }
  return pieces;
}

/** Each line upon those before it. */
function stacked(lines: DrawnPanel["lines"]): DrawnPanel["lines"] {
  const sums = new Map<number, number>();
  return lines.map(([name, { labels, points }]) => {
    const raised = points.map(([at, value]) => {
      const sum = (sums.get(at) ?? 0) + value;
      sums.set(at, sum);
      return [at, sum] as const;
    });
    return [name, { labels, points: raised }] as const;
  });
}

function legend(names: readonly string[]): string {
  const shown =
    names.length > MOST_NAMED ? [...names.slice(0, MOST_NAMED - 1), `${names.length - MOST_NAMED + 1} more`] : names;
  return shown
    .map((name, at) => {
      const [x, y] = [12 + (at % 2) * 180, PLOT.top + PLOT.height + 36 + Math.floor(at / 2) * 15];
      const isLine = at < MOST_NAMED - 1 || names.length <= MOST_NAMED;
      const mark = isLine ? `<rect x="${x}" y="${y - 7}" width="10" height="3" fill="${colour(at)}"/>` : "";
      return `${mark}<text class="tick" x="${x + 15}" y="${y}">${escaped(name)}</text>`;
    })
    .join("");
}

const colour = (at: number) => COLOURS[at % COLOURS.length] ?? "#777";
const short = (value: number) => String(Math.round(value * 10) / 10);

/** 1, 2 or 5 times a power of ten, at least `value`. */
function niceTop(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value * 0.999) ?? 10) * power;
}

const steps: readonly (readonly [size: number, mark: string])[] = [
  [2 ** 30, "Gi"],
  [2 ** 20, "Mi"],
  [2 ** 10, "Ki"],
];

function label(value: number, unit: Unit): string {
  const figure = (one: number) => String(Number(one.toPrecision(2)));
  if (unit === "percentunit") return `${figure(value * 100)} %`;
  if (unit === "bytes" || unit === "Bps") {
    const [size, mark] = steps.find(([one]) => value >= one) ?? [1, ""];
    return `${figure(value / size)} ${mark}B${unit === "Bps" ? "/s" : ""}`;
  }
  if (unit === "s") return value > 0 && value < 1 ? `${figure(value * 1_000)} ms` : `${figure(value)} s`;
  const perSecond = unit === "iops" || unit === "ops" || unit === "reqps" ? "/s" : "";
  return `${figure(value)}${perSecond}`;
}

const STYLE = `text{font-family:system-ui,sans-serif;fill:#1c1c1c}.title{font-size:20px;font-weight:600}.name{font-size:14px;font-weight:600}.tick{font-size:11px;fill:#555}.page{fill:#f4f5f5}.panel{fill:#fff;stroke:#ddd}.grid{stroke:#ddd;stroke-width:1}@media (prefers-color-scheme:dark){text{fill:#e8e8e8}.tick{fill:#aaa}.page{fill:#111217}.panel{fill:#1a1c21;stroke:#333}.grid{stroke:#333}}`;
