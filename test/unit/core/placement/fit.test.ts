import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type {
  HostPort,
  NodeFacts,
  NodeRequirement,
  NodeSelectorTerm,
  PodFacts,
  PodShape,
  Taint,
  Toleration,
} from "../../../../src/core/facts.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import {
  isSchedulableNow,
  lackingResource,
  placementUnfitReason,
  unfitReason,
} from "../../../../src/core/placement/fit.ts";
import type { Room } from "../../../../src/core/placement/room.ts";
import { aNode, aPod, aShape } from "../../../support/core-facts.ts";
import { isJoiningTaint } from "../../../../src/core/state/joining-taints.ts";
import { NOT_READY } from "../../../support/core-plan.ts";

const EMPTY: Room = { free: { cpu: 1_000, memory: 1e12, pods: 10 }, hostPorts: [] };
const why = (shape: Partial<PodShape>, node: Partial<NodeFacts> = {}, joining = false) =>
  placementUnfitReason(aPod("p", { shape: aShape(shape) }), aNode("n1", node), joining);
const requirement = (operator: NodeRequirement["operator"], ...values: string[]): NodeSelectorTerm => ({
  labels: [{ key: "size", operator, values }],
  fields: [],
});
const taint = (key: string, effect: Taint["effect"] = "NoSchedule", value = "a"): Taint => ({ key, value, effect });
const toleration = (given: Partial<Toleration>): Toleration => ({
  key: "",
  operator: "Exists",
  value: "",
  effect: "",
  ...given,
});

