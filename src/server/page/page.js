/** The status page: loads status.json each second and shows it. Runs in the browser; all text is inserted as text. */
/* global document, fetch, uPlot, setTimeout, window */

const EVERY_MS = 1_000;
/** History of the charts, in answers: ten minutes. Kept in this page only. */
const HISTORY = 600;
/** Most rows of a table: more than people read, and too few to slow a browser. */
const MOST_ROWS = 200;
const NONE = "–";

const byId = (id) => document.getElementById(id);
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const most = (numbers) => (numbers.length === 0 ? null : Math.max(...numbers));
const slotsHeld = ({ inStartup, reserved, offered }) => inStartup + reserved + offered;
const seconds = (value) => (value == null ? NONE : `${value < 10 ? value.toFixed(1) : Math.round(value)} s`);

/** A chart over the time that this page has been open. */
function chartIn(host, lines, unit) {
  const data = [[], ...lines.map(() => [])];
  const chart = new uPlot(
    {
      width: Math.max(320, host.clientWidth),
      height: 180,
      axes: [{ stroke: "#888" }, { stroke: "#888", size: 56, values: (_, ticks) => ticks.map((tick) => tick + unit) }],
      scales: { y: { range: (_, _low, high) => [0, Math.max(high ?? 0, 1) * 1.1] } },
      series: [{}, ...lines.map(({ label, stroke }) => ({ label, stroke, width: 2, points: { show: false } }))],
    },
    data,
    host,
  );
  window.addEventListener("resize", () => chart.setSize({ width: Math.max(320, host.clientWidth), height: 180 }));
  return (atSeconds, values) => {
    for (const [index, value] of [atSeconds, ...values].entries()) {
      data[index].push(value);
      if (data[index].length > HISTORY) data[index].shift();
    }
    chart.setData(data);
  };
}

const drawSlots = chartIn(
  byId("slots-chart"),
  [
    { label: "slots", stroke: "#999999" },
    { label: "held by starts", stroke: "#0072b2" },
    { label: "pods that wait", stroke: "#d55e00" },
  ],
  "",
);
const drawDisk = chartIn(
  byId("disk-chart"),
  [
    { label: "target", stroke: "#999999" },
    { label: "to write", stroke: "#0072b2" },
  ],
  " s",
);

function meter(value, high, text) {
  const bar = document.createElement("meter");
  Object.assign(bar, { min: 0, max: Math.max(high, value, 1), value, title: text });
  const cell = document.createElement("span");
  cell.append(bar, text);
  return cell;
}

function row(cells) {
  const line = document.createElement("tr");
  for (const cell of cells) {
    const place = document.createElement("td");
    place.append(cell ?? NONE);
    line.append(place);
  }
  return line;
}

function fenceState({ fenced, inRollCall }) {
  if (inRollCall) return "roll call";
  return fenced ? "up" : NONE;
}

/** In the time zone of the browser. */
const until = ({ youngUntilMs }) =>
  youngUntilMs == null ? "" : ` until ${new Date(youngUntilMs).toLocaleTimeString()}`;

const nodeRow = (node) =>
  row([
    node.name,
    `${node.state}${until(node)} (${node.nodeClass})`,
    meter(slotsHeld(node), node.limit, `${slotsHeld(node)} of ${node.limit}`),
    String(node.stuck),
    node.drainSeconds == null
      ? NONE
      : meter(
          node.drainSeconds,
          node.drainTargetSeconds,
          `${seconds(node.drainSeconds)} of ${seconds(node.drainTargetSeconds)}`,
        ),
    node.awaitMs == null ? NONE : `${node.awaitMs.toFixed(1)} ms`,
    node.utilisation == null ? NONE : `${Math.round(node.utilisation * 100)} %`,
    fenceState(node),
    node.sample === "notAsked" ? "not asked" : node.sample,
    node.limitMove,
  ]);

const heldRow = ({ namespace, name, node, heldSeconds, reason, message }) =>
  row([`${namespace}/${name}`, node ?? "any paced node", seconds(heldSeconds), reason, message]);

function fill(id, all, rowOf) {
  const wanted = byId("filter").value.trim().toLowerCase();
  const matching = all.filter((one) => JSON.stringify(one).toLowerCase().includes(wanted));
  byId(id)
    .querySelector("tbody")
    .replaceChildren(...matching.slice(0, MOST_ROWS).map(rowOf));
  const shown = Math.min(matching.length, MOST_ROWS);
  byId(`${id}-note`).textContent = all.length === 0 ? "none" : shown < all.length ? `${shown} of ${all.length}` : "";
}

function showSums({ nodes, settledNodes, leftOutNodes, held }) {
  const sums = {
    "paced nodes": nodes.length,
    "settled nodes": settledNodes,
    ...(leftOutNodes > 0 && { "nodes left out": leftOutNodes }),
    "slots held": `${sum(nodes.map(slotsHeld))} of ${sum(nodes.map(({ limit }) => limit))}`,
    "pods that wait": held.length,
    "longest wait": seconds(most(held.map(({ heldSeconds }) => heldSeconds))),
  };
  byId("sums").replaceChildren(
    ...Object.entries(sums).map(([title, value]) => {
      const pair = document.createElement("div");
      const [term, text] = [document.createElement("dt"), document.createElement("dd")];
      [term.textContent, text.textContent] = [title, String(value)];
      pair.append(term, text);
      return pair;
    }),
  );
}

/** What keeps pacing from working, in words. */
function troubles({ synced, policyValid, leader, silentSeconds }) {
  return [
    synced ? undefined : "this replica has not seen the whole cluster yet: it holds nothing",
    policyValid ? undefined : "the policy in the cluster has errors: the last good one stays in force",
    leader.alive ? undefined : "no leader is alive: nothing new is held",
    silentSeconds > 300 ? `no replica was asked about new pods for ${silentSeconds} s: nothing new is held` : undefined,
  ].filter((text) => text !== undefined);
}

function tell(texts) {
  byId("trouble").textContent = texts.join("; ");
  byId("trouble").hidden = texts.length === 0;
}

let last;

function show(status, atSeconds) {
  const { mode, version, leader, nodes, held } = status;
  byId("mode").textContent = mode;
  byId("service").textContent =
    `version ${version}; leader ${leader.holder ?? "none"}${leader.leading ? " (this replica)" : ""}`;
  tell(troubles(status));
  showSums(status);
  drawSlots(atSeconds, [sum(nodes.map(({ limit }) => limit)), sum(nodes.map(slotsHeld)), held.length]);
  const owing = nodes.filter(({ drainSeconds }) => drainSeconds != null);
  const slowest = owing.toSorted((a, b) => b.drainSeconds - a.drainSeconds)[0];
  drawDisk(atSeconds, [slowest?.drainTargetSeconds ?? null, slowest?.drainSeconds ?? null]);
  showTables(status);
  document.body.dataset.shown = String(atSeconds);
}

function showTables({ nodes, held }) {
  fill(
    "nodes",
    nodes.toSorted((a, b) => slotsHeld(b) - slotsHeld(a)),
    nodeRow,
  );
  fill(
    "held",
    held.toSorted((a, b) => b.heldSeconds - a.heldSeconds),
    heldRow,
  );
}

byId("filter").addEventListener("input", () => last && showTables(last));

async function ask() {
  try {
    const answer = await fetch("status.json", { cache: "no-store" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    last = await answer.json();
    show(last, Date.now() / 1_000);
  } catch (error) {
    tell([`no answer from Paceline (${error.message}); what is shown is from before`]);
  }
  setTimeout(ask, EVERY_MS);
}

ask();
