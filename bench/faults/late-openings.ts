/**
 * Nodes that open late, and nodes that only seem to: cordons, reboots, startup taints, extended resources that appear,
 * flaps of Ready. And rollouts on settled nodes. Beside the chaos, and once more after all faults, when nothing excuses
 * a replica that does not see what happens.
 */
import type { Chance } from "./chance.ts";
import { CHAOS_MS, NODES, SETTLED_NODES, type PodKind, type Step } from "./steps.ts";

/** Replicas have recovered by then, and there is time left for what is held to go, ms. */
export const CALM_MS = 246_000;
/** From the first sign of an opening to its end, so that a fence that waits for it still falls within the run, ms. */
const OPENS_WITHIN_MS = 14_000;

/** @param standby settled nodes with room, the last ones by number */
export function* lateOpenings(chance: Chance, standby: number): Generator<Step> {
  for (let count = chance.whole(0, 2); count > 0; count--) {
    yield* opening(chance, chance.between(5_000, CHAOS_MS), anyNode(chance, standby));
  }
  if (chance.is(0.5)) yield rollout(chance, chance.between(4_000, CHAOS_MS));
  if (standby === 0) return;
  if (chance.is(0.2)) yield rollout(chance, chance.between(CALM_MS, CALM_MS + 8_000));
  else yield* opening(chance, CALM_MS, NODES + chance.whole(0, standby - 1));
}

const anyNode = (chance: Chance, standby: number) => chance.whole(0, NODES + standby - 1);

/** Something that is, or looks like, an opening of the node, with pods before and after. */
function* opening(chance: Chance, atMs: number, node: number): Generator<Step> {
  const how = chance.of(["joinCordoned", "joinCordoned", "reboot", "reboot", "close", "close", "resource", "flap"]);
  const forMs = chance.between(2_000, OPENS_WITHIN_MS);
  const what = how === "resource" ? "gpu" : chance.of<PodKind>(["plain", "plain", "daemon"]);
  const herd = { kind: "pods", what, node, startMs: chance.of([500, 3_000, 10_000]) } as const;
  switch (how) {
    case "joinCordoned": {
      const joins = chance.whole(SETTLED_NODES, NODES - 1);
      yield { kind: "leave", atMs: Math.max(atMs - 8_000, 1_000), node: joins, backAfterMs: Infinity };
      yield { kind: "join", atMs, node: joins, readyMs: 1_000, foreignFence: false, closed: closing(chance), forMs };
      break;
    }
    case "reboot":
      yield { kind: "reboot", atMs, node, downMs: forMs / 2, forMs };
      break;
    case "close":
      yield { kind: "close", atMs, node, how: closing(chance), forMs };
      break;
    case "resource":
      yield { kind: "resource", atMs: atMs + forMs, node };
      break;
    case "flap":
      yield { kind: "flap", atMs, node, forMs };
  }
  yield { ...herd, atMs: atMs + forMs - 1_000, count: chance.whole(2, 5), spreadMs: 0 };
  const later = { atMs: atMs + forMs + 7_000, count: chance.whole(4, 8), spreadMs: 0 };
  if (atMs < CALM_MS && chance.is(0.5)) yield { ...herd, ...later };
  else yield { kind: "rollout", startMs: herd.startMs, ...later };
}

const closing = (chance: Chance) => chance.of(["cordon", "taint"] as const);

/** A new tag: its pods bring an image that no node has. */
function rollout(chance: Chance, atMs: number): Step {
  const startMs = chance.of([500, 3_000, 10_000]);
  return { kind: "rollout", atMs, count: chance.whole(6, 14), startMs, spreadMs: chance.of([0, 0, 10_000]) };
}
