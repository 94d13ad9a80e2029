/** A webhook that the API server cannot reach is noticed by pods about which no replica was asked. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createPacer } from "../../../../src/core/pacer.ts";
import { defaultPolicy } from "../../../../src/policy/parse.ts";
import { aGatedPod, anOldNode, aPod, aShape, bound, START_MS } from "../../../support/core-facts.ts";

const MINUTE_MS = 60_000;
const at = (seconds: number) => START_MS + seconds * 1_000;
const created = (name: string, seconds: number, given: Parameters<typeof aPod>[1] = {}) =>
  aPod(name, { createdAtMs: at(seconds), ...given });

describe("the webhook's silence", () => {
  test("grows from the first pod about which nobody was asked", () => {
    const pacer = createPacer(defaultPolicy());
    expect(pacer.silence.silentMs(START_MS)).toBe(0);
    for (const seconds of [0, 100, 200]) pacer.upsertPod(created(`p${seconds}`, seconds), at(seconds + 1));
    expect(pacer.silence.silentMs(at(360))).toBe(6 * MINUTE_MS);
  });

  test("ends with a question to this replica, or to another one, but only for pods created until then", () => {
    const pacer = createPacer(defaultPolicy());
    pacer.upsertPod(created("a", 0), at(1));
    pacer.upsertPod(created("b", 120), at(121));
    pacer.silence.asked(at(60)); // as another replica has noted it
    expect(pacer.silence.silentMs(at(180))).toBe(MINUTE_MS);
    pacer.upsertNode(anOldNode("old"), at(180));
    pacer.admit(created("c", 180), { synced: true, leaderAlive: true }, at(180));
    expect(pacer.silence.askedMs).toBe(at(180));
    pacer.upsertPod(created("c", 180), at(181));
    expect(pacer.silence.silentMs(at(600))).toBe(0);
  });

  test("a held pod shows that some replica was asked", () => {
    const pacer = createPacer(defaultPolicy());
    pacer.upsertPod(created("a", 0), at(1));
    pacer.upsertPod(aGatedPod("held", { createdAtMs: at(30) }), at(31));
    expect(pacer.silence.silentMs(at(600))).toBe(0);
  });

  test.each([
    ["one that is listed long after its creation", created("old", -60)],
    ["one that has a node", bound(created("bound", 0), "n")],
    ["an exempt one", created("dns", 0, { shape: aShape({ namespace: "kube-system" }) })],
    ["one that opts out", created("out", 0, { shape: aShape({ labels: { "paceline.dev/pacing": "disabled" } }) })],
  ])("%s does not count", (_case, pod) => {
    const pacer = createPacer(defaultPolicy());
    pacer.upsertPod(pod, at(1));
    expect(pacer.silence.silentMs(at(600))).toBe(0);
  });

  test("is none where the policy has no gate: then no webhook need be there", () => {
    const pacer = createPacer(defaultPolicy({ gate: { enabled: false } }));
    pacer.upsertPod(created("a", 0), at(1));
    expect(pacer.silence.silentMs(at(600))).toBe(0);
  });

  test("property: where each pod is asked about at its creation, it never speaks, whichever clock is ahead by 5 s", () => {
    const steps = fc.array(fc.record({ gap: fc.nat(100), skew: fc.integer({ min: -5, max: 5 }) }), { maxLength: 40 });
    fc.assert(
      fc.property(steps, (all) => {
        const pacer = createPacer(defaultPolicy());
        let seconds = 0;
        for (const [index, { gap, skew }] of all.entries()) {
          seconds += gap;
          pacer.silence.asked(at(seconds + skew));
          pacer.upsertPod(created(`p${index}`, seconds), at(seconds + 1));
        }
        return pacer.silence.silentMs(at(seconds + 600)) === 0;
      }),
    );
  });
});
