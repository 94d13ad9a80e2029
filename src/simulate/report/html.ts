/**
 * The comparison as a self-contained HTML file. uPlot, which draws the charts, is copied into it, so it needs no
 * network.
 */
import { assetText } from "../../api/assets.ts";
import { escaped, jsonInHtml } from "../../api/html-text.ts";
import type { ComparisonRuns } from "../engine/compare.ts";
import type { StrategyResult, StrategyRun } from "../engine/strategy.ts";
import { sharePoints } from "./share-points.ts";
import { columns, strategyLabel } from "./table.ts";
import { verdictSentence } from "./verdict.ts";

export interface ReportInput extends ComparisonRuns {
  /** The source of the scenario. */
  readonly description: string;
}

/** Colours that people with colour blindness can tell apart (Okabe and Ito's palette). */
const colours: Readonly<Record<string, string>> = {
  none: "#d55e00",
  "fixed:best": "#0072b2",
  paceline: "#009e73",
};

/** The whole document. */
export function htmlReport({ comparison, runs, description }: ReportInput): string {
  const { scenario, seed, boundSeconds, strategies } = comparison;
  const lines = Object.entries(runs).map(([name, run]) =>
    lineOf(name, strategyLabel(name, strategies[name as keyof typeof strategies]), run),
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(scenario)}: paceline simulate</title>
<style>${asset("uPlot.min.css")}${STYLE}</style>
</head>
<body>
<header>
<p class="kind">paceline simulate</p>
<h1>${escaped(scenario)}</h1>
<p id="verdict">${escaped(verdictSentence(comparison))}</p>
<p class="origin">${escaped(description)}</p>
</header>
<main>
${tableOf(strategies)}
${CHARTS.map(({ id, title, unit }) => `<section><h2>${title}</h2><p class="unit">${unit}</p><div class="chart" id="${id}"></div></section>`).join("\n")}
</main>
<footer>Seed ${seed}. Lower bound ${boundSeconds.toFixed(1)} s. Times count from the moment at which a pod existed and a node was Ready; those of a DaemonSet's pod from its own node's Ready. The model and its constants: docs/model.md and docs/simulate.md.</footer>
<script id="figures" type="application/json">${jsonInHtml({ lines, charts: CHARTS })}</script>
<script>${asset("uPlot.iife.min.js")}</script>
<script>${DRAW}</script>
</body>
</html>
`;
}

/** The charts. Each shows one figure over time. */
const CHARTS = [
  {
    id: "ready",
    title: "Pods that are Ready",
    unit: "share of all pods, by seconds since the herd could start",
    figure: "readyShare",
  },
  { id: "in-startup", title: "Pods in startup", unit: "all nodes", figure: "inStartup" },
  { id: "limit", title: "Startup slots", unit: "limit of all nodes; none where there is no limit", figure: "limit" },
  { id: "throughput", title: "Disk writes", unit: "MiB/s, all nodes", figure: "writeMibPerSecond" },
  { id: "await", title: "Disk await", unit: "ms, the worst node", figure: "awaitMs" },
] as const;

function lineOf(name: string, label: string, { series, readySeconds }: StrategyRun) {
  const points = sharePoints(readySeconds);
  return {
    label,
    colour: colours[name] ?? "#000000",
    readyShare: {
      seconds: points.map(([at]) => rounded(at)),
      values: points.map(([, share]) => rounded(share)),
    },
    seconds: series?.seconds.map(rounded) ?? [],
    inStartup: series?.inStartup ?? [],
    limit: series?.limit ?? [],
    writeMibPerSecond: series?.writeMibPerSecond.map(rounded) ?? [],
    awaitMs: series?.awaitMs.map(rounded) ?? [],
  };
}

/** Rounds to three digits, which are enough for a chart. */
const rounded = (value: number | undefined) => Math.round((value ?? 0) * 1_000) / 1_000;

function tableOf(strategies: Readonly<Record<string, StrategyResult>>): string {
  const head = columns.map(([title]) => `<th scope="col">${escaped(title)}</th>`).join("");
  const rows = Object.entries(strategies).map(([name, result]) => {
    const cells = columns.map(([, cell]) => `<td>${escaped(cell(result))}</td>`).join("");
    return `<tr><th scope="row"><span class="dot" style="background:${colours[name] ?? "#000"}"></span>${escaped(strategyLabel(name, result))}</th>${cells}</tr>`;
  });
  return `<div class="wide"><table><thead><tr><th scope="col">strategy</th>${head}</tr></thead><tbody>${rows.join("\n")}</tbody></table></div>`;
}

/** A file of uPlot as it is published. */
const asset = (name: string) => assetText(`uplot/dist/${name}`);

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1c1c; background: #fff; margin: 0 auto; max-width: 1080px; padding: 24px; }
h1 { margin: 0 0 8px; font-size: 30px; } h2 { margin: 32px 0 0; font-size: 19px; }
.kind { margin: 0; color: #666; letter-spacing: .04em; } .unit { margin: 0 0 4px; color: #666; font-size: 14px; }
#verdict { font-size: 19px; border-left: 4px solid #009e73; padding-left: 14px; }
.origin, footer { color: #555; font-size: 14px; } footer { margin-top: 32px; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
.wide th, .wide td { padding: 5px 9px; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
.wide thead th { white-space: normal; vertical-align: bottom; }
.wide th[scope=row], th[scope=col]:first-child { text-align: left; }
.dot { display: inline-block; width: 10px; height: 10px; border-radius: 5px; margin-right: 8px; }
`;

/** Runs in the reader's browser. */
const DRAW = `
(() => {
  const { lines, charts } = JSON.parse(document.getElementById("figures").textContent);
  const tableOf = (line, figure) => figure === "readyShare" ? [line.readyShare.seconds, line.readyShare.values] : [line.seconds, line[figure]];
  for (const { id, figure } of charts) {
    const drawn = lines.filter((line) => tableOf(line, figure)[1].some((value) => value !== null));
    const data = drawn.length > 0 ? uPlot.join(drawn.map((line) => tableOf(line, figure))) : [[]];
    const host = document.getElementById(id);
    new uPlot({
      width: Math.max(320, host.clientWidth), height: 260,
      scales: { x: { time: false } },
      axes: [{ values: (_, ticks) => ticks.map((tick) => tick + " s") }, { size: 64 }],
      series: [{ label: "seconds" }, ...drawn.map((line) => ({ label: line.label, stroke: line.colour, width: 2, spanGaps: true, points: { show: false } }))],
    }, data, host);
  }
  document.body.dataset.drawn = String(charts.length);
})();
`;
