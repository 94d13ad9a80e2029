import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { unfitReason } from "../../../../src/core/placement/fit.ts";
import { daemonSetFacts } from "../../../../src/kube/parse/daemon-set.ts";
import { podFacts } from "../../../../src/kube/parse/facts.ts";
import type { KubeObject } from "../../../../src/kube/parse/kube-json.ts";
import { createShapeInterner } from "../../../../src/kube/parse/shape-interner.ts";
import { aNode } from "../../../support/core-facts.ts";

const container = { name: "main", image: "agent:1", resources: { requests: { cpu: "100m", memory: "64Mi" } } };

const aDaemonSet = (spec: object = {}, metadata: object = {}): KubeObject => ({
  metadata: { namespace: "logs", name: "agent", uid: "u1", ...metadata },
  spec: {
    template: {
      metadata: { labels: { app: "agent" } },
      spec: { containers: [container], nodeSelector: { pool: "big" }, ...spec },
    },
  },
});
const facts = (spec?: object, metadata?: object) => daemonSetFacts(aDaemonSet(spec, metadata), createShapeInterner());

describe("the facts of a DaemonSet", () => {
  test("are those of its pods: owner, labels, requests, images, selector", () => {
    const { namespace, name, shape, pinnedTo, deleting } = facts();
    expect({ namespace, name, pinnedTo, deleting }).toEqual({
      ...{ namespace: "logs", name: "agent", pinnedTo: undefined, deleting: false },
    });
    const raw = aDaemonSet();
    const template = (raw["spec"] as { template: { spec: object } }).template;
    const ownerReferences = [{ controller: true, kind: "DaemonSet", name: "agent" }];
    const metadata = { namespace: "logs", name: "agent-x", labels: { app: "agent" }, ownerReferences };
    const pod = podFacts({ metadata, spec: template.spec }, createShapeInterner());
    expect({ ...shape, tolerations: [] }).toEqual(pod.shape);
  });

  test.each([
    ["none", undefined, []],
    ["every taint", [{ operator: "Exists" }], ["*"]],
    ["the fence", [{ key: "startup-taint.cluster-autoscaler.kubernetes.io/paceline", operator: "Exists" }], ["*"]],
    ["another taint", [{ key: "team", operator: "Exists" }], []],
  ])("tell whether its pods tolerate the fence: %s", (_, tolerations, expected) => {
    expect(facts({ tolerations }).fencesTolerated).toEqual(expected);
  });

  test.each([
    ["not-ready", "NoExecute", true],
    ["not-ready", "NoSchedule", false],
    ["unreachable", "NoExecute", true],
    ["disk-pressure", "NoSchedule", true],
    ["memory-pressure", "NoSchedule", true],
    ["pid-pressure", "NoSchedule", true],
    ["unschedulable", "NoSchedule", true],
    ["network-unavailable", "NoSchedule", false],
  ])("have the tolerations that its controller adds: %s:%s is tolerated: %s", (name, effect, tolerated) => {
    const taint = { key: `node.kubernetes.io/${name}`, value: "", effect } as const;
    const node = aNode("n1", { labels: { pool: "big" }, taints: [taint as never] });
    const reason = unfitReason(facts(), node, { free: node.allocatable, hostPorts: [] }, false);
    expect(reason).toBe(tolerated ? undefined : "Taint");
  });

  test("tolerate a missing network where the pods use the node's", () => {
    const tolerated = (spec: object) => facts(spec).shape.tolerations.some(({ key }) => key.endsWith("unavailable"));
    expect(tolerated({ hostNetwork: true })).toBe(true);
    expect(tolerated({ hostNetwork: false })).toBe(false);
  });

  test("say that it is being deleted: it gets no pods any more", () => {
    expect(facts({}, { deletionTimestamp: "2026-01-01T00:00:00Z" }).deleting).toBe(true);
  });

  test("of the same template share one shape, whatever the status", () => {
    const interner = createShapeInterner();
    const [first, second] = [{ numberReady: 1 }, { numberReady: 2 }].map(
      (status) => daemonSetFacts({ ...aDaemonSet(), status }, interner).shape,
    );
    expect(second).toBe(first);
  });

  test("are made of any JSON without an error", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (template, metadata) => {
        const raw = { metadata, spec: { template } } as unknown as KubeObject;
        expect(typeof daemonSetFacts(raw, createShapeInterner()).name).toBe("string");
      }),
    );
  });
});
