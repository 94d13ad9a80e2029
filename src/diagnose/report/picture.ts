/**
 * The picture of failures over time by node: a row for each node, a square for each span of time in which starts
 * failed.
 */
import type { Findings } from "../findings/findings.ts";

/** What the picture is drawn from; times in s, as uPlot takes them. */
export function pictureOf({ overTime, herds }: Findings) {
  const rows = overTime.nodes.map(({ node }) => node);
  return {
    binSeconds: overTime.binMs / 1_000,
    times: overTime.startsMs.map((ms) => ms / 1_000),
    rows: overTime.nodes.map(({ node, counts }) => ({ node: node === "" ? "node unknown" : node, counts })),
    // When many pods came to a node at once: what the failures followed.
    herds: herds
      .filter(({ node }) => rows.includes(node))
      .map(({ node, startMs, podsStarted }) => ({ row: rows.indexOf(node), time: startMs / 1_000, pods: podsStarted })),
  };
}

const spans: readonly (readonly [number, string])[] = [
  [86_400, "day"],
  [3_600, "hour"],
  [60, "minute"],
  [1, "second"],
];

/** What one square stands for, in words. */
export function pictureWords({ overTime }: Findings): string {
  const { binMs, others } = overTime;
  const seconds = binMs / 1_000;
  const [size, name] = spans.find(([one]) => seconds >= one) ?? [1, "second"];
  const count = Math.round(seconds / size);
  const span = count === 1 ? `one ${name}` : `${count} ${name}s`;
  const left = others.nodes === 0 ? "" : ` ${others.nodes} more nodes with ${others.failures} failures are not drawn.`;
  return `A square is ${span}: the darker, the more starts failed. A triangle marks pods that came to the node together.${left}`;
}
