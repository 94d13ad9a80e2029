/**
 * The fence under any order of events: pods that were pending before their nodes existed, a scheduler that binds
 * whatever a node's taints let through, and a leader that hears late, twice or never, whose writes meet conflicts, and
 * who dies between two writes. The limit must hold in the truth for as long as the fence is up.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { NodeFacts, PodFacts } from "../../../../src/core/facts.ts";
import { fenceValue } from "../../../../src/core/rules/node-fence.ts";
import { createPacer, type Pacer } from "../../../../src/core/pacer.ts";
import { nodeName, type NodeName } from "../../../../src/core/ids.ts";
import type { FenceAction } from "../../../../src/core/verdict.ts";
import { defaultPolicy } from "../../../../src/policy/parse.ts";
import { aNode, aPod, aShape, changed, START_MS } from "../../../support/core-facts.ts";

const SLOTS = 2;
const NODES = ["n1", "n2"].map((name) => nodeName(name));
const nodeAt = (at: number) => NODES[at] ?? nodeName("n1");
const NOT_READY = { key: "node.kubernetes.io/not-ready", value: "", effect: "NoSchedule" } as const;
const policy = defaultPolicy({
  youngForSeconds: 86_400,
  startup: { deadlineSeconds: 3_600 },
  nodeClasses: [{ name: "test", slots: { initial: SLOTS, min: SLOTS, max: SLOTS } }],
});

type Step =
  | { do: "join"; node: number; foreign: boolean }
  | { do: "ready"; node: number }
  | { do: "create"; image: number; onlyOn: number; rules: boolean }
  | { do: "hear" | "hear twice"; which: number }
  /** The leader plans and writes; some writes meet a conflict, and it may die before the others. */
  | { do: "plan"; conflicts: readonly boolean[]; diesAfter: number }
  | { do: "schedule" }
  | { do: "start" | "break" | "delete"; which: number }
  | { do: "wait"; seconds: number };

const which = fc.nat(30);
const node = fc.nat(1);
const stepArb: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant("join" as const), node, foreign: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("ready" as const), node }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("create" as const),
      image: fc.nat(6),
      onlyOn: fc.nat(5),
      rules: fc.boolean(),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("hear" as const, "hear twice" as const), which }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("plan" as const),
      conflicts: fc.array(fc.boolean(), { maxLength: 4 }),
      diesAfter: fc.constantFrom(99, 99, 99, 0, 1, 2),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ do: "schedule" as const }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("start" as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("break" as const, "delete" as const), which }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("wait" as const), seconds: fc.constantFrom(1, 5, 16) }) },
);

/** The truth, and one leader that follows it at a distance. */
class World {
  readonly pods = new Map<string, PodFacts>();
  readonly nodes = new Map<NodeName, NodeFacts>();
  unheard: (PodFacts | NodeFacts)[] = [];
  nowMs = START_MS;
  pacer: Pacer = createPacer(policy);
  created = 0;

  /** A herd that waits for its nodes. */
  constructor() {
    for (let at = 0; at < 12; at += 1) this.create(at, 5, false);
  }

  step(step: Step): void {
    if (step.do === "join") this.join(nodeAt(step.node), step.foreign);
    else if (step.do === "ready") this.ready(nodeAt(step.node));
    else if (step.do === "create") this.create(step.image, step.onlyOn, step.rules);
    else if (step.do === "plan") this.plan(step.conflicts, step.diesAfter);
    else if (step.do === "schedule") this.schedule();
    else if (step.do === "wait") this.wait(step.seconds);
    else if (step.do === "hear" || step.do === "hear twice") this.hear(step.do, step.which);
    else this.podStep(step.do, step.which);
  }

  join(name: NodeName, foreign: boolean): void {
    if (this.nodes.has(name)) return;
    const fence = foreign ? { value: "", sinceMs: undefined } : { value: fenceValue(name), sinceMs: this.nowMs };
    const labels = { "kubernetes.io/hostname": name };
    this.writeNode(
      aNode(name, { createdAtMs: this.nowMs, readySinceMs: undefined, taints: [NOT_READY], fence, labels }),
    );
  }

  ready(name: NodeName): void {
    const truth = this.nodes.get(name);
    if (truth && truth.taints.length > 0) this.writeNode(changed(truth, { taints: [], readySinceMs: this.nowMs }));
  }

  create(image: number, onlyOn: number, interPodRules: boolean): void {
    const only = NODES[onlyOn];
    const nodeSelector: Record<string, string> = only === undefined ? {} : { "kubernetes.io/hostname": only };
    const shape = aShape({ nodeSelector, image: `image-${image}`, ownerName: `owner-${image}`, interPodRules });
    const name = `p${(this.created += 1)}`;
    this.write(aPod(name, { createdAtMs: this.nowMs, unschedulable: true, shape }));
  }

  write(pod: PodFacts): void {
    this.pods.set(pod.uid, pod);
    this.unheard.push(pod);
  }

  writeNode(one: NodeFacts): void {
    this.nodes.set(one.name, one);
    this.unheard.push(one);
  }

  tell(fact: PodFacts | NodeFacts): void {
    if ("shape" in fact) this.pacer.upsertPod(fact, this.nowMs);
    else this.pacer.upsertNode(fact, this.nowMs);
  }

  hear(how: "hear" | "hear twice", at: number): void {
    const [fact] = this.unheard.slice(at % Math.max(1, this.unheard.length));
    if (!fact) return;
    if (how === "hear") this.unheard.splice(this.unheard.indexOf(fact), 1);
    this.tell(fact);
  }

  /** A new leader lists the cluster. */
  restart(): void {
    this.unheard = [];
    this.pacer = createPacer(policy);
    for (const one of this.nodes.values()) this.tell(one);
    for (const pod of this.pods.values()) this.tell(pod);
  }

