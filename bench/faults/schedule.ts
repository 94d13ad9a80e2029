/**
 * A seed gives a schedule; a schedule with steps taken out is a schedule again, so that a failure can be made smaller
 * (shrink.ts).
 */
import { Chance } from "./chance.ts";
import { hostileFaults } from "./hostile.ts";
import { lateOpenings } from "./late-openings.ts";
import { othersPods } from "./others-pods.ts";
import { WATCHED, type NetworkFault, type Watched } from "./network.ts";
import {
  CHAOS_MS,
  FAULTS_END_MS,
  NODES,
  REPLICAS,
  SETTLED_NODES,
  type PodKind,
  type PolicyDraft,
  type Schedule,
  type Step,
} from "./steps.ts";

/** `backAfterMs` of a node that never comes back. */
const STAYS_AWAY = Infinity;

export function scheduleOf(seed: number): Schedule {
  const chance = new Chance(seed * 2 + 1);
  const steps = [...life(chance), ...faults(chance)];
  const policy = draftPolicy(chance);
  steps.push(...forgedCrowd(new Chance(seed * 2), policy));
  const late = new Chance(seed * 3 + 1_000_003);
  const standby = late.is(0.35) ? late.whole(1, 2) : 0;
  if (standby > 0 || late.is(0.3)) steps.push(...lateOpenings(late, standby));
  steps.push(...hostileFaults(new Chance(seed * 5 + 2_000_003)));
  steps.push(...othersPods(new Chance(seed * 7 + 3_000_017)));
  return {
    seed,
    policy,
    mayListDaemonSets: seed % 4 !== 0,
    standby,
    steps: steps.sort((a, b) => a.atMs - b.atMs),
  };
}

function draftPolicy(chance: Chance): PolicyDraft {
  return {
    mode: "enforce",
    maxHoldSeconds: chance.of([30, 45, 60, 90]),
    youngForSeconds: chance.of([60, 120, 300, 300]),
    slots: chance.whole(1, 3),
    fenceEnabled: chance.is(0.8),
    fenceMaxSeconds: chance.of([60, 90, 120]),
    gateEnabled: chance.is(0.9),
    extenderEnabled: chance.is(0.25),
  };
}

/** Nodes join and pods come, in waves. */
function* life(chance: Chance): Generator<Step> {
  for (let node = SETTLED_NODES; node < NODES; node++) {
    if (!chance.is(0.8)) continue;
    const atMs = chance.between(3_000, CHAOS_MS * 0.6);
    yield { kind: "join", atMs, node, readyMs: chance.between(1_000, 8_000), foreignFence: chance.is(0.2) };
    for (let herd = chance.whole(1, 3); herd > 0; herd--)
      yield pods(chance, atMs + chance.between(-4_000, 20_000), node);
  }
  for (let herd = chance.whole(1, 4); herd > 0; herd--) {
    yield pods(chance, chance.between(2_000, CHAOS_MS), chance.whole(0, NODES - 1));
  }
}

function pods(chance: Chance, atMs: number, node: number): Step {
  const what = chance.of<PodKind>([
    "plain",
    "plain",
    "plain",
    "daemon",
    "daemon",
    "daemon",
    "exempt",
    "critical",
    "urgent",
  ]);
  const startMs = chance.of([500, 3_000, 10_000, 25_000]);
  const spreadMs = chance.of([0, 0, 4_000, 15_000]);
  return { kind: "pods", atMs: Math.max(atMs, 1_000), what, count: chance.whole(2, 12), node, startMs, spreadMs };
}

function* faults(chance: Chance): Generator<Step> {
  for (let count = chance.whole(2, 14); count > 0; count--) {
    yield oneFault(chance, chance.between(1_000, CHAOS_MS));
    // Some faults come together, as they do in life.
    if (chance.is(0.2)) yield networkFault(chance, chance.between(1_000, CHAOS_MS));
  }
  for (let count = chance.whole(0, 2); count > 0; count--) yield* goneBeforeTheAnswer(chance);
  if (chance.is(0.3)) yield* writtenUnseen(chance);
}

/** Writes are done, the leader gets no answer, and its watch is late; meanwhile pods come that go first. */
function* writtenUnseen(chance: Chance): Generator<Step> {
  const node = chance.whole(SETTLED_NODES, NODES - 1);
  const atMs = chance.between(5_000, CHAOS_MS);
  const forMs = chance.between(15_000, 40_000);
  const faults: NetworkFault[] = [
    { kind: "errorAfterWrite", share: 0.9, silent: false, resource: "pods" },
    { kind: "lateEvents", resource: "pods", ms: chance.of([3_000, 8_000]) },
  ];
  yield { kind: "join", atMs: atMs - 4_000, node, readyMs: 1_000, foreignFence: false };
  for (let index = 0; index < REPLICAS; index++) {
    for (const fault of faults) yield { kind: "network", atMs, replica: index, forMs, fault };
  }
  const herd = { kind: "pods", atMs: atMs + 200, node, startMs: 3_000 } as const;
  yield { ...herd, what: "plain", count: 12, spreadMs: 0 };
  yield { ...herd, what: chance.of(["urgent", "daemon"]), count: 10, spreadMs: 12_000 };
}

/** The object of a write is gone before the answer comes. */
function* goneBeforeTheAnswer(chance: Chance): Generator<Step> {
  const atMs = chance.between(1_000, CHAOS_MS);
  const fault: NetworkFault = { kind: "lateAnswers", ms: chance.of([300, 1_500, 4_000]) };
  for (let index = 0; index < REPLICAS; index++) {
    yield { kind: "network", atMs, replica: index, forMs: chance.between(10_000, 40_000), fault };
  }
  const afterMs = chance.of([0, 20, 500]);
  if (chance.is(0.6)) yield { kind: "deleteWritten", atMs, count: chance.whole(1, 4), afterMs };
  else yield { kind: "leaveWritten", atMs, afterMs, backAfterMs: chance.of([0, 10, 20_000, STAYS_AWAY]) };
}

