/** The two questions that are typed in: why a pod waits, and what a node's limit did. The service answers them. */
/* global document, fetch, window, location */
import { clock } from "./clock.js";
import { setText } from "./table.js";

const byId = (id) => document.getElementById(id);
/** The link that asks; what is asked is in the address, so it can be passed on. */
export const askPod = (name) => `#pod=${encodeURIComponent(name)}`;
export const askNode = (name) => `#node=${encodeURIComponent(name)}`;

async function answerOf(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (answer.ok) return answer.json();
  // A 404 of a proxy in between is not in the service's words.
  const { error } = answer.status === 404 ? await answer.json().catch(() => ({})) : {};
  if (typeof error === "string") return error;
  throw new Error(`status ${answer.status}`);
}

/** Whether a browser would send this as a part of a path: it takes dots for a folder, even when they are escaped. */
const canBeAsked = (name) => !["", ".", ".."].includes(name);

/** The address is typed too, and may hold a % by itself. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const noAnswer = (asked, { message }) => `${asked}: no answer (${message})`;

function podWords({ message, held }) {
  if (!held) return message;
  const since = held.heldSeconds > 0 ? ` Held since ${clock.at(clock.nowMs() - held.heldSeconds * 1_000)}.` : "";
  const until =
    held.untilMs === undefined
      ? " Its time begins when the gates of others are gone."
      : ` It goes at ${clock.at(held.untilMs)} at the latest, whether a slot is free or not.`;
  return `${held.reason}: ${message}.${since}${until}`;
}

/** Changes where a reader should hear of it; figures within the words change all the time. */
const podState = ({ state, node, held }) => [state, node, held?.reason, held?.untilMs].join();

function drawSteps({ limit, limitBefore, fromMs, toMs, steps, message }) {
  const high = Math.max(limit, limitBefore, ...steps.map(({ to }) => to), 1);
  const x = (atMs) => ((600 * (atMs - fromMs)) / (toMs - fromMs)).toFixed(1);
  const y = (slots) => (56 - (52 * slots) / high).toFixed(1);
  const corners = steps.flatMap(({ atMs, from, to }) => [`${x(atMs)},${y(from)}`, `${x(atMs)},${y(to)}`]);
  const points = [`0,${y(limitBefore)}`, ...corners, `600,${y(limit)}`].join(" ");
  byId("limit-line").querySelector("polyline").setAttribute("points", points);
  byId("limit-line").setAttribute("aria-label", message);
  setText(byId("limit-from"), clock.at(fromMs));
}

/** The newest first. */
function listSteps(steps) {
  const texts = steps.toReversed().map(({ atMs, from, to, why }) => {
    const slots = from === to ? String(to) : `${from} → ${to}`;
    return `${clock.at(atMs)}  ${slots}: ${why}`;
  });
  const list = byId("limit-steps");
  if ([...list.children].map((one) => one.textContent).join("\n") === texts.join("\n")) return;
  list.replaceChildren(...texts.map((textContent) => Object.assign(document.createElement("li"), { textContent })));
}

export class Questions {
  #asked = {};
  #told = {};
  #say;

  /** @param say tells a screen reader. */
  constructor(say) {
    this.#say = say;
    for (const what of ["pod", "node"]) {
      byId(`${what}-form`).addEventListener("submit", (event) => {
        event.preventDefault();
        const name = byId(`${what}-asked`).value.trim();
        const hash = what === "pod" ? askPod(name) : askNode(name);
        if (location.hash === hash) void this.#ask(what, name);
        else location.hash = hash;
      });
    }
  }

  /** Asks what is in the address, now and when it changes. */
  followAddress() {
    window.addEventListener("hashchange", () => this.#readAddress());
    this.#readAddress();
  }

  #readAddress() {
    const [, what, text] = /^#(pod|node)=(.*)$/.exec(location.hash) ?? [];
    if (what) void this.#ask(what, decoded(text));
  }

  async #ask(what, name) {
    byId(`${what}-asked`).value = name;
    this.#asked[what] = name;
    this.#told[what] = undefined;
    byId(`${what}-answer`).hidden = name === "";
    await this.update();
    if (name !== "") byId(`${what}-answer`).focus();
  }

  /** Asks again what is asked. Never fails: what goes wrong is said in the answer's place. */
  async update() {
    const { pod, node } = this.#asked;
    await Promise.all([pod ? this.#showPod(pod) : undefined, node ? this.#showNode(node) : undefined]);
  }

  async #showPod(asked) {
    const [namespace, name, ...rest] = asked.includes("/") ? asked.split("/") : ["default", asked];
    const path = `status/pods/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
    const isName = canBeAsked(namespace) && canBeAsked(name) && rest.length === 0;
    let words, state;
    try {
      const answer = isName ? await answerOf(path) : { state: "unknown", message: "give it as namespace/name" };
      if (typeof answer === "string") throw new Error(answer);
      [words, state] = [`${asked}: ${podWords(answer)}`, podState(answer)];
    } catch (error) {
      words = state = noAnswer(asked, error);
    }
    if (asked !== this.#asked.pod) return;
    setText(byId("pod-answer"), words);
    this.#tell("pod", state, words);
  }

  async #showNode(asked) {
    let answer = `${asked} is no name of a node`;
    try {
      if (canBeAsked(asked)) answer = await answerOf(`status/nodes/${encodeURIComponent(asked)}`);
      if (asked !== this.#asked.node) return;
      if (typeof answer !== "string") {
        drawSteps(answer);
        listSteps(answer.steps);
      }
    } catch (error) {
      answer = noAnswer(asked, error);
    }
    if (asked !== this.#asked.node) return;
    const isKnown = typeof answer !== "string";
    for (const part of byId("node-answer").children)
      if (part.id !== "node-words") part.toggleAttribute("hidden", !isKnown);
    const words = isKnown ? `${asked}: ${answer.message}` : answer;
    setText(byId("node-words"), words);
    this.#tell("node", isKnown ? answer.limit : answer, words);
  }

  #tell(what, state, words) {
    if (this.#told[what] !== undefined && this.#told[what] !== state) this.#say(words);
    this.#told[what] = state;
  }
}
