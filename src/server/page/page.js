/** The status page: asks each second what has changed, and shows it. Runs in the browser; all text is set as text. */
/* global document, fetch, setTimeout, clearTimeout */
import { chartIn } from "./charts.js";
import { clock } from "./clock.js";
import { askNode, askPod, Questions } from "./questions.js";
import { setText, Table } from "./table.js";

const EVERY_MS = 1_000;
/** A reader who types is told once they pause. */
const PAUSE_MS = 700;
const LINES_SAID = 5;
const NONE = "–";

const byId = (id) => document.getElementById(id);
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const slotsHeld = ({ inStartup, reserved, offered }) => inStartup + reserved + offered;
const seconds = (value) => (value == null ? NONE : `${value < 10 ? value.toFixed(1) : Math.round(value)} s`);
const keyOfPod = ({ namespace, name }) => `${namespace}/${name}`;

/** What this page knows, the rows by key. */
const known = { version: "", head: undefined, nodes: new Map(), held: new Map() };
const heldSeconds = ({ sinceMs }) => (sinceMs === undefined ? 0 : Math.max(0, (clock.nowMs() - sinceMs) / 1_000));

const drawSlots = chartIn(
  byId("slots-chart"),
  [
    { label: "slots", stroke: "#8c8c8c" },
    { label: "held by starts", stroke: "#2f8fce" },
    { label: "pods that wait", stroke: "#d55e00" },
  ],
  "",
  (slots, taken, waiting) => `${taken} of ${slots} startup slots are held, ${waiting} pods wait`,
);
const drawDisk = chartIn(
  byId("disk-chart"),
  [
    { label: "target", stroke: "#8c8c8c" },
    { label: "to write", stroke: "#2f8fce" },
  ],
  " s",
  (target, owed) =>
    owed == null ? "no disk has told its figures" : `the slowest disk owes ${seconds(owed)} of ${seconds(target)}`,
);

function fenceState({ fenced, inRollCall }) {
  if (inRollCall) return "roll call";
  return fenced ? "up" : NONE;
}

const young = ({ youngUntilMs }) => (youngUntilMs == null ? "" : ` until ${clock.at(youngUntilMs)}`);
const limitOf = ({ limit }) => limit ?? "?";

const NODE_COLUMNS = [
  { title: "node", of: ({ name }) => name, text: ({ name }) => name, link: ({ name }) => askNode(name) },
  { title: "pods wait", of: ({ awaitedBy }) => awaitedBy, text: ({ awaitedBy }) => String(awaitedBy) },
  {
    title: "state",
    of: ({ state }) => state,
    text: (node) => `${node.state}${young(node)} (${node.nodeClass})`,
  },
  {
    title: "slots held",
    of: slotsHeld,
    text: (node) => `${slotsHeld(node)} of ${limitOf(node)}`,
    meter: (node) => (node.limit == null ? undefined : [slotsHeld(node), node.limit]),
  },
  { title: "stuck", of: ({ stuck }) => stuck, text: ({ stuck }) => String(stuck) },
  {
    title: "disk owes",
    of: ({ drainSeconds }) => drainSeconds,
    text: ({ drainSeconds, drainTargetSeconds }) =>
      drainSeconds == null ? NONE : `${seconds(drainSeconds)} of ${seconds(drainTargetSeconds)}`,
    meter: ({ drainSeconds, drainTargetSeconds }) =>
      drainSeconds == null ? undefined : [drainSeconds, drainTargetSeconds],
  },
  {
    title: "await",
    of: ({ awaitMs }) => awaitMs,
    text: ({ awaitMs }) => (awaitMs == null ? NONE : `${awaitMs.toFixed(1)} ms`),
  },
  {
    title: "disk busy",
    of: ({ utilisation }) => utilisation,
    text: ({ utilisation }) => (utilisation == null ? NONE : `${Math.round(utilisation * 100)} %`),
  },
  { title: "fence", of: fenceState, text: fenceState },
  {
    title: "telemetry",
    of: ({ sample }) => sample,
    text: ({ sample }) => (sample === "notAsked" ? "not asked" : sample),
  },
  { title: "limit’s last move", of: ({ limitMove }) => limitMove, text: ({ limitMove }) => limitMove },
];

const HELD_COLUMNS = [
  { title: "pod", of: keyOfPod, text: keyOfPod, link: (pod) => askPod(keyOfPod(pod)) },
  { title: "node", of: ({ node }) => node, text: ({ node }) => node ?? "any paced node" },
  { title: "held for", of: heldSeconds, text: (pod) => seconds(heldSeconds(pod)), moves: true },
  {
    title: "at the latest until",
    of: ({ untilMs }) => untilMs,
    text: ({ untilMs }) => (untilMs == null ? NONE : clock.at(untilMs)),
  },
  { title: "reason", of: ({ reason }) => reason, text: ({ reason }) => reason },
  { title: "in words", of: ({ message }) => message, text: ({ message }) => message },
];

/** A screen reader reads each new line. A line that took the last one's place at once would keep it from being read. */
function say(text) {
  const said = byId("said");
  if (said.lastElementChild?.textContent === text) return;
  said.append(Object.assign(document.createElement("p"), { textContent: text }));
  if (said.childElementCount > LINES_SAID) said.firstElementChild.remove();
}

const tables = {
  nodes: new Table(byId("nodes"), NODE_COLUMNS, { column: 1, isDown: true }, (text) => changed(`nodes: ${text}`)),
  held: new Table(byId("held"), HELD_COLUMNS, { column: 2, isDown: true }, (text) => changed(`held pods: ${text}`)),
};
const questions = new Questions(say);

function changed(text) {
  showTables();
  say(text);
}

