/** The picture of a replay as SVG: the share of pods that are Ready over time, recorded and with Paceline. */
import { sharePoints } from "../../simulate/report/share-points.ts";
import type { HerdReplay } from "../replay.ts";

const WIDTH = 860;
const HEIGHT = 320;
const EDGE = { left: 56, right: 16, top: 40, bottom: 44 } as const;
/** Colours that people with colour blindness can tell apart (Okabe and Ito's palette). */
const COLOURS = { recorded: "#d55e00", model: "#999999", Paceline: "#009e73" } as const;

interface Curve {
  readonly label: string;
  readonly colour: string;
  readonly readyAtSeconds: readonly number[];
}

export function pictureOf({ recorded, model, forecast }: HerdReplay): string {
  const curves: Curve[] = [
    { label: "recorded", colour: COLOURS.recorded, ...recorded },
    ...(model ? [{ label: "model, nothing held", colour: COLOURS.model, ...model }] : []),
    ...(forecast ? [{ label: "Paceline", colour: COLOURS.Paceline, ...forecast.given }] : []),
  ];
  const lastSeconds = Math.max(1, ...curves.map(({ readyAtSeconds }) => readyAtSeconds.at(-1) ?? 0));
  const x = (seconds: number) => round(EDGE.left + (seconds / lastSeconds) * (WIDTH - EDGE.left - EDGE.right));
  const y = (share: number) => round(HEIGHT - EDGE.bottom - share * (HEIGHT - EDGE.top - EDGE.bottom));
  const bottom = y(0);
  const xTicks = ticksUpTo(lastSeconds).map(
    (at) =>
      `<line x1="${x(at)}" x2="${x(at)}" y1="${y(1)}" y2="${bottom}" stroke="#eee"/>` +
      `<text x="${x(at)}" y="${bottom + 18}" text-anchor="middle">${at} s</text>`,
  );
  const yTicks = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<line x1="${EDGE.left}" x2="${WIDTH - EDGE.right}" y1="${y(share)}" y2="${y(share)}" stroke="#eee"/>` +
      `<text x="${EDGE.left - 8}" y="${y(share) + 4}" text-anchor="end">${share * 100} %</text>`,
  );
  const lines = curves.map(
    ({ colour, readyAtSeconds }) =>
      `<polyline fill="none" stroke="${colour}" stroke-width="2.5" points="${[
        [0, 0] as const,
        ...sharePoints(readyAtSeconds),
      ]
        .map(([seconds, share]) => `${x(seconds)},${y(share)}`)
        .join(" ")}"/>`,
  );
  const legend = curves.map(
    ({ label, colour }, at) =>
      `<rect x="${EDGE.left + at * 190}" y="12" width="14" height="4" fill="${colour}"/>` +
      `<text x="${EDGE.left + 20 + at * 190}" y="18">${label}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Share of pods that are Ready, over the seconds since the first node opened" font-family="system-ui, sans-serif" font-size="13" fill="#333">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    ...xTicks,
    ...yTicks,
    ...lines,
    ...legend,
    "</svg>",
  ].join("\n");
}

function ticksUpTo(last: number): readonly number[] {
  const step = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600].find((one) => last / one <= 9) ?? 7_200;
  return Array.from({ length: Math.floor(last / step) + 1 }, (_, at) => at * step);
}

const round = (value: number) => Math.round(value * 10) / 10;
