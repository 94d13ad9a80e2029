/** Failures by node over time: what the picture of the HTML report shows. */
import type { FailureReport } from "./sink.ts";

export interface OverTime {
  /** Width of a bin, ms. */
  readonly binMs: number;
  /** Starts of the bins, without gaps; epoch ms. */
  readonly startsMs: readonly number[];
  /** Counts by bin, for each node with most failures; "" stands for failures whose node is not known. */
  readonly nodes: readonly { readonly node: string; readonly counts: readonly number[] }[];
  /** Nodes that are left out, and how many failures they had. */
  readonly others: { readonly nodes: number; readonly failures: number };
}

/** Widths that people can read off a time axis, ms: 10 s to 7 days. */
const WIDTHS_MS = [10, 30, 60, 300, 900, 3_600, 10_800, 43_200, 86_400, 604_800].map((seconds) => seconds * 1_000);
/** More bins than a screen has room for say no more. */
const MOST_BINS = 120;
/** So many colours can be told apart. */
const MOST_NODES = 12;

export function overTimeOf(failures: readonly FailureReport[]): OverTime {
  const times = failures.map(({ atMs }) => atMs);
  const firstMs = times.reduce((least, at) => Math.min(least, at), Number.POSITIVE_INFINITY);
  const lastMs = times.reduce((most, at) => Math.max(most, at), Number.NEGATIVE_INFINITY);
  const binMs =
    WIDTHS_MS.find((width) => (lastMs - firstMs) / width < MOST_BINS) ?? Math.ceil((lastMs - firstMs) / MOST_BINS);
  const startMs = Math.floor(firstMs / binMs) * binMs;
  const bins = times.length === 0 ? 0 : Math.floor((lastMs - startMs) / binMs) + 1;
  const byNode = [...Map.groupBy(failures, ({ node }) => node)].sort(([, a], [, b]) => b.length - a.length);
  const left = byNode.slice(MOST_NODES);
  return {
    binMs,
    startsMs: Array.from({ length: bins }, (_, index) => startMs + index * binMs),
    nodes: byNode.slice(0, MOST_NODES).map(([node, of]) => ({ node, counts: countsOf(of, startMs, binMs, bins) })),
    others: { nodes: left.length, failures: left.reduce((sum, [, of]) => sum + of.length, 0) },
  };
}

function countsOf(failures: readonly FailureReport[], startMs: number, binMs: number, bins: number): number[] {
  const counts = Array.from({ length: bins }, () => 0);
  for (const { atMs } of failures) {
    const bin = Math.floor((atMs - startMs) / binMs);
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}
