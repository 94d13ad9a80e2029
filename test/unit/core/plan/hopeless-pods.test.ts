/** Pods that kube-scheduler refuses wherever they are let go: what they cost the pods that wait beside them. */
import { describe, expect, test } from "vitest";
import type { PodFacts } from "../../../../src/core/facts.ts";
import { nodeName, type PodUID } from "../../../../src/core/ids.ts";
import type { Pacer } from "../../../../src/core/pacer.ts";
import type { Plan } from "../../../../src/core/verdict.ts";
import { aGatedPod, aNode, aPod, aShape, bound, changed, START_MS } from "../../../support/core-facts.ts";
import { aFencedNode, aPendingPod, many, pacerWith, released, slots } from "../../../support/core-plan.ts";

const DAY_MS = 86_400_000;
/** Time between a release and the scheduler's answer, ms. */
const ANSWERS_MS = 100;

/** From 1.34 on the scheduler says which version of a pod it has refused. */
type World = "tells its generation" | "does not tell";
const worlds: readonly World[] = ["tells its generation", "does not tell"];

const isHopeless = ({ name }: PodFacts) => name.startsWith("hopeless");

/** Pods that have been refused for days, each of a template of its own. */
const hopeless = (count: number, given: Partial<PodFacts["shape"]> = {}) =>
  many(count, (name) =>
    aPendingPod(`hopeless-${name}`, {
      createdAtMs: START_MS - 3 * DAY_MS,
      shape: aShape({ ownerName: name, ...given }),
    }),
  );

const afterRelease = (release: Plan["releases"][number], atMs: number): PodFacts =>
  changed(release.pod, {
    gated: false,
    hold: undefined,
    fencesTolerated: release.fence === undefined ? [] : [release.fence],
    reservation: release.node === undefined ? undefined : { node: release.node, atMs },
    release: release.note,
    refused: false,
  });

/** Plans every 100 ms while a scheduler binds all but the hopeless ones. Gives when each pod was bound, ms. */
function play(pacer: Pacer, world: World, forMs: number, see: (plan: Plan) => void = () => {}): Map<string, number> {
  const boundAtMs = new Map<string, number>();
  const onTheirWay = new Map<PodUID, PodFacts>();
  const answer = (pod: PodFacts, nowMs: number) => {
    const refused = world === "tells its generation" || pod.release?.ungated === true;
    if (isHopeless(pod)) return changed(pod, { unschedulable: true, refused });
    boundAtMs.set(pod.name, nowMs - START_MS);
    return bound({ ...pod, unschedulable: false }, pod.reservation?.node ?? nodeName("n1"), nowMs);
  };
  for (let nowMs = START_MS; nowMs <= START_MS + forMs; nowMs += ANSWERS_MS) {
    for (const pod of onTheirWay.values()) pacer.upsertPod(answer(pod, nowMs), nowMs);
    onTheirWay.clear();
    const plan = pacer.plan(nowMs);
    see(plan);
    for (const release of plan.releases) {
      const pod = afterRelease(release, nowMs);
      pacer.upsertPod(pod, nowMs);
      onTheirWay.set(pod.uid, pod);
    }
  }
  return boundAtMs;
}

const firstMs = (boundAtMs: Map<string, number>) => Math.min(...boundAtMs.values());

const kinds = [
  { what: "rules about other pods", given: { interPodRules: true } },
  { what: "reasons that only the scheduler knows", given: {} },
  { what: "rules about other pods, and a higher priority", given: { interPodRules: true, priority: 10 } },
] as const;

const herds = [
  { herd: "gated pods", make: (name: string) => aGatedPod(name) },
  { herd: "younger gated pods", make: (name: string) => aGatedPod(name, { createdAtMs: START_MS + 50 }) },
  { herd: "pods that only the fence keeps out", make: (name: string) => aPendingPod(name, { createdAtMs: START_MS - 60_000 }) }, // prettier-ignore
] as const;

describe.each(worlds)("where kube-scheduler %s,", (world) => {
  describe.each(kinds)("40 pods that it has refused for days ($what)", ({ given }) => {
    test.each(herds)("let the first of 20 $herd go within 3 s", ({ make }) => {
      const pacer = pacerWith([aFencedNode("n1")], [...hopeless(40, given), ...many(20, make)], slots(4));
      expect(firstMs(play(pacer, world, 10_000))).toBeLessThanOrEqual(3_000);
    });
  });
});