describe("a pod fits a node", () => {
  test("with nothing in the way", () => {
    expect(why({})).toBeUndefined();
    expect(unfitReason(aPod("p"), aNode("n1"), EMPTY, false)).toBeUndefined();
  });

  test("only if it is the one node that it can run on", () => {
    const pinned = aPod("p", { pinnedTo: nodeName("n1") });
    expect(placementUnfitReason(pinned, aNode("n1"), false)).toBeUndefined();
    expect(placementUnfitReason(pinned, aNode("n2"), false)).toBe("OtherNode");
  });

  test("that is cordoned only if a DaemonSet made it", () => {
    expect(why({}, { unschedulable: true })).toBe("Unschedulable");
    expect(why({ ownerKind: "DaemonSet" }, { unschedulable: true })).toBeUndefined();
  });

  test("only if the node has every label of its selector", () => {
    const nodeSelector = { pool: "a", disk: "fast" };
    expect(why({ nodeSelector }, { labels: { ...nodeSelector, more: "yes" } })).toBeUndefined();
    expect(why({ nodeSelector }, { labels: { pool: "a" } })).toBe("NodeSelector");
    expect(why({ nodeSelector }, { labels: { pool: "b", disk: "fast" } })).toBe("NodeSelector");
  });

  test.each([
    ["In", ["5", "7"], { "5": true, "6": false, none: false }],
    ["NotIn", ["5", "7"], { "5": false, "6": true, none: true }],
    ["Exists", [], { "5": true, none: false }],
    ["DoesNotExist", [], { "5": false, none: true }],
    ["Gt", ["5"], { "5": false, "6": true, "10": true, "4": false, none: false }],
    ["Lt", ["5"], { "5": false, "4": true, "10": false, none: false }],
  ] as const)("as required affinity says: %s %j", (operator, values, expected) => {
    for (const [label, fits] of Object.entries(expected)) {
      const labels: Record<string, string> = label === "none" ? {} : { size: label };
      const reason = why({ affinityTerms: [requirement(operator, ...values)] }, { labels });
      expect([label, reason]).toEqual([label, fits ? undefined : "NodeAffinity"]);
    }
  });

  test("whose label is no whole number never by Gt or Lt, as in Kubernetes", () => {
    const reasons = ["", "1e1", "0x3", "2.5"].flatMap((size) => [
      why({ affinityTerms: [requirement("Lt", "100")] }, { labels: { size } }),
      why({ affinityTerms: [requirement("Gt", "-1")] }, { labels: { size } }),
    ]);
    expect(new Set(reasons)).toEqual(new Set(["NodeAffinity"]));
  });

  test("by labels of its own only: a key such as `constructor` is no label", () => {
    const exists = { labels: [{ key: "constructor", operator: "Exists", values: [] }], fields: [] } as const;
    expect(why({ affinityTerms: [exists] }, { labels: {} })).toBe("NodeAffinity");
  });

  test("if one of several terms holds in full; a term without requirements matches no node", () => {
    const [five, six] = [requirement("In", "5"), requirement("In", "6")];
    const both = { labels: [...five.labels, ...six.labels], fields: [] };
    const nothing = { labels: [], fields: [] };
    const labels = { size: "5" };
    expect(why({ affinityTerms: [six, five] }, { labels })).toBeUndefined();
    expect(why({ affinityTerms: [both] }, { labels })).toBe("NodeAffinity");
    expect(why({ affinityTerms: [nothing] }, { labels })).toBe("NodeAffinity");
    expect(why({ affinityTerms: [] }, { labels })).toBe("NodeAffinity");
  });

  test("whose name its required fields select", () => {
    const named = (...values: string[]) => ({
      labels: [],
      fields: [{ key: "metadata.name", operator: "In", values }] as const,
    });
    expect(why({ affinityTerms: [named("n1", "n9")] })).toBeUndefined();
    expect(why({ affinityTerms: [named("n9")] })).toBe("NodeAffinity");
  });

  test("unless a taint repels it that it does not tolerate; a preference repels nobody", () => {
    const taints = [taint("team")];
    expect(why({}, { taints })).toBe("Taint");
    expect(why({}, { taints: [taint("team", "NoExecute")] })).toBe("Taint");
    expect(why({}, { taints: [taint("team", "PreferNoSchedule")] })).toBeUndefined();
    expect(why({ tolerations: [toleration({ key: "team" })] }, { taints: [...taints, taint("other")] })).toBe("Taint");
  });

  test.each([
    ["everything", toleration({}), true],
    ["the key", toleration({ key: "team" }), true],
    ["another key", toleration({ key: "other" }), false],
    ["key and value", toleration({ key: "team", operator: "Equal", value: "a" }), true],
    ["the key with another value", toleration({ key: "team", operator: "Equal", value: "b" }), false],
    ["the effect", toleration({ effect: "NoSchedule" }), true],
    ["another effect", toleration({ key: "team", effect: "NoExecute" }), false],
  ])("whose taint is tolerated by %s: %j", (_what, one, tolerated) => {
    expect(why({ tolerations: [one] }, { taints: [taint("team")] })).toBe(tolerated ? undefined : "Taint");
  });

  test("that joins, whatever taints it loses by itself, but not this moment", () => {
    const pod = aPod("p");
    const node = aNode("n1", { taints: [NOT_READY] });
    expect(placementUnfitReason(pod, node, true)).toBeUndefined();
    expect(placementUnfitReason(pod, node, false)).toBe("Taint");
    expect(isSchedulableNow(pod, node)).toBe(false);
    expect(isSchedulableNow(pod, aNode("n1"))).toBe(true);
    expect(why({}, { taints: [NOT_READY, taint("team")] }, true)).toBe("Taint");
  });

  test("only if every resource that it asks for is free; one that it asks none of may be overcommitted", () => {
    const reason = (requests: Record<string, number>, free: Record<string, number>) =>
      unfitReason(aPod("p", { shape: aShape({ requests }) }), aNode("n1"), { free, hostPorts: [] }, false);
    expect(reason({ cpu: 100, pods: 1 }, { cpu: 100, pods: 1 })).toBeUndefined();
    expect(reason({ cpu: 101, pods: 1 }, { cpu: 100, pods: 1 })).toBe("Resources");
    expect(reason({ "example.com/gpu": 1 }, { cpu: 100 })).toBe("Resources");
    expect(reason({ cpu: 0, pods: 1 }, { cpu: -50, pods: 1 })).toBeUndefined();
    expect(lackingResource({ cpu: 1, memory: 2, pods: 1 }, { cpu: 1, memory: 1 })).toBe("memory");
  });

  test.each([
    ["the same port", { protocol: "TCP", hostIP: "", port: 80 }, true],
    ["the same port of one address", { protocol: "TCP", hostIP: "10.0.0.1", port: 80 }, true],
    ["another address", { protocol: "TCP", hostIP: "10.0.0.2", port: 80 }, false],
    ["all addresses", { protocol: "TCP", hostIP: "0.0.0.0", port: 80 }, true],
    ["another port", { protocol: "TCP", hostIP: "", port: 81 }, false],
    ["another protocol", { protocol: "UDP", hostIP: "", port: 80 }, false],
  ])("whose port 80 of 10.0.0.1 is taken, when it wants %s: %j", (_what, wanted: HostPort, conflict) => {
    const taken: HostPort = { protocol: "TCP", hostIP: "10.0.0.1", port: 80 };
    const pod = aPod("p", { shape: aShape({ hostPorts: [wanted] }) });
    expect(unfitReason(pod, aNode("n1"), { ...EMPTY, hostPorts: [taken] }, false)).toBe(
      conflict ? "HostPorts" : undefined,
    );
  });
});

