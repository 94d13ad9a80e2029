/** A failure in words that a person can follow: what broke, and what happened before, one line a step. */
import type { RunResult } from "./run.ts";
import type { Step } from "./steps.ts";

export function described({ schedule, violation }: RunResult): string {
  const { seed, policy, mayListDaemonSets, steps } = schedule;
  return [
    "",
    `seed ${seed}: ${violation?.invariant ?? ""} at ${at(violation?.atMs ?? 0)}`,
    `  ${violation?.sentence ?? ""}`,
    `  ${violation?.detail ?? ""}`,
    `policy: ${fields(policy)}`,
    ...(mayListDaemonSets ? [] : ["DaemonSets may not be listed"]),
    `the shortest schedule found, ${steps.length === 1 ? "1 step" : `${steps.length} steps`}:`,
    ...steps.map(line),
  ].join("\n");
}

function line({ atMs, kind, ...step }: Step): string {
  return `  ${at(atMs).padStart(9)}  ${kind.padEnd(12)} ${fields(step)}`.trimEnd();
}

/** `count 5, forMs 1500, fault (kind lose, share 0.5)` */
function fields(of: object): string {
  return Object.entries(of)
    .map(([name, value]: [string, unknown]) => `${name} ${text(value)}`)
    .join(", ");
}

function text(value: unknown): string {
  if (typeof value === "object" && value !== null) return `(${fields(value)})`;
  return typeof value === "number" ? String(Math.round(value * 1_000) / 1_000) : String(value);
}

const at = (ms: number) => `${(ms / 1_000).toFixed(3)} s`;
