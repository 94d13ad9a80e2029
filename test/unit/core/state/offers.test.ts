import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeName, type NodeName } from "../../../../src/core/ids.ts";
import { Offers } from "../../../../src/core/state/offers.ts";
import { aPod, START_MS } from "../../../support/core-facts.ts";
import { namesOf } from "../../../support/core-plan.ts";

const FOR_MS = 15_000;
const [n1, n2] = [nodeName("n1"), nodeName("n2")];
const [a, b] = [aPod("a"), aPod("b")];
const live = (offers: Offers, node: NodeName, atMs: number) => namesOf(offers.livePods(node, FOR_MS, atMs));

describe("an offer", () => {
  test("uses a slot of its node from now on, for as long as offers last", () => {
    const offers = new Offers();
    offers.add(a, n1, FOR_MS, START_MS);
    expect(live(offers, n1, START_MS)).toEqual(["a"]);
    expect(live(offers, n2, START_MS)).toEqual([]);
    expect(live(offers, n1, START_MS + FOR_MS - 1)).toEqual(["a"]);
    expect(live(offers, n1, START_MS + FOR_MS)).toEqual([]);
  });

  test("to another node takes the place of the pod's last one", () => {
    const offers = new Offers();
    offers.add(a, n1, FOR_MS, START_MS);
    offers.add(a, n2, FOR_MS, START_MS + 1);
    expect([live(offers, n1, START_MS + 1), live(offers, n2, START_MS + 1)]).toEqual([[], ["a"]]);
    expect([offers.anyTo(n1), offers.anyTo(n2)]).toEqual([false, true]);
  });

  test("made again to the same node begins anew", () => {
    const offers = new Offers();
    offers.add(a, n1, FOR_MS, START_MS);
    offers.add(a, n1, FOR_MS, START_MS + 10_000);
    expect(live(offers, n1, START_MS + 10_000 + FOR_MS - 1)).toEqual(["a"]);
  });

  test("that is resolved frees its slot, and resolving it twice or for nothing changes nothing", () => {
    const offers = new Offers();
    offers.add(a, n1, FOR_MS, START_MS);
    offers.add(b, n1, FOR_MS, START_MS);
    offers.resolve(a.uid);
    offers.resolve(a.uid);
    offers.resolve(aPod("never offered").uid);
    expect(live(offers, n1, START_MS)).toEqual(["b"]);
    offers.resolve(b.uid);
    expect(offers.anyTo(n1)).toBe(false);
  });

  test("that has expired is forgotten with the next offer of its node, so that they do not pile up", () => {
    const offers = new Offers();
    offers.add(a, n1, FOR_MS, START_MS);
    offers.add(b, n1, FOR_MS, START_MS + FOR_MS);
    expect(namesOf(offers.livePods(n1, Infinity, START_MS + FOR_MS))).toEqual(["b"]);
  });

  test("never outlives its time, belongs to one node, and is the pod's last one, whatever comes in between", () => {
    const stepArb = fc.record({
      what: fc.constantFrom("add", "add", "add", "resolve"),
      pod: fc.constantFrom(a, b, aPod("c")),
      node: fc.constantFrom(n1, n2),
      waitMs: fc.constantFrom(0, 1, 5_000, 14_999, 15_000),
    });
    fc.assert(
      fc.property(fc.array(stepArb, { maxLength: 30 }), (script) => {
        const offers = new Offers();
        const last = new Map<string, { readonly node: NodeName; readonly atMs: number }>();
        let nowMs = START_MS;
        for (const { what, pod, node, waitMs } of script) {
          nowMs += waitMs;
          if (what === "add") {
            offers.add(pod, node, FOR_MS, nowMs);
            last.set(pod.name, { node, atMs: nowMs });
          } else {
            offers.resolve(pod.uid);
            last.delete(pod.name);
          }
          for (const one of [n1, n2]) {
            const expected = [...last].filter(([, offer]) => offer.node === one && nowMs - offer.atMs < FOR_MS);
            expect(live(offers, one, nowMs).sort()).toEqual(expected.map(([name]) => name).sort());
          }
        }
      }),
    );
  });
});
