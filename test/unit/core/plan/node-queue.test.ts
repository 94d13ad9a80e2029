import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NodeQueue } from "../../../../src/core/plan/node-queue.ts";
import type { PlanBuilder } from "../../../../src/core/plan/plan-builder.ts";
import { aGatedPod, aNode, aPod, bound } from "../../../support/core-facts.ts";
import { many, planOf, shows, sizes, slots, stateWith, theNode, withImage } from "../../../support/core-plan.ts";

/** All that it yields, in that order. */
function* drain(queue: NodeQueue): Generator<string> {
  for (let node = queue.take(); node; node = queue.take()) yield node.facts.name;
}

/** Nodes of one class, each with so many pods in startup, the first of which fetches an image of so many MiB. */
interface Given {
  readonly name: string;
  readonly starting: number;
  readonly mib: number;
}

const IMAGES = sizes({ i1: 100, i2: 200, i3: 300 });
const imageOf = ({ mib }: Given) => withImage(`i${mib / 100}`);

function queueOf(given: readonly Given[]): { readonly queue: NodeQueue; readonly plan: PlanBuilder } {
  const pods = given.flatMap((one) =>
    many(one.starting, (name) => {
      const fetches = one.mib > 0 && name === "p0";
      return bound(aPod(`${name}-${one.name}`, fetches ? imageOf(one) : {}), one.name);
    }),
  );
  const state = stateWith([shows(IMAGES), ...given.map(({ name }) => aNode(name))], pods, slots(8));
  const plan = planOf(state);
  const queue = new NodeQueue(plan);
  for (const { name } of given) queue.add(theNode(state, name));
  return { queue, plan };
}

describe("the node queue yields", () => {
  test("the node whose disk has least left to write first, however many slots are free", () => {
    const { queue } = queueOf([
      { name: "large", starting: 1, mib: 300 },
      { name: "small", starting: 7, mib: 100 },
      { name: "none", starting: 7, mib: 0 },
    ]);
    expect([...drain(queue)]).toEqual(["none", "small", "large"]);
  });

  test("of equally busy disks the node with the most free slots, then the one whose name comes first", () => {
    const { queue } = queueOf([
      { name: "b", starting: 2, mib: 0 },
      { name: "c", starting: 1, mib: 0 },
      { name: "a", starting: 2, mib: 0 },
    ]);
    expect([...drain(queue)]).toEqual(["c", "a", "b"]);
  });

  test("a node that comes back where it stands now, with what the plan has released to it", () => {
    const { queue, plan } = queueOf([
      { name: "a", starting: 0, mib: 0 },
      { name: "b", starting: 0, mib: 0 },
    ]);
    const first = queue.take() ?? theNode(plan.state, "b");
    plan.releaseTo(aGatedPod("next"), first.facts, "SlotFree", "");
    queue.add(first);
    expect([...drain(queue)]).toEqual(["b", "a"]);
  });

  test("nothing once it is empty", () => {
    const { queue } = queueOf([{ name: "only", starting: 0, mib: 0 }]);
    expect([...drain(queue)]).toEqual(["only"]);
    expect(queue.take()).toBeUndefined();
  });

  test("all of any number of nodes in the same order, whatever the order in which they came", () => {
    const nodeArb = fc.record({ starting: fc.nat(4), mib: fc.constantFrom(0, 100, 200, 300) });
    fc.assert(
      fc.property(fc.array(nodeArb, { maxLength: 24 }), (figures) => {
        // A node without pods fetches nothing, so it has nothing left to write.
        const given = figures.map(({ starting, mib }, at) => ({
          name: `n${at}`,
          starting,
          mib: starting > 0 ? mib : 0,
        }));
        const sorted = [...given].sort(
          (a, b) => a.mib - b.mib || a.starting - b.starting || (a.name < b.name ? -1 : 1),
        );
        expect([...drain(queueOf(given).queue)]).toEqual(sorted.map(({ name }) => name));
      }),
    );
  });

  test("the first of what is left at every moment, though nodes come and go in between", () => {
    const stepArb = fc.option(fc.nat(9), { nil: "take" as const });
    fc.assert(
      fc.property(fc.array(stepArb, { maxLength: 40 }), (script) => {
        const names = many(10, (name) => name);
        const state = stateWith(
          names.map((name) => aNode(name)),
          names.flatMap((name, at) => many(at % 4, (pod) => bound(aPod(`${pod}-${name}`), name))),
          slots(8),
        );
        const queue = new NodeQueue(planOf(state));
        const there: number[] = [];
        for (const step of script) {
          if (step === "take") {
            there.sort((a, b) => (a % 4) - (b % 4) || a - b);
            expect(queue.take()?.facts.name).toBe(names[there.shift() ?? -1]);
          } else if (!there.includes(step)) {
            there.push(step);
            queue.add(theNode(state, names[step] ?? ""));
          }
        }
      }),
    );
  });
});
