/** Which pods are of one kind: labels tell pods apart only where something names them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PodFacts, PodShape } from "../../../../src/core/facts.ts";
import { Kinds } from "../../../../src/core/state/kinds.ts";
import { defaultPolicy } from "../../../../src/policy/parse.ts";
import { aGatedPod, aNode, aPod, aShape, bound, START_MS } from "../../../support/core-facts.ts";
import { aFencedNode, many, pacerWith, released, slots, stateWith } from "../../../support/core-plan.ts";

const INDEX = "batch.kubernetes.io/job-completion-index";
const POD_NAME = "statefulset.kubernetes.io/pod-name";

const indexed = (name: string, given: Partial<PodShape> = {}) =>
  aGatedPod(name, { shape: aShape({ ownerKind: "Job", labels: { app: "job", [INDEX]: name }, ...given }) });
const naming = (...labels: readonly string[]) => ({ interPodRules: true, podRules: { text: labels.join(), labels } });
const shapesOf = (pods: readonly PodFacts[]) => {
  const { ledger } = stateWith([], pods);
  ledger.tellApart();
  return [...ledger.gated.shapes()].map(([, alike]) => alike.size);
};

describe("5,000 pods", () => {
  test("of an Indexed Job are of one kind, whatever index each has as a label", () => {
    expect(shapesOf(many(5_000, (name) => indexed(name)))).toEqual([5_000]);
  });

  test("of a StatefulSet are of one kind, also with rules about other pods that name a common label", () => {
    const set = (name: string) =>
      indexed(name, { ownerKind: "StatefulSet", labels: { app: "db", [POD_NAME]: name }, ...naming("app") });
    expect(shapesOf(many(5_000, set))).toEqual([5_000]);
  });
});

describe("pods are told apart", () => {
  const differing: readonly (readonly [string, Partial<PodShape>])[] = [
    ["requests", { requests: { cpu: 1, pods: 1 } }],
    ["host ports", { hostPorts: [{ protocol: "TCP", hostIP: "0.0.0.0", port: 80 }] }],
    ["affinity to nodes", { affinityTerms: [] }],
    ["rules about other pods", { podRules: { text: "other", labels: [] } }],
    ["tolerations", { tolerations: [{ key: "a", operator: "Exists", value: "", effect: "" }] }],
    ["owner", { ownerName: "other" }],
  ];
  test.each(differing)("by their %s", (_, by) => {
    expect(shapesOf([indexed("a"), indexed("b", by)])).toEqual([1, 1]);
  });

  test("by a label that their own rules name", () => {
    expect(shapesOf(many(3, (name) => indexed(name, naming(INDEX))))).toEqual([1, 1, 1]);
  });

  test("by a label that the rules of another pod name, whichever came first, if they have rules themselves", () => {
    const other = aPod("other", { shape: aShape({ ownerName: "other", ...naming(INDEX) }) });
    const ruled = many(3, (name) => indexed(name, naming("app")));
    expect(shapesOf([...ruled, other])).toEqual([1, 1, 1]);
    expect(shapesOf([other, ...ruled])).toEqual([1, 1, 1]);
    expect(shapesOf([...many(3, (name) => indexed(name)), other])).toEqual([3]);
  });

  test("by labels that the policy's exemptions name, from the moment at which it does", () => {
    const pods = many(3, (name) => indexed(name));
    const pacer = pacerWith([aFencedNode("n1")], pods, slots(1));
    expect(released(pacer.plan(START_MS))).toEqual(["p0"]);
    const exempt = { podSelector: { matchLabels: { [INDEX]: "p2" } } };
    pacer.setPolicy(defaultPolicy({ ...slots(1), exempt }), START_MS);
    expect(pacer.plan(START_MS).releases.map(({ pod, reason }) => [pod.name, reason])).toEqual([
      ["p2", "Exempt"],
      ["p0", "SlotFree"],
    ]);
    pacer.setPolicy(defaultPolicy(slots(1)), START_MS);
    expect(released(pacer.plan(START_MS))).toEqual(["p0"]);
  });

  test("by Paceline's own label, at admission as well", () => {
    const labels = { app: "job", [INDEX]: "1", "paceline.dev/pacing": "disabled" };
    const pacer = pacerWith([aNode("n1")], []);
    const replica = { synced: true, leaderAlive: true };
    expect(pacer.admit({ ...indexed("p", { labels }), gated: false }, replica, START_MS)).toMatchObject({
      reason: "Exempt",
    });
    expect(pacer.admit({ ...indexed("p"), gated: false }, replica, START_MS).kind).toBe("hold");
  });
});

test("a pod that is of another kind now keeps its place: bound, its slot and its requests stay", () => {
  const pod = bound(indexed("a", naming("app")), "n1");
  const pacer = pacerWith([aFencedNode("n1")], [pod, bound(indexed("b", naming("app")), "n1")], slots(4));
  const before = pacer.status(START_MS).nodes;
  pacer.upsertPod(aPod("other", { shape: aShape({ ownerName: "other", ...naming(INDEX) }) }), START_MS);
  pacer.plan(START_MS);
  expect(pacer.status(START_MS).nodes).toEqual(before);
});

test("two pods are of one kind exactly if they differ in no label that is kept", () => {
  const labelsArb = fc
    .dictionary(fc.constantFrom("a", "b", "c"), fc.constantFrom("1", "2"))
    .map((labels) => Object.fromEntries(Object.entries(labels).sort())); // as the API server writes them;
  fc.assert(
    fc.property(labelsArb, labelsArb, fc.subarray(["a", "b", "c"]), (some, others, kept) => {
      const kinds = new Kinds();
      kinds.keep(new Set(kept));
      const [one, other] = [some, others].map((labels) => kinds.of(aPod("p", { shape: aShape({ labels }) })).shape);
      const isSame = kept.every((key) => some[key] === others[key]);
      expect(JSON.stringify(one) === JSON.stringify(other)).toBe(isSame);
      if (isSame && Object.keys(some).length > kept.length && Object.keys(others).length > kept.length)
        expect(one).toBe(other);
    }),
  );
});
