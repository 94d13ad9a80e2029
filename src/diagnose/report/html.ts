/** The report as one self-contained HTML file: the chart by uPlot, which is copied into it; no network is needed. */
import { assetText } from "../../api/assets.ts";
import { escaped, jsonInHtml } from "../../api/html-text.ts";
import type { Findings } from "../findings/findings.ts";
import type { Verdict } from "../findings/verdict.ts";
import { fingerprints, wordsOf, type Fingerprint } from "../classify/fingerprints.ts";
import { rfc3339 } from "../json.ts";
import { DRAW } from "./draw.ts";
import { pictureOf, pictureWords } from "./picture.ts";

/** Colours that people with colour blindness tell apart (Okabe and Ito's palette). */
const colours: Readonly<Record<Fingerprint, string>> = {
  NamespacePathProc0: "#d55e00",
  ShimTaskContextCanceled: "#cc79a7",
  OtherStartError: "#000000",
  ReservedContainerName: "#0072b2",
  PullQPSExceeded: "#009e73",
  RegistryRateLimited: "#44aa99",
  PullStalled: "#332288",
  SandboxDeadline: "#e69f00",
  SandboxWithoutAddress: "#aa4499",
  SandboxNetwork: "#882255",
  OtherSandboxError: "#ddcc77",
  NoSpaceLeft: "#661100",
  ImagePullBackOff: "#56b4e9",
  Unrelated: "#999999",
};

/** The whole document. `bin`: width of the query's bins as it was asked for. */
export function htmlReport(findings: Findings, verdict: Verdict, bin: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>paceline diagnose</title>
<style>${asset("uPlot.min.css")}${STYLE}</style>
</head>
<body>
<header><p class="kind">paceline diagnose</p><h1 class="${verdict.outcome}">${escaped(verdict.summary)}</h1>
${list("ul", verdict.evidence)}</header>
<main>
${verdict.advice.length > 0 ? `<section><h2>What to do</h2>${list("ol", verdict.advice)}</section>` : ""}
<section><h2>Failures over time by node (UTC)</h2><p class="unit">${escaped(pictureWords(findings))}</p><div id="picture"></div></section>
<section><h2>Failures by hour (UTC), each counted once</h2><div id="hours"></div></section>
${tables(findings, bin)}
</main>
<script id="figures" type="application/json">${jsonInHtml({ ...chartOf(findings), picture: pictureOf(findings) })}</script>
<script>${asset("uPlot.iife.min.js")}</script>
<script>${DRAW}</script>
</body>
</html>
`;
}

function chartOf({ byHour, hourly }: Findings) {
  const told = byHour.map(({ startMs }) => startMs / 1_000);
  // A single hour has no width to be drawn with: the hours around it are empty.
  const hours = told.length === 1 ? told.flatMap((hour) => [hour - 3_600, hour, hour + 3_600]) : told;
  const lines = fingerprints.flatMap((key) => {
    const counts = new Map(hourly.get(key)?.map(({ startMs, count }) => [startMs / 1_000, count]));
    return counts.size === 0
      ? []
      : [{ label: key, colour: colours[key], values: hours.map((hour) => counts.get(hour) ?? 0) }];
  });
  return { hours, lines };
}

function tables(findings: Findings, bin: string): string {
  const { byFingerprint, herds, query } = findings;
  const counts = (of: ReadonlyMap<string, number>) =>
    [...of].slice(0, 50).map(([name, count]) => [name, String(count)]);
  return [
    table(
      "Fingerprints",
      ["fingerprint", "failures", "meaning"],
      fingerprints.map((key) => [key, String(byFingerprint[key]), wordsOf(key)]),
    ),
    table(
      "Herds",
      ["node", "start", "pods", "failed", "node's age s", "known from"],
      herds
        .slice(0, 50)
        .map((herd) => [
          herd.node,
          rfc3339(herd.startMs),
          String(herd.podsStarted),
          String(herd.failures),
          String(herd.nodeAgeSeconds ?? "unknown"),
          herd.nodeAgeFrom ?? "",
        ]),
    ),
    table("Nodes", ["node", "failures"], counts(findings.byNode)),
    table(
      "Age of the node",
      ["age", "failures"],
      Object.entries(findings.byNodeAge).map(([name, count]) => [name, String(count)]),
    ),
    table("Owners", ["owner", "failures"], counts(findings.byOwner)),
    table("Namespaces", ["namespace", "failures"], counts(findings.byNamespace)),
    table("Images", ["image", "failures"], counts(findings.byImage)),
    table(
      `CloudWatch's query by bin(${bin})`,
      ["bin", "audit events"],
      query.slice(0, 500).map(({ startMs, count }) => [rfc3339(startMs), String(count)]),
    ),
    table(
      "Not read, although words of the problem stand in it",
      ["word", "text"],
      findings.account.samples.map(({ mark, text }) => [mark, text]),
    ),
    table(
      "Not used, or not in full",
      ["cause", "lines"],
      Object.entries(findings.skipped).map(([cause, count]) => [cause, String(count)]),
    ),
  ].join("\n");
}

function table(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "";
  const cells = (row: readonly string[]) => row.map((cell) => `<td>${escaped(cell)}</td>`).join("");
  const heads = head.map((cell) => `<th scope="col">${escaped(cell)}</th>`).join("");
  return `<section><h2>${escaped(title)}</h2><table><thead><tr>${heads}</tr></thead><tbody>${rows.map((row) => `<tr>${cells(row)}</tr>`).join("")}</tbody></table></section>`;
}

const list = (tag: "ul" | "ol", sentences: readonly string[]) =>
  sentences.length === 0 ? "" : `<${tag}>${sentences.map((one) => `<li>${escaped(one)}</li>`).join("")}</${tag}>`;

/** A file of uPlot as it is published. */
const asset = (name: string) => assetText(`uplot/dist/${name}`);

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1c1c; background: #fff; margin: 0 auto; max-width: 1000px; padding: 24px; }
h1 { font-size: 25px; border-left: 5px solid #009e73; padding-left: 14px; } h1.found { border-color: #d55e00; } h1.unknown { border-color: #e69f00; } h2 { font-size: 18px; margin: 30px 0 6px; }
.kind, .unit { margin: 0; color: #666; } .unit { font-size: 14px; } section { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; } th, td { padding: 4px 12px 4px 0; text-align: left; border-bottom: 1px solid #ddd; }
`;
