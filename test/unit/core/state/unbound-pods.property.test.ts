import fc from "fast-check";
import { expect, test } from "vitest";
import type { PodFacts } from "../../../../src/core/facts.ts";
import { byAge } from "../../../../src/core/state/held-since.ts";
import { UnboundPods } from "../../../../src/core/state/unbound-pods.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import { aPod, aShape, START_MS } from "../../../support/core-facts.ts";

const shapes = [aShape({ ownerName: "a" }), aShape({ ownerName: "b" })] as const;

/** Adds, changes or removes one of a few pods. */
const anAction = fc.record({
  what: fc.constantFrom("add", "add", "add", "remove"),
  name: fc.integer({ min: 0, max: 7 }),
  shape: fc.constantFrom(...shapes),
  ageSeconds: fc.integer({ min: 0, max: 3 }),
  pinned: fc.boolean(),
  unschedulable: fc.boolean(),
  reserved: fc.boolean(),
});

test("whatever comes and goes in whatever order, groups hold what is there, oldest first, and count the untried", () => {
  fc.assert(
    fc.property(fc.array(anAction, { maxLength: 60 }), (actions) => {
      const room = new UnboundPods();
      const expected = new Map<string, PodFacts>();
      for (const { what, name, shape, ageSeconds, pinned, unschedulable, reserved } of actions) {
        const before = expected.get(`p${name}`);
        if (what === "remove") {
          if (before) room.remove(before);
          expected.delete(`p${name}`);
          continue;
        }
        const pod = aPod(`p${name}`, {
          shape,
          unschedulable,
          createdAtMs: START_MS + 1_000 * ageSeconds,
          pinnedTo: pinned ? nodeName("n1") : undefined,
          reservation: reserved ? { node: nodeName("n1"), atMs: START_MS } : undefined,
        });
        room.add(pod);
        expected.set(pod.name, pod);
      }
      const pods = [...expected.values()].sort(byAge);
      expect([...room.pinnedTo(nodeName("n1"))]).toEqual(pods.filter(({ pinnedTo }) => pinnedTo));
      for (const shape of shapes) {
        const group = new Map(room.shapes()).get(shape);
        expect([...(group?.pods() ?? [])]).toEqual(pods.filter((pod) => pod.shape === shape && !pod.pinnedTo));
      }
      expect([...room.podsWhere((shape) => shape === shapes[0])].sort(byAge)).toEqual(
        pods.filter(({ shape }) => shape === shapes[0]),
      );
      expect(room.untried(["default-scheduler"]).count).toBe(
        pods.filter(({ unschedulable, reservation }) => !unschedulable && !reservation).length,
      );
    }),
  );
});
