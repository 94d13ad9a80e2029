/** What a kubelet fetches for a pod, and what that takes of its pull budget. */
import { describe, expect, test } from "vitest";
import type { NodeFacts, PodFacts, PodShape } from "../../../../src/core/facts.ts";
import { type ImageName, imageName } from "../../../../src/core/ids.ts";
import { MIB, SECOND_MS } from "../../../../src/core/measures.ts";
import { costOf } from "../../../../src/core/state/load.ts";
import { aNode, aPod, aShape, bound, changed, START_MS, started } from "../../../support/core-facts.ts";
import { many, pacerWith, shows, sizes, slots, stateWith, theNode } from "../../../support/core-plan.ts";

const KNOWN = sizes({ app: 100, proxy: 10, tiny: 1 });
const [app, proxy, tiny] = ["app", "proxy", "tiny"].map(imageName) as [ImageName, ImageName, ImageName];

const HEALTHY = { synced: true, leaderAlive: true };
const pod = (name: string, shape: Partial<PodShape>) => aPod(name, { shape: aShape(shape) });
const has = (given: Partial<NodeFacts> = {}) => aNode("n1", { images: sizes({ app: 100 }), ...given });

function cost(wanted: PodFacts, node = has(), pods: readonly PodFacts[] = []) {
  const state = stateWith([shows(KNOWN), node], pods);
  return costOf(wanted, state.loadOf(theNode(state, "n1").facts, START_MS), state.catalogue);
}

describe("imagePullPolicy Always", () => {
  test("takes a pull for an image that is there, and no bytes", () => {
    expect(cost(pod("p", { images: [app], pullsAlways: [app] }))).toEqual({
      newImages: [],
      newBytes: 0,
      newLaterBytes: 0,
      pulls: 1,
    });
  });

  test("takes one for each container of the image, there or not", () => {
    const twice = pod("p", { images: [app, proxy], pullsAlways: [app, app, proxy] });
    expect(cost(twice)).toEqual({ newImages: [proxy], newBytes: 10 * MIB, newLaterBytes: 0, pulls: 3 });
  });

  test("counts while its pod starts", () => {
    const starting = bound(pod("a", { images: [app], pullsAlways: [app, app] }), "n1");
    const state = stateWith([has()], [starting]);
    expect(state.loadOf(theNode(state, "n1").facts, START_MS)).toMatchObject({ pulls: 2, bytesInFlight: 0 });
  });

  test("keeps a herd of present images within the kubelet's budget, pods that have just started included", () => {
    const shape = aShape({ images: [app], pullsAlways: [app] });
    const starting = many(9, (name) => bound(aPod(name, { shape }), "n1"));
    const pacer = pacerWith([has()], starting, { ...slots(32), extender: { enabled: true } });
    const fits = (atMs: number) => pacer.offer(aPod("tenth", { shape }), ["n1"], HEALTHY, atMs).accepted.length;
    expect(fits(START_MS)).toBe(0);
    for (const one of starting) pacer.upsertPod(started(one), START_MS + SECOND_MS);
    expect(fits(START_MS + SECOND_MS)).toBe(0);
    expect(fits(START_MS + 2 * SECOND_MS)).toBe(1);
  });
});

describe("a present image that was pulled with a Secret", () => {
  const checks = { checksPulls: true };
  const theirs = started(bound(pod("theirs", { namespace: "a", images: [app], pullSecrets: ["regcred"] }), "n1"));
  const mine = (shape: Partial<PodShape>) =>
    pod("mine", { namespace: "b", images: [app], pullSecrets: ["regcred"], ...shape });
  const pulls = (wanted: PodFacts, pods: readonly PodFacts[], node = has(checks)) => cost(wanted, node, pods).pulls;

  test("takes a pull of the first pod with another Secret: the kubelet asks the registry", () => {
    expect(cost(mine({}), has(checks), [theirs])).toEqual({ newImages: [], newBytes: 0, newLaterBytes: 0, pulls: 1 });
  });

  test("takes none where a pod with the same Secret has started, or one without any", () => {
    expect(pulls(mine({ namespace: "a" }), [theirs])).toBe(0);
    const open = started(bound(pod("open", { images: [app] }), "n1"));
    expect(pulls(mine({}), [theirs, open])).toBe(0);
    const second = started(bound(mine({}), "n1"));
    expect(pulls(changed(mine({ labels: { app: "third" } }), { uid: aPod("third").uid }), [theirs, second])).toBe(0);
  });

  test("takes one while pods with the same Secret are no further than starting", () => {
    const starting = changed(bound(mine({}), "n1"), { uid: aPod("starting").uid });
    expect(pulls(mine({}), [theirs, starting])).toBe(1);
  });

  test("takes none before kubelet 1.35, nor for an image that came with the node", () => {
    expect(pulls(mine({}), [theirs], has())).toBe(0);
    expect(pulls(mine({}), [])).toBe(0);
  });
});

describe("a full list of images", () => {
  const full = has({ smallestListedBytes: 50 * MIB });

  test("leaves out smaller ones: they cost no bytes, at most a pull", () => {
    expect(cost(pod("p", { images: [app, proxy, tiny] }), full)).toEqual({
      newImages: [],
      newBytes: 0,
      newLaterBytes: 0,
      pulls: 2,
    });
  });

  test("would show larger ones, and says nothing of images whose size is unknown", () => {
    const fuller = has({ images: sizes({ app: 100 }), smallestListedBytes: 10 * MIB });
    const unknown = imageName("unknown");
    expect(cost(pod("p", { images: [proxy, tiny, unknown] }), fuller).newImages).toEqual([proxy, unknown]);
  });

  test("that is not full shows all there is", () => {
    expect(cost(pod("p", { images: [tiny] })).newBytes).toBe(MIB);
  });

  test("keeps the bytes in flight of pods that start there to what it does not explain", () => {
    const starting = bound(pod("a", { images: [tiny, proxy] }), "n1");
    const state = stateWith([shows(KNOWN), full], [starting]);
    expect(state.loadOf(theNode(state, "n1").facts, START_MS)).toMatchObject({ pulls: 2, bytesInFlight: 0 });
  });
});
