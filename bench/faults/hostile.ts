/** Tenants that forge, webhooks that refuse, watches that hang while the Lease is renewed (issue 20). */
import type { Chance } from "./chance.ts";
import { CHAOS_MS, NODES, REPLICAS, SETTLED_NODES, type ForgedAtCreation, type PodKind, type Step } from "./steps.ts";

interface Hostile {
  readonly name: string;
  readonly steps: (chance: Chance, atMs: number) => Iterable<Step>;
}

const forgedPods = (forged: ForgedAtCreation, what: PodKind): Hostile["steps"] =>
  function* (chance, atMs) {
    const node = chance.whole(SETTLED_NODES, NODES - 1);
    const startMs = chance.of([500, 3_000, 10_000]);
    yield { kind: "pods", atMs, what, count: chance.whole(1, 6), node, startMs, spreadMs: 0, forged };
  };

export const hostile: readonly Hostile[] = [
  { name: "reservations of the future", steps: forgedPods("futureReservation", "plain") },
  { name: "reservations of 999 cores", steps: forgedPods("hugeReservation", "huge") },
  { name: "holds of the past", steps: forgedPods("pastHold", "plain") },
  {
    name: "pods whose every update is refused",
    *steps(chance, atMs) {
      const node = chance.whole(SETTLED_NODES, NODES - 1);
      const forMs = chance.between(20_000, 60_000);
      const code = chance.of([400, 403]);
      yield { kind: "stubbornPods", atMs, count: chance.whole(1, 6), node, code, forMs: Math.min(forMs, CHAOS_MS) };
    },
  },
  {
    name: "pods that may not get tolerations",
    *steps(chance, atMs) {
      const node = chance.whole(SETTLED_NODES, NODES - 1);
      yield { kind: "strictPods", atMs, count: chance.whole(1, 6), node, code: chance.of([400, 403, 422]) };
    },
  },
  {
    name: "watches that hang while the Lease is renewed",
    *steps(chance, atMs) {
      const forMs = chance.between(35_000, 90_000);
      for (let replica = 0; replica < REPLICAS; replica++) {
        for (const resource of ["pods", "nodes"] as const) {
          yield { kind: "network", atMs, replica, forMs, fault: { kind: "hungWatch", resource } };
        }
      }
    },
  },
];

export function* hostileFaults(chance: Chance): Generator<Step> {
  for (const { steps } of hostile) {
    const isDrawn = chance.is(0.08);
    const drawn = [...steps(chance, chance.between(3_000, 105_000))];
    if (isDrawn) yield* drawn;
  }
}