function take({ version, full, head, nodes, held, goneNodes, goneHeld }) {
  if (full) [known.nodes, known.held] = [new Map(), new Map()];
  for (const key of goneNodes) known.nodes.delete(key);
  for (const key of goneHeld) known.held.delete(key);
  for (const node of nodes) known.nodes.set(node.name, searchable(node, known.nodes.get(node.name)?.awaitedBy));
  for (const pod of held) known.held.set(keyOfPod(pod), searchable(pod));
  [known.version, known.head] = [version, head];
  clock.set(head.nowMs);
}

/** With the text in which the filter looks. */
function searchable(row, awaitedBy = 0) {
  const { namespace, name, node = "", reason = "", message = "", state = "", nodeClass = "", limitMove = "" } = row;
  const pod = namespace === undefined ? name : keyOfPod(row);
  return {
    ...row,
    awaitedBy,
    words: [pod, node, reason, message, state, nodeClass, limitMove].join("\n").toLowerCase(),
  };
}

function countAwaited() {
  const counts = new Map();
  for (const { node } of known.held.values()) if (node !== undefined) counts.set(node, (counts.get(node) ?? 0) + 1);
  for (const [name, node] of known.nodes) {
    const awaitedBy = counts.get(name) ?? 0;
    if (node.awaitedBy !== awaitedBy) known.nodes.set(name, { ...node, awaitedBy });
  }
}

/** Returns how many rows match. */
function fill(id, rows, isWanted) {
  const wanted = byId("filter").value.trim().toLowerCase();
  const matching = [...rows].filter(([, row]) => isWanted(row) && (wanted === "" || row.words.includes(wanted)));
  const shown = tables[id].show(matching);
  setText(byId(`${id}-note`), rows.size === 0 ? "none" : shown < rows.size ? `${shown} of ${rows.size} shown` : "");
  return matching.length;
}

function showTables() {
  const only = byId("only-waiting").checked;
  return {
    nodes: fill("nodes", known.nodes, ({ awaitedBy }) => !only || awaitedBy > 0),
    held: fill("held", known.held, () => true),
  };
}

/** The most frequent first. */
function showReasons() {
  const counts = new Map();
  for (const { reason } of known.held.values()) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const texts = [...counts].toSorted(([, a], [, b]) => b - a).map(([reason, count]) => `${reason} ${count}`);
  setText(byId("held-reasons"), texts.join(", "));
}

function showSums(nodes, { settledNodes, leftOutNodes }) {
  const longest = [...known.held.values()].reduce((most, pod) => Math.max(most, heldSeconds(pod)), 0);
  const sums = {
    "paced nodes": nodes.length,
    "settled nodes": settledNodes,
    ...(leftOutNodes > 0 && { "nodes left out": leftOutNodes }),
    "slots held": `${sum(nodes.map(slotsHeld))} of ${sum(nodes.map(({ limit }) => limit ?? 0))}`,
    "pods that wait": known.held.size,
    "longest wait": seconds(known.held.size > 0 ? longest : null),
  };
  const host = byId("sums");
  const titles = Object.keys(sums);
  if ([...host.querySelectorAll("dt")].map((term) => term.textContent).join() !== titles.join()) {
    host.replaceChildren(
      ...titles.map((textContent) => {
        const pair = document.createElement("div");
        pair.append(Object.assign(document.createElement("dt"), { textContent }), document.createElement("dd"));
        return pair;
      }),
    );
  }
  for (const [at, place] of host.querySelectorAll("dd").entries()) setText(place, String(sums[titles[at]]));
}

/** What keeps pacing from working, in words. */
function troubles({ synced, policyValid, leader, silentSeconds }) {
  return [
    synced ? undefined : "this replica has not seen the whole cluster yet: it holds nothing",
    policyValid ? undefined : "the policy in the cluster has errors: the last good one stays in force",
    leader.alive ? undefined : "no leader is alive: nothing new is held",
    silentSeconds > 300 ? "no replica was asked about new pods for minutes: nothing new is held" : undefined,
  ].filter((text) => text !== undefined);
}

function show(atSeconds) {
  const { mode, version, leader } = known.head;
  setText(byId("mode"), mode);
  const leads = `leader ${leader.holder ?? "none"}${leader.leading ? " (this replica)" : ""}`;
  setText(byId("service"), `version ${version}; ${leads}`);
  setText(byId("trouble"), troubles(known.head).join("; "));
  countAwaited();
  const nodes = [...known.nodes.values()];
  showSums(nodes, known.head);
  drawSlots(atSeconds, [sum(nodes.map(({ limit }) => limit ?? 0)), sum(nodes.map(slotsHeld)), known.held.size]);
  const owing = nodes.filter(({ drainSeconds }) => drainSeconds != null);
  const slowest = owing.toSorted((a, b) => b.drainSeconds - a.drainSeconds)[0];
  drawDisk(atSeconds, [slowest?.drainTargetSeconds ?? null, slowest?.drainSeconds ?? null]);
  showReasons();
  showTables();
  document.body.dataset.shown = String(atSeconds);
}

let pause;
for (const id of ["filter", "only-waiting"]) {
  byId(id).addEventListener("input", () => {
    const { nodes, held } = showTables();
    clearTimeout(pause);
    pause = setTimeout(() => say(`${nodes} nodes and ${held} held pods match`), PAUSE_MS);
  });
}

async function ask() {
  try {
    const answer = await fetch(`page/state.json?since=${known.version}`, { cache: "no-store" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    take(await answer.json());
    show(Date.now() / 1_000);
    await questions.update();
  } catch (error) {
    setText(byId("trouble"), `no answer from Paceline (${error.message}); what is shown is from before`);
  }
  setTimeout(ask, EVERY_MS);
}

ask();
questions.followAddress();