describe.each(worlds)("where kube-scheduler %s,", (world) => {
  const templates = [
    { what: "of one template", given: {} },
    { what: "of a template each", given: undefined },
    { what: "of one template with rules about other pods", given: { interPodRules: true } },
    { what: "of higher priority", given: { priority: 10 } },
  ];
  test.each(templates)("40 gated pods that it will refuse ($what) let the first of 20 go within 3 s", ({ given }) => {
    const shapeOf = (name: string) => aShape({ namespace: "broken", ownerName: name, ...given });
    const one = shapeOf("broken");
    const broken = many(40, (name) => {
      const shape = given ? one : shapeOf(name);
      return aGatedPod(`hopeless-${name}`, { namespace: "broken", createdAtMs: START_MS - 5_000, shape });
    });
    const pacer = pacerWith([aFencedNode("n1")], [...broken, ...many(20, (name) => aGatedPod(name))], slots(4));
    expect(firstMs(play(pacer, world, 10_000))).toBeLessThanOrEqual(3_000);
  });
});

test("pods of a namespace in which others went in vain go as slots allow once the first of their template is bound", () => {
  const shape = aShape({ ownerName: "broken" });
  const broken = many(4, (name) => aGatedPod(`hopeless-${name}`, { createdAtMs: START_MS - 5_000, shape }));
  const pacer = pacerWith([aFencedNode("n1")], broken, slots(4));
  play(pacer, "tells its generation", 3_000);
  const nowMs = START_MS + 3_000;
  const web = aShape({ ownerName: "web" });
  for (const pod of many(8, (name) => aGatedPod(name, { createdAtMs: nowMs, shape: web }))) pacer.upsertPod(pod, nowMs);
  const { releases } = pacer.plan(nowMs);
  expect(releases.map(({ pod }) => pod.name)).toEqual(["p0"]);
  for (const { pod } of releases) pacer.upsertPod(bound(changed(pod, { gated: false }), "n1", nowMs), nowMs);
  expect(released(pacer.plan(nowMs))).toEqual(["p1", "p2", "p3"]);
});

test("while kube-scheduler has not answered for pods pending for days, real ones that come later find a free slot", () => {
  const pacer = pacerWith([aFencedNode("n1")], hopeless(40), slots(4));
  for (let nowMs = START_MS; nowMs < START_MS + 2_000; nowMs += ANSWERS_MS) {
    for (const release of pacer.plan(nowMs).releases) pacer.upsertPod(afterRelease(release, nowMs), nowMs);
  }
  const nowMs = START_MS + 2_000;
  for (const pod of many(20, (name) => aGatedPod(name, { createdAtMs: nowMs }))) pacer.upsertPod(pod, nowMs);
  expect(released(pacer.plan(nowMs))).toHaveLength(2);
});

describe("pods that have been pending for days", () => {
  const forDays = (count: number, given: Partial<PodFacts["shape"]> = {}) =>
    many(count, (name) =>
      aPendingPod(name, { createdAtMs: START_MS - 3 * DAY_MS, shape: aShape({ ownerName: name, ...given }) }),
    );

  test("take half of a node's slots until they are bound, however many are free", () => {
    const pacer = pacerWith([aFencedNode("n1"), aFencedNode("n2")], forDays(10), slots(4));
    expect(pacer.plan(START_MS).releases.map(({ node }) => node)).toEqual(["n1", "n2", "n1", "n2"]);
  });

  test("go as slots allow once one of their template runs: what they lacked was room", () => {
    const runs = bound(
      aPod("runs", { shape: aShape({ ownerName: "p0" }), ready: true, containersStarted: true }),
      "n9",
    );
    const alike = many(10, (name) => ({ ...aPendingPod(name, { shape: runs.shape }), createdAtMs: START_MS - DAY_MS }));
    expect(released(pacerWith([aFencedNode("n1")], [runs, ...alike], slots(4)).plan(START_MS))).toHaveLength(4);
  });

  test("that can run are all let go, the next ones as soon as the last ones are bound", () => {
    const boundAtMs = play(pacerWith([aFencedNode("n1")], forDays(4), slots(4)), "does not tell", 1_000);
    expect([...boundAtMs.values()]).toEqual([100, 100, 200, 200]);
  });

  test("take no node's last slot before others, whatever their priority", () => {
    const pods = [...forDays(1, { priority: 10 }), aGatedPod("young")];
    expect(released(pacerWith([aFencedNode("n1")], pods, slots(1)).plan(START_MS))).toEqual(["young"]);
  });

  test("take half of the slots on further nodes, too, where only the scheduler can tell which one they fit", () => {
    const nodes = [aFencedNode("n1"), aFencedNode("n2"), aFencedNode("n3")];
    const { releases } = pacerWith(nodes, forDays(4, { interPodRules: true }), slots(4)).plan(START_MS);
    expect(releases.flatMap(({ node, others = [] }) => [node, ...others.map((one) => one.node)]).sort()).toEqual([
      "n1",
      "n1",
      "n2",
      "n2",
      "n3",
      "n3",
    ]);
  });
});

