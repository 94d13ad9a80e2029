/** The leader's figures as they are written on its Lease (LEADER_FIGURES_ANNOTATION). */
import type { LeaderFigure, LeaderFigures } from "../../core/leader-figures.ts";
import { isRecord } from "./kube-json.ts";

/** Whole seconds are enough, and the text changes less often. */
export function formatLeaderFigures(figures: LeaderFigures): string {
  const entries = [...figures].map(([node, { limit, sampledMs }]) => [
    node,
    sampledMs === undefined ? [limit] : [limit, Math.floor(sampledMs / 1_000)],
  ]);
  return JSON.stringify(Object.fromEntries(entries));
}

/** What cannot be read is left out: it only is not shown. Never throws. */
export function parseLeaderFigures(text: string): LeaderFigures {
  const figures = new Map<string, LeaderFigure>();
  for (const [node, value] of Object.entries(objectOf(text))) {
    const [limit, sampledSeconds] = Array.isArray(value) ? (value as readonly unknown[]) : [];
    if (typeof limit !== "number") continue;
    figures.set(node, { limit, sampledMs: typeof sampledSeconds === "number" ? sampledSeconds * 1_000 : undefined });
  }
  return figures;
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}