  plan(conflicts: readonly boolean[], diesAfter: number): void {
    const { releases, fences } = this.pacer.plan(this.nowMs);
    const adopting = new Set(fences.flatMap((action) => (action.kind === "adopt" ? [action.node.name] : [])));
    for (const action of fences) {
      const truth = this.nodes.get(action.node.name);
      if (!truth || (action.kind !== "note" && action.kind !== "raise" && !truth.fence)) continue;
      this.writeNode(changed(truth, fenceAfter(action, truth, this.nowMs)));
    }
    for (const [at, release] of releases.entries()) {
      if (at >= diesAfter) {
        this.restart();
        return;
      }
      if (conflicts[at] || release.node === undefined || adopting.has(release.node)) continue;
      const truth = this.pods.get(release.pod.uid);
      if (!truth || truth.node !== undefined) continue;
      const fencesTolerated = release.fence ? [...truth.fencesTolerated, release.fence] : truth.fencesTolerated;
      const released = changed(truth, { fencesTolerated, reservation: { node: release.node, atMs: this.nowMs } });
      this.write(released);
      this.pacer.upsertPod(released, this.nowMs);
    }
  }

  /** Every pending pod gets its turn: onto the emptiest node whose taints let it through. */
  schedule(): void {
    for (const pod of this.pods.values()) {
      if (pod.node !== undefined) continue;
      const open = [...this.nodes.values()].filter((one) => takes(one, pod));
      const [best] = open.sort((a, b) => this.bound(a.name) - this.bound(b.name));
      if (best) this.write(changed(pod, { node: best.name, scheduledAtMs: this.nowMs, unschedulable: false }));
    }
  }

  bound(name: NodeName): number {
    return [...this.pods.values()].filter((pod) => pod.node === name).length;
  }

  /** Scheduler and watches are slow, but not by seconds. */
  wait(seconds: number): void {
    this.schedule();
    this.catchUp();
    this.nowMs += seconds * 1_000;
  }

  podStep(what: "start" | "break" | "delete", at: number): void {
    const pod = [...this.pods.values()][at % Math.max(1, this.pods.size)];
    if (what === "delete" && pod) {
      this.pods.delete(pod.uid);
      this.unheard = this.unheard.filter((fact) => fact !== pod);
      this.pacer.deletePod(pod.uid, this.nowMs);
    } else if (pod?.node !== undefined) {
      const started = { containersStarted: true, ready: true };
      this.write(changed(pod, what === "start" ? started : { waitingOn: "ImagePullBackOff" }));
    }
  }

  inStartup(name: NodeName): number {
    const here = [...this.pods.values()].filter((pod) => pod.node === name);
    return here.filter((pod) => !pod.containersStarted && pod.waitingOn === undefined).length;
  }

  catchUp(): void {
    for (const one of this.nodes.values()) this.tell(one);
    for (const pod of this.pods.values()) this.tell(pod);
    this.unheard = [];
  }

  /** From here on everything goes well, second by second. */
  settle(seconds: number): void {
    for (const name of NODES) {
      this.join(name, false);
      this.ready(name);
    }
    for (let second = 0; second < seconds; second += 1) {
      this.catchUp();
      this.plan([], 99);
      this.wait(1);
      for (let at = 0; at < this.pods.size; at += 1) this.podStep("start", at);
    }
  }
}

/** The node after the write of an action. */
function fenceAfter(action: FenceAction, { fence: before }: NodeFacts, nowMs: number) {
  if (action.kind === "note") return { openedNote: action.note };
  if (action.kind === "unsteer") return { steered: undefined };
  if (action.kind === "steer") return { steered: true } as const;
  if (action.kind === "lift") return { fence: undefined, unschedulable: false };
  const fence = { value: action.value, sinceMs: action.node.createdAtMs, rollCall: before?.rollCall };
  if (action.kind === "adopt" || action.kind === "raise") return { fence };
  const isOpen = action.kind === "beginRollCall";
  const rollCall = { state: isOpen ? "open" : "done", sinceMs: nowMs } as const;
  return { fence: { ...fence, rollCall }, unschedulable: isOpen };
}

function takes({ labels, taints, fence, name, unschedulable }: NodeFacts, pod: PodFacts): boolean {
  const only = pod.shape.nodeSelector["kubernetes.io/hostname"];
  if (only !== undefined && only !== labels["kubernetes.io/hostname"]) return false;
  if (unschedulable) return false; // no pod here tolerates a cordon
  return taints.length === 0 && (!fence || (fence.value === fenceValue(name) && pod.fencesTolerated.includes(name)));
}

const script = fc.array(stepArb, { minLength: 20, maxLength: 120 });

test("while a fence is up, its node never has more pods in startup than its limit", () => {
  fc.assert(
    fc.property(script, (steps) => {
      const world = new World();
      for (const step of steps) {
        const fenced = new Set([...world.nodes.values()].filter(({ fence }) => fence).map(({ name }) => name));
        world.step(step);
        for (const name of fenced) {
          if (world.nodes.get(name)?.fence) expect(world.inStartup(name)).toBeLessThanOrEqual(SLOTS);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test("whatever came before, in the end every pod has its node, and every fence is down", () => {
  fc.assert(
    fc.property(script, (steps) => {
      const world = new World();
      for (const step of steps) world.step(step);
      world.settle(120);
      expect([...world.pods.values()].filter(({ node }) => node === undefined)).toEqual([]);
      expect([...world.nodes.values()].filter(({ fence, unschedulable }) => fence ?? unschedulable)).toEqual([]);
    }),
    { numRuns: 60 },
  );
});