test.each(worlds)("one that was let go in vain is tried on another node, beside the others there: %s", (world) => {
  const gated = many(4, (name) => aGatedPod(`hopeless-${name}`, { shape: aShape({ ownerName: name }) }));
  const pacer = pacerWith([aFencedNode("n1")], gated, slots(4));
  play(pacer, world, 40_000);
  pacer.upsertNode(aFencedNode("n2"), START_MS + 40_000);
  for (const pod of many(3, (name) => aGatedPod(name, { createdAtMs: START_MS + 40_000 })))
    pacer.upsertPod(pod, START_MS + 40_000);
  const names = released(pacer.plan(START_MS + 40_000));
  expect(names.filter((name) => name.startsWith("hopeless"))).toHaveLength(2);
  expect(names).toHaveLength(5); // the three others, too
});

test.each(worlds)("none is let go twice to a node that has refused it: %s", (world) => {
  const pacer = pacerWith([aFencedNode("n1")], hopeless(2), slots(4));
  const names: string[] = [];
  play(pacer, world, 290_000, (plan) => names.push(...released(plan)));
  expect(names.sort()).toEqual(["hopeless-p0", "hopeless-p1"]);
});

describe("a gated herd that the scheduler refuses, or says nothing of, until what it lacks is there", () => {
  const LATE_MS = 60_000;
  const one = aShape({ ownerName: "db" });
  const cases = worlds.flatMap((world) =>
    (["one template", "a template each"] as const).flatMap((what) =>
      (["refuses", "is silent"] as const).map((scheduler) => ({ world, what, scheduler })),
    ),
  );

  test.each(cases)("does not come all at once then ($what; the scheduler $world and $scheduler)", (given) => {
    const shapeOf = (name: string) => (given.what === "one template" ? one : aShape({ ownerName: name }));
    const herd = many(60, (name) => aGatedPod(name, { shape: shapeOf(name) }));
    const pacer = pacerWith([aFencedNode("n1")], herd, slots(4));
    const letGo: string[] = [];
    const onTheirWay = new Set<PodFacts>();
    for (let nowMs = START_MS; nowMs < START_MS + LATE_MS; nowMs += ANSWERS_MS) {
      for (const pod of given.scheduler === "refuses" ? onTheirWay : []) {
        const refused = given.world === "tells its generation" || pod.release?.ungated === true;
        pacer.upsertPod(changed(pod, { unschedulable: true, refused }), nowMs);
      }
      onTheirWay.clear();
      for (const release of pacer.plan(nowMs).releases) {
        const pod = afterRelease(release, nowMs);
        pacer.upsertPod(pod, nowMs);
        letGo.push(pod.name);
        onTheirWay.add(pod);
      }
    }
    expect(letGo.length).toBeLessThanOrEqual(6);
  });
});

test("a broken workload claims no room before others once it shows: these do not leave unpaced", () => {
  const shape = aShape({ namespace: "broken", ownerName: "broken", requests: { cpu: 100, pods: 1 } });
  const broken = many(200, (name) =>
    aGatedPod(`hopeless-${name}`, { namespace: "broken", createdAtMs: START_MS - 5_000, shape }),
  );
  const pacer = pacerWith([aNode("n1")], broken, slots(4));
  play(pacer, "tells its generation", 3_000);
  const nowMs = START_MS + 3_000;
  for (const pod of many(60, (name) => aGatedPod(name, { createdAtMs: nowMs }))) pacer.upsertPod(pod, nowMs);
  const real = pacer.plan(nowMs).releases.filter(({ pod }) => !isHopeless(pod));
  expect(real.map(({ reason }) => reason)).toEqual(Array(4).fill("SlotFree"));
});