/**
 * More pods than start within their cap, and a tenant that dates their holds into the future. The cap comes when all
 * faults have been over for a while, and soon after a janitor's look at 240 s: so the leader must let the pods go.
 */
function* forgedCrowd(chance: Chance, { maxHoldSeconds }: PolicyDraft): Generator<Step> {
  if (!chance.is(0.2)) return;
  const node = chance.whole(SETTLED_NODES, NODES - 1);
  const atMs = Math.min(FAULTS_END_MS - 5_000, 245_000 - maxHoldSeconds * 1_000 + chance.between(0, 20_000));
  yield { kind: "leave", atMs: atMs - 8_000, node, backAfterMs: 1_000 }; // its pods go, so that there is room
  yield { kind: "join", atMs: atMs - 6_000, node, readyMs: 2_000, foreignFence: false };
  yield { kind: "pods", atMs, what: "daemon", count: 14, node, startMs: 25_000, spreadMs: 0 };
  yield { kind: "forge", atMs: atMs + 3_000, what: "laterHold", count: 12 };
}

type Draw = (chance: Chance, atMs: number) => Step;

const node = (chance: Chance) => chance.whole(0, NODES - 1);
const replica = (chance: Chance) => chance.whole(0, REPLICAS - 1);
const forMs = (chance: Chance) => chance.of([1_000, 5_000, 12_000, 30_000]) * chance.between(0.5, 1.5);

const draws: readonly (readonly [weight: number, draw: Draw])[] = [
  [8, networkFault],
  [2, (c, atMs) => ({ kind: "kill", atMs, replica: replica(c), downMs: c.of([200, 3_000, 20_000, 60_000]) })],
  [1, (c, atMs) => ({ kind: "suspend", atMs, replica: replica(c), forMs: forMs(c) })],
  [
    1,
    (c, atMs) => ({
      kind: "jump",
      atMs,
      replica: replica(c),
      byMs: c.of([-1, 1]) * c.of([500, 3_000, 20_000, 3_600_000]),
    }),
  ],
  [1, (c, atMs) => ({ kind: "drift", atMs, replica: replica(c), rate: c.between(0.9, 1.1) })],
  [1, (c, atMs) => ({ kind: "cutWatches", atMs, replica: replica(c) })],
  [1, (_, atMs) => ({ kind: "compact", atMs })],
  [2, (c, atMs) => ({ kind: "deletePods", atMs, which: c.of(["gated", "pending", "bound"]), count: c.whole(1, 5) })],
  [
    2,
    (c, atMs) => ({
      kind: "forge",
      atMs,
      what: c.of(["laterHold", "earlierHold", "garbage", "reservation"]),
      count: c.whole(1, 4),
    }),
  ],
  [1, (c, atMs) => ({ kind: "flap", atMs, node: node(c), forMs: c.between(1_000, 40_000) })],
  [2, (c, atMs) => ({ kind: "leave", atMs, node: node(c), backAfterMs: c.of([0, 10, 2_000, 20_000, STAYS_AWAY]) })],
  [1, (c, atMs) => ({ kind: "pullTrouble", atMs, node: node(c), forMs: forMs(c) })],
  [2, (c, atMs) => ({ kind: "policy", atMs, set: policyChange(c) })],
  [0.5, (_, atMs) => ({ kind: "badPolicy", atMs })],
  [1, (c, atMs) => ({ kind: "otherWebhookRefuses", atMs, forMs: forMs(c) })],
];

const WEIGHTS = draws.reduce((sum, [weight]) => sum + weight, 0);

function oneFault(chance: Chance, atMs: number): Step {
  let left = chance.next() * WEIGHTS;
  for (const [weight, draw] of draws) {
    left -= weight;
    if (left < 0) return draw(chance, atMs);
  }
  return networkFault(chance, atMs);
}

function policyChange(chance: Chance): Partial<PolicyDraft> {
  return chance.of<Partial<PolicyDraft>>([
    { slots: chance.whole(1, 3) },
    { maxHoldSeconds: chance.of([20, 60, 90]) },
    { youngForSeconds: chance.of([0, 60, 300]) },
    { mode: chance.of(["off", "observe", "enforce"]) },
    { fenceEnabled: chance.is(0.5) },
    { gateEnabled: chance.is(0.5) },
    { extenderEnabled: chance.is(0.5) },
  ]);
}

function networkFault(chance: Chance, atMs: number): Step {
  const resource = chance.of<Watched>(WATCHED);
  const share = chance.of([0.1, 0.5, 1]);
  const fault = chance.of<NetworkFault>([
    { kind: "partition" },
    { kind: "slow", ms: chance.of([50, 500, 4_000, 15_000]) },
    { kind: "slow", ms: chance.of([200, 1_000, 3_000]) },
    { kind: "lose", share },
    { kind: "busy", share, retryAfterSeconds: chance.of([1, 5]) },
    { kind: "error", share },
    { kind: "errorAfterWrite", share, silent: chance.is(0.4) },
    { kind: "hungWatch", resource },
    { kind: "lateEvents", resource, ms: chance.of([50, 500, 3_000, 12_000]) },
    { kind: "duplicateEvents", share },
    { kind: "lateAnswers", ms: chance.of([300, 1_500, 4_000]) },
  ]);
  return { kind: "network", atMs, replica: replica(chance), forMs: forMs(chance), fault };
}
