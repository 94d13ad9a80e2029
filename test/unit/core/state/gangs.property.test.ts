import fc from "fast-check";
import { expect, test } from "vitest";
import { Gangs } from "../../../../src/core/state/gangs.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import { aPod } from "../../../support/core-facts.ts";

const step = fc.record({
  what: fc.constantFrom("add" as const, "add" as const, "remove" as const),
  name: fc.constantFrom("a", "b", "c", "d"),
  gang: fc.constantFrom("x", "y", undefined),
  isBound: fc.boolean(),
});

test("whatever comes and goes, a gang is looked at exactly while one of its pods is not bound", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const gangs = new Gangs();
      const known = new Map<string, ReturnType<typeof aPod>>();
      for (const { what, name, gang, isBound } of steps) {
        const before = known.get(name);
        if (before) gangs.remove(before);
        known.delete(name);
        if (what === "remove") continue;
        const pod = aPod(name, { ...(gang && { gang }), node: isBound ? nodeName("n1") : undefined });
        gangs.add(pod);
        gangs.add(pod); // twice changes nothing
        known.set(name, pod);
      }
      const wanted = [...known.values()].filter((pod) => pod.node === undefined && pod.gang !== undefined);
      expect(new Set(gangs.unbound())).toEqual(new Set(wanted.map(({ gang }) => gang)));
    }),
  );
});