test.each([
  ["node.kubernetes.io/not-ready", true],
  ["node.kubernetes.io/unreachable", true],
  ["node.cilium.io/agent-not-ready", true],
  ["ebs.csi.aws.com/agent-not-ready", true],
  ["karpenter.sh/unregistered", true],
  ["startup-taint.cluster-autoscaler.kubernetes.io/warm", true],
  ["ignore-taint.cluster-autoscaler.kubernetes.io/warm", true],
  ["readiness.k8s.io/storage", true],
  ["node.kubernetes.io/disk-pressure", false],
  ["node.kubernetes.io/unschedulable", false],
  ["example.com/not-ready-made", false],
])("a node loses the taint %s by itself: %j", (key, loses) => {
  expect(isJoiningTaint(taint(key))).toBe(loses);
});

/** Kubernetes' rules as its documentation has them, one after another. */
function fitsByTheBook({ shape }: PodFacts, node: NodeFacts): boolean {
  const selected = Object.entries(shape.nodeSelector).every(([key, value]) => node.labels[key] === value);
  const terms = shape.affinityTerms ?? [
    { labels: [{ key: "x", operator: "DoesNotExist", values: [] } as const], fields: [] },
  ];
  const attracted = terms.some(
    ({ labels }) => labels.length > 0 && labels.every((one) => holdsByTheBook(one, node.labels[one.key] ?? null)),
  );
  const repelling = node.taints.filter(({ effect }) => effect === "NoSchedule" || effect === "NoExecute");
  const untolerated = repelling.filter((one) => !shape.tolerations.some((by) => toleratesByTheBook(by, one)));
  return selected && attracted && untolerated.length === 0;
}

function holdsByTheBook({ operator, values }: NodeRequirement, label: string | null): boolean {
  if (operator === "NotIn" || operator === "DoesNotExist") {
    return label === null || (operator === "NotIn" && !new Set(values).has(label));
  }
  if (label === null) return false;
  const [bound = ""] = values;
  if (operator === "Gt") return parseInt(label, 10) > parseInt(bound, 10);
  if (operator === "Lt") return parseInt(label, 10) < parseInt(bound, 10);
  return operator === "Exists" || new Set(values).has(label);
}

function toleratesByTheBook(by: Toleration, one: Taint): boolean {
  const sameKey = by.key === one.key || by.key === "";
  const sameEffect = by.effect === one.effect || by.effect === "";
  const sameValue = by.value === one.value || by.operator === "Exists";
  return sameKey && sameEffect && sameValue;
}

test("whatever selectors, affinity, taints and tolerations say, a pod fits where Kubernetes' rules let it", () => {
  const key = fc.constantFrom("k", "l");
  const value = fc.constantFrom("1", "2", "30");
  const labels = fc.dictionary(key, value, { maxKeys: 2 });
  const effect = fc.constantFrom("NoSchedule" as const, "PreferNoSchedule" as const, "NoExecute" as const);
  const requirementArb: fc.Arbitrary<NodeRequirement> = fc.oneof(
    fc.record({
      key,
      operator: fc.constantFrom("In" as const, "NotIn" as const),
      values: fc.array(value, { minLength: 1, maxLength: 2 }),
    }),
    fc.record({ key, operator: fc.constantFrom("Exists" as const, "DoesNotExist" as const), values: fc.constant([]) }),
    fc.record({ key, operator: fc.constantFrom("Gt" as const, "Lt" as const), values: value.map((one) => [one]) }),
  );
  const terms = fc.array(fc.record({ labels: fc.array(requirementArb, { maxLength: 2 }), fields: fc.constant([]) }), {
    maxLength: 2,
  });
  const anyEffect = fc.oneof(effect, fc.constant(""));
  const tolerationArb: fc.Arbitrary<Toleration> = fc.oneof(
    fc.record({ key, operator: fc.constant("Equal" as const), value, effect: anyEffect }),
    fc.record({
      key: fc.oneof(key, fc.constant("")),
      operator: fc.constant("Exists" as const),
      value: fc.constant(""),
      effect: anyEffect,
    }),
  );
  const podArb = fc.record({
    nodeSelector: fc.oneof(fc.constant({}), labels),
    affinityTerms: fc.option(terms, { nil: undefined }),
    tolerations: fc.array(tolerationArb, { maxLength: 3 }),
  });
  const nodeArb = fc.record({ labels, taints: fc.array(fc.record({ key, value, effect }), { maxLength: 2 }) });
  fc.assert(
    fc.property(podArb, nodeArb, (shape, given) => {
      const [pod, node] = [aPod("p", { shape: aShape(shape) }), aNode("n1", given)];
      expect(isSchedulableNow(pod, node)).toBe(fitsByTheBook(pod, node));
    }),
    { numRuns: 3_000 },
  );
});
