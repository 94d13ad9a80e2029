/** One self-contained HTML page: pods Ready and disk await over time, drawn by uPlot, which is copied into it. */
import { readFileSync } from "node:fs";
import type { Outcome } from "./outcome.ts";
import type { DiskLook } from "./sampler.ts";

/** Colours for people with colour blindness, too (Okabe and Ito's palette). */
const COLOURS: Readonly<Record<string, string>> = {
  "all-at-once": "#d55e00",
  "fixed-3": "#999999",
  "fixed-6": "#0072b2",
  paceline: "#009e73",
};

const CHARTS: readonly { title: string; figure: (look: DiskLook) => number | null }[] = [
  { title: "Pods Ready", figure: ({ ready }) => ready },
  { title: "Pods in startup", figure: ({ inStartup }) => inStartup },
  { title: "Disk await, ms", figure: ({ awaitMs }) => (awaitMs === undefined ? null : Math.round(awaitMs)) },
  { title: "Dirty page cache, MB", figure: ({ dirtyBytes }) => Math.round(dirtyBytes / 1e6) },
];

/** Draws the first round of each strategy, because a median of curves is no measured curve. */
export function picture(outcomes: readonly Outcome[]): string {
  const first = outcomes.filter(({ round }) => round === 1);
  const charts = [...Map.groupBy(first, ({ setting }) => setting)].flatMap(([setting, group]) =>
    CHARTS.map(({ title, figure }) => ({
      title: `${title} (${setting})`,
      lines: group.map(({ strategy, looks }) => ({
        label: strategy,
        colour: COLOURS[strategy] ?? "#000000",
        seconds: looks.map(({ second }) => Math.round(second)),
        values: looks.map(figure),
      })),
    })),
  );
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Paceline on a real node</title>
<style>${asset("uPlot.min.css")}
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1080px; padding: 24px; }</style></head>
<body>
<h1>The herd on a real node</h1>
<p>40 pods of 20 images; real kubelet, containerd and kube-scheduler; seconds since the node was Ready; first round of each strategy. How it was measured: docs/real-node.md.</p>
<main></main>
<script id="figures" type="application/json">${JSON.stringify(charts).replaceAll("<", "\\u003c")}</script>
<script>${asset("uPlot.iife.min.js")}</script>
<script>${DRAW}</script>
</body>
</html>
`;
}

function asset(name: string): string {
  return readFileSync(new URL(import.meta.resolve(`uplot/dist/${name}`)), "utf8");
}

/** Runs in the reader's browser. */
const DRAW = `
for (const { title, lines } of JSON.parse(document.getElementById("figures").textContent)) {
  const host = document.querySelector("main").appendChild(document.createElement("section"));
  host.appendChild(document.createElement("h2")).textContent = title;
  new uPlot({
    width: Math.max(320, host.clientWidth), height: 260, scales: { x: { time: false } },
    axes: [{ values: (_, ticks) => ticks.map((tick) => tick + " s") }, { size: 64 }],
    series: [{ label: "seconds" }, ...lines.map(({ label, colour }) => ({ label, stroke: colour, width: 2, spanGaps: true, points: { show: false } }))],
  }, uPlot.join(lines.map(({ seconds, values }) => [seconds, values])), host);
}
`;
