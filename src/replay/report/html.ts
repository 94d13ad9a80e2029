/** The replay as one HTML file that needs no network. */
import { stringify } from "yaml";
import { escaped } from "../../api/html-text.ts";
import type { HerdReplay } from "../replay.ts";
import { diskTable } from "./disks.ts";
import { pictureOf } from "./picture.ts";
import type { ReplayReport } from "./text.ts";
import { figureRows, rankingOf, runsOf, unknownRows, workloadRows } from "./rows.ts";
import { caveats, titleOf, verdictOf } from "./words.ts";

export function htmlReport({ replays, notes }: ReplayReport): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>paceline replay</title>
<style>${STYLE}</style>
</head>
<body>
<header><p class="kind">paceline replay</p><h1>What happened, and what would have happened</h1></header>
<main>
${notes.map((note) => `<p>${escaped(note)}</p>`).join("\n")}
${replays.map(herdHtml).join("\n")}
</main>
<footer>Times count from when a pod existed and the herd's first node was open; for a DaemonSet's pod, its own node. The model and what it leaves out: docs/model.md.</footer>
</body>
</html>
`;
}

function herdHtml(replay: HerdReplay): string {
  const { forecast } = replay;
  const unknowns = unknownRows("if …", replay);
  return `<section>
<h2>${escaped(titleOf(replay))}</h2>
<p class="verdict${forecast ? "" : " none"}">${escaped(verdictOf(replay))}</p>
${pictureOf(replay)}
${table(figureRows("", runsOf(replay)))}
${table(diskTable(replay) ?? [])}
${unknowns ? `<h3>Which unknowns matter most</h3>${table(unknowns)}` : ""}
${forecast ? forecastHtml(replay, forecast) : ""}
<ul>${caveats(replay)
    .map((one) => `<li>${escaped(one)}</li>`)
    .join("")}</ul>
</section>`;
}

function forecastHtml(replay: HerdReplay, forecast: NonNullable<HerdReplay["forecast"]>): string {
  const { words, nodeClasses } = forecast.recommendedPolicy;
  return `<h3>What would have helped, the best first</h3>${table(figureRows("", rankingOf(forecast)))}
<h3>Recommended policy (${escaped(words)})</h3>
<pre>${escaped(stringify({ nodeClasses }))}</pre>
<details><summary>By workload</summary>${table(workloadRows("workload", replay.recorded.workloads, replay, forecast))}</details>`;
}

/** @param rows the head first; none: there is no table */
function table([head, ...rows]: readonly (readonly string[])[]): string {
  if (head === undefined) return "";
  const cells = (row: readonly string[]) =>
    row.map((cell, at) => (at === 0 ? `<th scope="row">${escaped(cell)}</th>` : `<td>${escaped(cell)}</td>`)).join("");
  return `<div class="wide"><table><thead><tr>${head.map((one) => `<th scope="col">${escaped(one)}</th>`).join("")}</tr></thead><tbody>${rows.map((row) => `<tr>${cells(row)}</tr>`).join("")}</tbody></table></div>`;
}

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1c1c; background: #fff; margin: 0 auto; max-width: 1080px; padding: 24px; }
h1 { margin: 0 0 8px; font-size: 30px; } h2 { margin: 32px 0 8px; font-size: 19px; } h3 { margin: 24px 0 4px; font-size: 16px; }
.kind { margin: 0; color: #666; letter-spacing: .04em; } svg { max-width: 100%; height: auto; }
.verdict { font-size: 18px; border-left: 4px solid #009e73; padding-left: 14px; } .verdict.none { border-color: #d55e00; }
footer, li { color: #555; font-size: 14px; } pre { background: #f6f6f6; padding: 12px; overflow-x: auto; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
.wide th, .wide td { padding: 5px 9px; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
.wide th[scope=row], .wide thead th:first-child { text-align: left; }
`;
