/** One pod's answer, and what a node's limit did, in words. Times in UTC, as operators may be in several zones. */
import type { LimitAnswer } from "../core/limit-answer.ts";
import type { PodAnswer } from "../core/pod-answer.ts";

const clock = (ms: number) => `${new Date(ms).toISOString().slice(11, 19)}Z`;

export function podText({ namespace, name, message, held }: PodAnswer, problems: readonly string[]): string {
  const lines = [
    `${namespace}/${name}: ${held ? `${held.reason}: ` : ""}${message}`,
    ...(held ? [`held for ${Math.round(held.heldSeconds)} s; ${until(held)}`] : []),
    ...problems.map((problem) => `problem: ${problem}`),
  ];
  return `${lines.join("\n")}\n`;
}

const until = ({ untilMs }: NonNullable<PodAnswer["held"]>) =>
  untilMs === undefined
    ? "its time begins when the gates of others are gone"
    : `it goes at ${clock(untilMs)} at the latest, whether a slot is free or not`;

/** A sentence, then one line for each step, the newest last. */
export function limitText({ node, message, steps }: LimitAnswer): string {
  const lines = steps.map(
    ({ atMs, from, to, why }) => `${clock(atMs)}  ${from === to ? to : `${from} -> ${to}`}: ${why}`,
  );
  return `\n${[`${node}: ${message}`, ...lines].join("\n")}\n`;
}
