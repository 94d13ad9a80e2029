/** The status in words and columns. */
import type { ShownNode } from "../core/leader-figures.ts";
import { LONGEST_HOLD_SECONDS } from "../policy/caps.ts";
import type { StatusAnswer } from "../server/answers.ts";

/** Webhooks that were not asked about new pods for this long are a problem, s. As the alert PacelineWebhookSilent. */
const LONG_SILENCE_SECONDS = 300;

/** The problems, each with its cure. */
export function statusProblems({ mode, leader, policyValid, held, silentSeconds = 0 }: StatusAnswer): string[] {
  // No policy allows a longer hold, so such a pod has been forgotten.
  const forgotten = held.filter(({ heldSeconds }) => heldSeconds > LONGEST_HOLD_SECONDS).length;
  return [
    ...(leader.alive || mode === "off"
      ? []
      : ["no leader is alive: nothing new is held, and nobody releases; see the replicas"]),
    ...(silentSeconds > LONG_SILENCE_SECONDS && leader.alive
      ? [
          `no replica was asked about a new pod for ${silentSeconds} s: the API server does not reach the webhook; see paceline doctor`,
        ]
      : []),
    ...(policyValid ? [] : ["there is no valid policy in the cluster: see paceline-policy and the leader's Events"]),
    ...(forgotten > 0
      ? [`${forgotten} pods are held for more than ${LONGEST_HOLD_SECONDS} s: run paceline release --expired`]
      : []),
  ];
}

const NONE = "-";
const seconds = (value: number | undefined) => (value === undefined ? NONE : `${Math.round(value)}s`);
const slotsInUse = ({ inStartup, reserved, offered }: ShownNode) => inStartup + reserved + offered;

/** Everything, one line for each node and each held pod. */
export function statusText(answer: StatusAnswer, problems: readonly string[]): string {
  const { nodes, held } = answer;
  const parts = [
    summary(answer),
    ...(nodes.length > 0 ? [columns(NODE_TITLES, nodes.map(nodeRow))] : []),
    ...(held.length > 0 ? [columns(HELD_TITLES, byAge(held).map(heldRow))] : []),
    ...problems.map((problem) => `problem: ${problem}`),
  ];
  return `${parts.join("\n\n")}\n`;
}

function summary({ mode, leader, nodes, settledNodes, leftOutNodes, held }: StatusAnswer): string {
  const slots = nodes.reduce((total, { limit = NaN }) => total + limit, 0);
  const taken = nodes.reduce((total, node) => total + slotsInUse(node), 0);
  const longest = Math.max(0, ...held.map(({ heldSeconds }) => heldSeconds));
  const wait = held.length > 0 ? `${held.length} pods wait, the longest for ${seconds(longest)}` : "no pod waits";
  const leftOut = leftOutNodes > 0 ? `, ${leftOutNodes} left out` : "";
  return (
    `mode ${mode}; leader ${leader.holder ?? "none"}${leader.alive ? "" : " (not alive)"}\n` +
    `${nodes.length} paced nodes and ${settledNodes} settled ones${leftOut}; ${taken}${Number.isNaN(slots) ? "" : ` of ${slots}`} slots held; ${wait}`
  );
}

const NODE_TITLES = ["NODE", "STATE", "CLASS", "SLOTS", "STUCK", "DISK OWES", "AWAIT", "IOPS", "FENCE", "TELEMETRY"];

function fenceState({ fenced, inRollCall }: ShownNode): string {
  if (inRollCall) return "roll call";
  return fenced ? "up" : NONE;
}

/** UTC: operators and nodes may be in different time zones. */
function nodeState({ state, youngUntilMs }: ShownNode): string {
  if (youngUntilMs === undefined) return state;
  return `${state} until ${new Date(youngUntilMs).toISOString().slice(11, 19)}Z`;
}

const nodeRow = (node: ShownNode) => [
  node.name,
  nodeState(node),
  node.nodeClass,
  `${slotsInUse(node)}/${node.limit ?? "?"}`,
  String(node.stuck),
  seconds(node.drainSeconds),
  node.awaitMs === undefined ? NONE : `${Math.round(node.awaitMs)}ms`,
  node.iops === undefined ? NONE : `${Math.round(node.iops)}${node.diskIOPS === undefined ? "" : `/${node.diskIOPS}`}`,
  fenceState(node),
  node.sample === "notAsked" ? "not asked" : node.sample,
];

const HELD_TITLES = ["POD", "WAITS FOR", "HELD", "REASON", "MESSAGE"];

type HeldPod = StatusAnswer["held"][number];

const byAge = (held: StatusAnswer["held"]) => held.toSorted((a, b) => b.heldSeconds - a.heldSeconds);

const heldRow = ({ namespace, name, node, heldSeconds, reason, message }: HeldPod) => [
  `${namespace}/${name}`,
  node ?? "any paced node",
  seconds(heldSeconds),
  reason,
  message,
];

/** Left-aligned columns, each as wide as its widest cell. */
function columns(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [titles, ...rows];
  const widths = titles.map((_, at) => Math.max(...all.map((row) => (row[at] ?? "").length)));
  return all
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
