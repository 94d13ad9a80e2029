import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeName } from "../../../../src/core/ids.ts";
import { Claims, fitsNow, fitsOnceJoined } from "../../../../src/core/plan/claims.ts";
import type { ClusterState } from "../../../../src/core/state/cluster-state.ts";
import { aGatedPod, aNode, anOldNode, aPod, aShape, bound, START_MS } from "../../../support/core-facts.ts";
import { aJoiningNode, many, NOT_READY, planOf, stateWith, theNode } from "../../../support/core-plan.ts";

const cpuOf = (cpu: number) => ({ cpu, pods: 110 });
const needing = (cpu: number) => aShape({ requests: { cpu, pods: 1 }, ownerName: `needs-${cpu}` });

function claimsOn(state: ClusterState, nowMs = START_MS): Claims {
  const plan = planOf(state, nowMs);
  return new Claims(plan, plan.paced);
}

describe("a claim", () => {
  const shape = needing(100);

  test("is granted as long as there is room, beside what bound and reserved pods take", () => {
    const reservation = { node: nodeName("n1"), atMs: START_MS };
    const pods = [bound(aPod("bound", { shape }), "n1"), aPod("reserved", { shape, reservation })];
    const state = stateWith([aNode("n1", { allocatable: cpuOf(400) })], pods);
    const granted = (nowMs: number) => {
      const claims = claimsOn(state, nowMs);
      return many(4, (name) => claims.claim(aGatedPod(name, { shape }), theNode(state, "n1")));
    };
    expect(granted(START_MS)).toEqual([true, true, false, false]);
    expect(granted(START_MS + 15_000)).toEqual([true, true, true, false]); // the reservation is over
  });

  test("that is refused takes nothing: a smaller pod still finds the room", () => {
    const state = stateWith([aNode("n1", { allocatable: cpuOf(100) })]);
    const claims = claimsOn(state);
    expect(claims.claim(aGatedPod("large", { shape: needing(101) }), theNode(state, "n1"))).toBe(false);
    expect(claims.claim(aGatedPod("small", { shape }), theNode(state, "n1"))).toBe(true);
  });

  test("takes host ports as well as resources", () => {
    const withPort = aShape({ hostPorts: [{ protocol: "TCP", hostIP: "", port: 80 }] });
    const state = stateWith([aNode("n1"), aNode("n2")]);
    const claims = claimsOn(state);
    const claimed = many(3, (name) => claims.claimFirst(aGatedPod(name, { shape: withPort }))?.facts.name);
    expect(claimed).toEqual(["n1", "n2", undefined]);
  });

  test("counts a node that joins as room while it is young, and no longer", () => {
    const state = stateWith([aJoiningNode("n1")], [], { youngForSeconds: 60 });
    expect(claimsOn(state, START_MS + 59_999).claimFirst(aGatedPod("p"))?.facts.name).toBe("n1");
    expect(claimsOn(state, START_MS + 60_000).claimFirst(aGatedPod("p"))).toBeUndefined();
  });

  test("on the first node that has room is independent of where larger pods found none", () => {
    const nodes = [100, 300, 200].map((cpu, at) => aNode(`n${at}`, { allocatable: cpuOf(cpu) }));
    const claims = claimsOn(stateWith(nodes));
    const claim = (name: string, cpu: number) =>
      claims.claimFirst(aGatedPod(name, { shape: needing(cpu) }))?.facts.name;
    expect([claim("a", 300), claim("b", 300), claim("c", 100), claim("d", 100), claim("e", 100)]).toEqual([
      "n1",
      undefined,
      "n0",
      "n2",
      "n2",
    ]);
  });
});

describe("claims on several nodes", () => {
  const scenario = fc.record({
    nodes: fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 5 }),
    already: fc.array(fc.record({ node: fc.nat(4), cpu: fc.integer({ min: 1, max: 200 }), reserved: fc.boolean() }), {
      maxLength: 5,
    }),
    wanted: fc.array(fc.constantFrom(50, 100, 170, 300), { maxLength: 30 }),
  });
  const stateOf = ({
    nodes,
    already,
  }: {
    nodes: number[];
    already: { node: number; cpu: number; reserved: boolean }[];
  }) =>
    stateWith(
      nodes.map((cpu, at) => aNode(`n${at}`, { allocatable: cpuOf(cpu) })),
      already.map(({ node, cpu, reserved }, at) => {
        const name = nodeName(`n${node}`);
        const pod = aPod(`there-${at}`, { shape: needing(cpu) });
        return reserved ? { ...pod, reservation: { node: name, atMs: START_MS } } : bound(pod, name);
      }),
    );
  const shapes = new Map([50, 100, 170, 300].map((cpu) => [cpu, needing(cpu)]));

  test("never exceed a node's room, and only a pod that fits nowhere is refused", () => {
    fc.assert(
      fc.property(scenario, (given) => {
        const claims = claimsOn(stateOf(given));
        const free = given.nodes.map(
          // A reservation of more than the whole node is a forgery.
          (cpu, at) =>
            cpu -
            given.already
              .filter(({ node, reserved, cpu: wanted }) => node === at && !(reserved && wanted > cpu))
              .reduce((used, one) => used + one.cpu, 0),
        );
        for (const [at, cpu] of given.wanted.entries()) {
          const node = claims.claimFirst(aGatedPod(`p${at}`, { shape: shapes.get(cpu) ?? needing(cpu) }));
          const expected = free.findIndex((left) => left >= cpu);
          expect(node?.facts.name).toBe(expected < 0 ? undefined : `n${expected}`);
          if (expected >= 0) free[expected] = (free[expected] ?? 0) - cpu;
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("room beside what this plan releases", () => {
  test("a released pod takes its room at once, and does not stand in its own way", () => {
    const shape = needing(100);
    const state = stateWith([aNode("n1", { allocatable: cpuOf(100) })]);
    const plan = planOf(state);
    const [first, second] = [aGatedPod("first", { shape }), aGatedPod("second", { shape })];
    const node = theNode(state, "n1");
    expect(fitsNow(plan, second, node)).toBe(true);
    plan.releaseTo(first, node.facts, "SlotFree", "");
    expect(fitsNow(plan, second, node)).toBe(false);
    expect(fitsNow(plan, first, node)).toBe(true);
  });

  test("labels and taints are judged as they will be once a young node has joined", () => {
    const own = { key: "team", value: "a", effect: "NoSchedule" } as const;
    const plan = planOf(stateWith([]));
    expect(fitsOnceJoined(plan, aPod("p"), aJoiningNode("n1"))).toBe(true);
    expect(fitsOnceJoined(plan, aPod("p"), aJoiningNode("n1", { taints: [NOT_READY, own] }))).toBe(false);
    expect(fitsOnceJoined(plan, aPod("p"), anOldNode("old", { taints: [NOT_READY] }))).toBe(false);
  });
});
