import { describe, expect, it } from "vitest";
import { defaultPolicy, parsePolicy } from "../../../src/policy/parse.ts";
import { defaultNodeClass } from "../../../src/policy/resolve.ts";

const HEADER = "apiVersion: paceline.dev/v1alpha1\nkind: PacingPolicy\n";

/** The policy that the text gives after the two required lines. */
function policyOf(text: string) {
  const result = parsePolicy(HEADER + text);
  if (!result.ok) throw new Error(result.errors.map(({ message }) => message).join("\n"));
  return result.policy;
}

describe("defaults", () => {
  it("lists all defaults: changing one changes clusters without settings", () => {
    expect(policyOf("")).toEqual({
      apiVersion: "paceline.dev/v1alpha1",
      kind: "PacingPolicy",
      mode: "enforce",
      youngForSeconds: 600,
      settledNodes: "enforce",
      maxHoldSeconds: 300,
      schedulerNames: ["default-scheduler", "paced"],
      startup: { until: "ContainersStarted", deadlineSeconds: 300 },
      nodeClasses: [],
      gate: { enabled: true },
      fence: { enabled: true, rollCall: true, maxSeconds: 600, bindSeconds: 15 },
      steer: { enabled: true },
      extender: { enabled: false, startupWeight: 1, awaitWeight: 1, offerSeconds: 15 },
      namespaces: {},
      exempt: {
        namespaces: ["kube-system", "kube-node-lease", "kube-public"],
        priorityClassNames: ["system-node-critical", "system-cluster-critical"],
        minPriority: 2_000_000_000,
      },
      telemetry: {
        source: "node-exporter",
        address: { type: "InternalIP" },
        port: 9100,
        scheme: "http",
        path: "/metrics",
        intervalMs: 1500,
        timeoutMs: 1000,
        rotationSeconds: 60,
        staleSeconds: 5,
        absentSeconds: 30,
      },
    });
  });

  it("gives a node class with only a name all other figures", () => {
    expect(policyOf("nodeClasses: [{name: default}]").nodeClasses).toEqual([
      {
        name: "default",
        slots: { min: 1, max: 32, sandboxes: 18 },
        drainSeconds: 40,
        awaitMs: { hot: 500 },
        pullQPS: { qps: 5, burst: 10 },
        unpackRatio: 4,
      },
    ]);
    expect(policyOf("nodeClasses: [{name: default}]").nodeClasses[0]).toEqual(defaultNodeClass);
  });

  it.each([
    [
      "prometheus, url: http://p:9090",
      {
        url: "http://p:9090",
        nodeLabel: "instance",
        intervalMs: 5000,
        timeoutMs: 2000,
        staleSeconds: 45,
        absentSeconds: 180,
      },
    ],
    ["kubelet", { intervalMs: 5000, timeoutMs: 2000, staleSeconds: 30, absentSeconds: 120 }],
    ["none", { staleSeconds: 5, absentSeconds: 30 }],
  ])("completes telemetry from %s", (source, settings) => {
    expect(policyOf(`telemetry: {source: ${source}}`).telemetry).toMatchObject(settings);
  });

  it("keeps defaults of a section beside the keys that are set", () => {
    expect(policyOf("fence: {bindSeconds: 3}").fence).toEqual({
      enabled: true,
      rollCall: true,
      maxSeconds: 600,
      bindSeconds: 3,
    });
    expect(policyOf("telemetry: {port: 9200}").telemetry).toMatchObject({ source: "node-exporter", port: 9200 });
  });

  it("always keeps what a node needs to live in the lists", () => {
    const { exempt } = policyOf("exempt: {namespaces: [mine], priorityClassNames: []}");
    expect(exempt.namespaces).toEqual(["kube-system", "mine"]);
    expect(exempt.priorityClassNames).toEqual(["system-node-critical", "system-cluster-critical"]);
  });

  it("builds the same policy without a ConfigMap, with overrides where asked", () => {
    expect(defaultPolicy()).toEqual(policyOf(""));
    expect(defaultPolicy({ mode: "observe", startup: { until: "Ready" } })).toEqual(
      policyOf("mode: observe\nstartup: {until: Ready}"),
    );
    expect(() => defaultPolicy({ maxHoldSeconds: 541 })).toThrow("maxHoldSeconds: is 541; write at most 540");
  });

  it("freezes the policy on every level, so that no reader can change it for the others", () => {
    const policy = policyOf("nodeClasses: [{name: a, selector: {matchLabels: {a: b}}}]");
    const unfrozen: unknown[] = [];
    const visit = (value: unknown) => {
      if (typeof value !== "object" || value === null) return;
      if (!Object.isFrozen(value)) unfrozen.push(value);
      Object.values(value).forEach(visit);
    };
    visit(policy);
    visit(defaultPolicy());
    visit(defaultNodeClass);
    expect(unfrozen).toEqual([]);
  });
});
