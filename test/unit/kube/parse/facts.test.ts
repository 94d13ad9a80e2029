import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  FENCE_TAINT_KEY,
  FENCED_AT_ANNOTATION,
  GATE,
  HOLD_ANNOTATION,
  RELEASE_ANNOTATION,
  RESERVATION_ANNOTATION,
} from "../../../../src/api/names.ts";
import { formatRelease } from "../../../../src/kube/parse/annotations.ts";
import { nodeFacts, podFacts } from "../../../../src/kube/parse/facts.ts";
import type { KubeObject } from "../../../../src/kube/parse/kube-json.ts";
import { createShapeInterner } from "../../../../src/kube/parse/shape-interner.ts";
import { imageName } from "../../../../src/core/ids.ts";
import { rawNode, rawPod } from "../../../support/raw-objects.ts";

const interner = createShapeInterner();
const facts = (raw: KubeObject) => podFacts(raw, interner);

/** The affinity that the DaemonSet controller puts on its pods. */
const pinned = (...nodes: string[]) => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: nodes.map((node) => ({
        matchFields: [{ key: "metadata.name", operator: "In", values: [node] }],
      })),
    },
  },
});

const waiting = (reason: string, message = "") => ({
  name: "web",
  restartCount: 1,
  state: { waiting: { reason, message } },
});

describe("podFacts", () => {
  it("reads a running pod", () => {
    expect(facts(rawPod())).toMatchObject({
      namespace: "shop",
      name: "web-6d4b75cb6d-abcde",
      node: "node-1",
      createdAtMs: Date.parse("2026-01-01T00:00:00Z"),
      scheduledAtMs: Date.parse("2026-01-01T00:00:01Z"),
      containersStarted: true,
      ready: true,
      gated: false,
      terminal: false,
      overloadFailures: 0,
      shape: {
        ownerKind: "ReplicaSet",
        ownerName: "web-6d4b75cb6d",
        requests: { cpu: 100, memory: 128 * 2 ** 20, pods: 1 },
        images: ["docker.io/library/nginx:1.27"],
        interPodRules: false,
      },
    });
  });

  it("reads a pod under admission: no uid, no name, namespace from the request", () => {
    const pod = podFacts(
      { metadata: { generateName: "agent-" }, spec: { affinity: pinned("node-9"), containers: [{ name: "a" }] } },
      interner,
      { namespace: "agents", createdAtMs: 42 },
    );
    expect(pod).toMatchObject({ uid: "", name: "", namespace: "agents", createdAtMs: 42, pinnedTo: "node-9" });
    expect(pod.shape.affinityTerms).toBeUndefined();
  });

  it("pins only when every term demands the same node", () => {
    expect(facts(rawPod({ spec: { affinity: pinned("a", "a") } })).pinnedTo).toBe("a");
    const two = facts(rawPod({ spec: { affinity: pinned("a", "b") } }));
    expect(two.pinnedTo).toBeUndefined();
    expect(two.shape.affinityTerms).toHaveLength(2);
  });

  it("lets the pods of a DaemonSet share one shape across nodes", () => {
    const one = facts(rawPod({ spec: { affinity: pinned("a") } }));
    const other = facts(rawPod({ spec: { affinity: pinned("b"), nodeName: "b" } }));
    expect(other.shape).toBe(one.shape);
  });

  it("counts init containers, sidecars, pod-level requests and overhead as the scheduler does", () => {
    const cpu = (amount: string) => ({ resources: { requests: { cpu: amount } } });
    const spec = {
      containers: [
        { name: "a", ...cpu("100m") },
        { name: "b", ...cpu("200m") },
      ],
      initContainers: [
        { name: "sidecar", restartPolicy: "Always", ...cpu("50m") },
        { name: "init", ...cpu("400m") },
      ],
      overhead: { cpu: "10m" },
    };
    expect(facts(rawPod({ spec })).shape.requests).toEqual({ cpu: 460, pods: 1 });
    expect(facts(rawPod({ spec: { ...spec, resources: { requests: { cpu: "1" } } } })).shape.requests["cpu"]).toBe(
      1_010,
    );
  });

  it.each([
    [[{ key: FENCE_TAINT_KEY, operator: "Equal", value: "n1", effect: "NoSchedule" }], ["n1"], 0],
    [[{ key: FENCE_TAINT_KEY, operator: "Exists" }], ["*"], 0],
    [[{ operator: "Exists" }], ["*"], 1],
    [[{ operator: "Exists", effect: "NoExecute" }], [], 1],
    [[{ key: "gpu", value: "x" }], [], 1],
    [[{ key: "gpu", operator: "Gt", value: "3" }], [], 0],
  ])("separates fence tolerations from others: %j", (tolerations, fences, others) => {
    const pod = facts(rawPod({ spec: { tolerations } }));
    expect(pod.fencesTolerated).toEqual(fences);
    expect(pod.shape.tolerations).toHaveLength(others);
  });

  it("reads gates, hold and reservation, and treats garbage as absent", () => {
    const annotations = {
      [HOLD_ANNOTATION]: JSON.stringify({ node: "n1", reason: "StartupSlotsFull", since: "2026-01-01T00:00:05Z" }),
      [RESERVATION_ANNOTATION]: JSON.stringify({ node: "n1", at: "2026-01-01T00:00:06Z" }),
    };
    const gates = { schedulingGates: [{ name: "other/gate" }, { name: GATE }] };
    expect(facts(rawPod({ metadata: { annotations }, spec: gates }))).toMatchObject({
      gated: true,
      gatedByOthers: true,
      hold: { node: "n1", reason: "StartupSlotsFull", sinceMs: Date.parse("2026-01-01T00:00:05Z") },
      reservation: { node: "n1", atMs: Date.parse("2026-01-01T00:00:06Z") },
    });
    const garbage = { [HOLD_ANNOTATION]: "{", [RESERVATION_ANNOTATION]: '{"node":1,"at":"never"}' };
    expect(facts(rawPod({ metadata: { annotations: garbage } }))).toMatchObject({
      hold: undefined,
      reservation: undefined,
    });
  });

  it("reads a reservation on several nodes, however it was written, and no more of them than a release opens", () => {
    const read = (others: unknown) => {
      const annotation = JSON.stringify({ node: "n1", others, at: "2026-01-01T00:00:06Z" });
      return facts(rawPod({ metadata: { annotations: { [RESERVATION_ANNOTATION]: annotation } } })).reservation?.others;
    };
    expect(read(["n2", "n1", "n3", "n2", "", 7])).toEqual(["n2", "n3"]);
    for (const garbage of [[], "n2", 3, null, {}]) expect(read(garbage)).toBeUndefined();
    expect(read(Array.from({ length: 500 }, (_, n) => `node-${n}`))).toHaveLength(15);
  });

  it("keeps the start of a hold whose reason a later version wrote", () => {
    const annotations = { [HOLD_ANNOTATION]: '{"reason":"FromTheFuture","since":"2026-01-01T00:00:05Z"}' };
    expect(facts(rawPod({ metadata: { annotations } })).hold).toEqual({
      node: undefined,
      reason: "AwaitingRelease",
      sinceMs: Date.parse("2026-01-01T00:00:05Z"),
    });
  });

  it("takes a refusal for one of the pod as it is now if the scheduler had not seen it before, in any version", () => {
    const read = (release: string, condition: object = {}) =>
      podFacts(
        {
          metadata: { name: "p", generation: 3, annotations: { [RELEASE_ANNOTATION]: release } },
          spec: {},
          status: {
            conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", ...condition }],
          },
        },
        createShapeInterner(),
      ).refused;
    const note = { atMs: 1_000, heldMs: 500 };
    expect(read(formatRelease({ ...note, ungated: true }))).toBe(true);
    expect(read(formatRelease({ ...note, ungated: true }), { reason: "SchedulingGated" })).toBe(false);
    expect(read(formatRelease(note))).toBe(false);
    expect(read(formatRelease(note), { observedGeneration: 2 })).toBe(false);
    expect(read(formatRelease(note), { observedGeneration: 3 })).toBe(true);
  });

  it("has started once every app container has, regardless of the init containers", () => {
    const spec = {
      containers: [{ name: "a" }, { name: "b" }],
      initContainers: [{ name: "i", restartPolicy: "Always" }],
    };
    const started = (...names: string[]) => names.map((name) => ({ name, started: true }));
    const pod = (containerStatuses: object[]) =>
      facts(rawPod({ spec, status: { containerStatuses } })).containersStarted;
    expect(pod(started("a"))).toBe(false);
    expect(pod(started("a", "b"))).toBe(true);
    expect(pod([...started("a"), { name: "b", started: false, state: { terminated: { exitCode: 0 } } }])).toBe(true);
    expect(pod([...started("a"), { name: "b", started: false, state: { terminated: { exitCode: 128 } } }])).toBe(false);
    expect(pod([])).toBe(false);
  });

  it.each([
    ["ImagePullBackOff", "Back-off pulling image", "ImagePullBackOff"],
    ["ErrImagePull", "pull QPS exceeded", undefined],
    ["CrashLoopBackOff", "", "CrashLoopBackOff"],
    ["ContainerCreating", "", undefined],
  ])("waits on %s (%s): %s", (reason, message, stuck) => {
    expect(facts(rawPod({ status: { containerStatuses: [waiting(reason, message)] } })).waitingOn).toBe(stuck);
  });

  const issue1651 = {
    reason: "StartError",
    exitCode: 128,
    startedAt: "1970-01-01T00:00:00Z",
    message:
      "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: " +
      "unable to create new parent process: namespace path: lstat /proc/0/ns/ipc: no such file or directory: unknown",
  };
  it.each([
    ["issue 1651", { name: "web", lastState: { terminated: issue1651 }, state: { running: {} } }, 1],
    [
      "a wrong command",
      {
        lastState: { terminated: { reason: "StartError", message: 'exec: "foo": executable file not found in $PATH' } },
      },
      0,
    ],
    ["a create time-out", waiting("CreateContainerError", "context deadline exceeded"), 1],
    [
      "a reserved name",
      waiting("CreateContainerError", 'failed to reserve container name "x": name "x" is reserved for "y"'),
      1,
    ],
    ["no command", waiting("CreateContainerError", "no command specified"), 0],
    ["a program's own failure", { lastState: { terminated: { reason: "Error", exitCode: 1 } } }, 0],
  ])("counts failures that overload explains: %s", (_case, status, failures) => {
    expect(facts(rawPod({ status: { containerStatuses: [status] } })).overloadFailures).toBe(failures);
  });

  it.each([
    { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: "zone" }] } } },
    { topologySpreadConstraints: [{ whenUnsatisfiable: "DoNotSchedule" }] },
    { volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }] },
    { resourceClaims: [{ name: "gpu" }] },
  ])("leaves to the scheduler what only it can judge: %j", (spec) => {
    expect(facts(rawPod({ spec })).shape.interPodRules).toBe(true);
  });

  it("knows static and mirror pods", () => {
    const annotated = (annotations: object) => facts(rawPod({ metadata: { annotations } })).shape.mirror;
    expect(annotated({ "kubernetes.io/config.mirror": "x" })).toBe(true);
    expect(annotated({ "kubernetes.io/config.source": "file" })).toBe(true);
    expect(annotated({ "kubernetes.io/config.source": "api" })).toBe(false);
  });

  it("never throws on any JSON, even with the right field names", () => {
    const names = [
      "metadata",
      "spec",
      "status",
      "containers",
      "initContainers",
      "containerStatuses",
      "state",
      "waiting",
    ];
    const more = [
      "terminated",
      "affinity",
      "nodeAffinity",
      "tolerations",
      "annotations",
      "images",
      "taints",
      "resources",
    ];
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: "small" },
        fc.jsonValue(),
        fc.array(tie("node"), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...names, ...more), tie("node"), { maxKeys: 5 }),
      ),
    })).node;
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom("metadata", "spec", "status"), tree), (raw) => {
        facts(raw);
        nodeFacts(raw);
      }),
      { numRuns: 500 },
    );
  });
});

describe("nodeFacts", () => {
  it("reads a Ready node", () => {
    const node = nodeFacts(rawNode());
    expect(node).toMatchObject({
      name: "node-1",
      readySinceMs: Date.parse("2026-01-01T00:00:20Z"),
      unschedulable: false,
      fence: undefined,
      address: "10.0.0.7",
      allocatable: { cpu: 1_930, memory: 7 * 2 ** 30, pods: 110 },
    });
    expect(node.images.get(imageName("nginx:1.27"))).toBe(71_000_000);
  });

  it("tells a full list of images, of 50 however many names each has, by its smallest", () => {
    const listed = (count: number) =>
      nodeFacts(
        rawNode({
          status: {
            images: Array.from({ length: count }, (_, at) => ({
              names: [`app${at}@sha256:${"0".repeat(64)}`, `app${at}:1`],
              sizeBytes: (100 - at) * 1_000,
            })),
          },
        }),
      ).smallestListedBytes;
    expect([listed(49), listed(50), listed(51)]).toEqual([undefined, 51_000, undefined]);
  });

  it("knows kubelets that check at the registry who may use an image", () => {
    const checks = (kubeletVersion: string) =>
      nodeFacts(rawNode({ status: { nodeInfo: { kubeletVersion } } })).checksPulls;
    expect(["v1.34.9", "v1.35.0", "v1.36.1-eks-3abc", "v1.40.0", ""].map(checks)).toEqual([
      undefined,
      true,
      true,
      true,
      undefined,
    ]);
  });

  it("separates the fence from other taints", () => {
    const taints = [
      { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" },
      { key: FENCE_TAINT_KEY, value: "node-1", effect: "NoSchedule" },
    ];
    const annotations = { [FENCED_AT_ANNOTATION]: "2026-01-01T00:00:01Z" };
    const node = nodeFacts(rawNode({ spec: { taints }, metadata: { annotations } }));
    expect(node.taints).toEqual([{ key: "node.kubernetes.io/not-ready", value: "", effect: "NoSchedule" }]);
    expect(node.fence).toEqual({ value: "node-1", sinceMs: Date.parse("2026-01-01T00:00:01Z") });
  });

  it("is not ready while the condition says Unknown", () => {
    const conditions = [{ type: "Ready", status: "Unknown", lastTransitionTime: "2026-01-01T00:00:20Z" }];
    expect(nodeFacts(rawNode({ status: { conditions } })).readySinceMs).toBeUndefined();
  });
});

describe("the shape interner", () => {
  it("shares equal shapes and keeps different ones apart", () => {
    const own = createShapeInterner();
    const one = podFacts(rawPod(), own);
    const same = podFacts(rawPod({ metadata: { name: "web-6d4b75cb6d-fghij", uid: "2" } }), own);
    const other = podFacts(rawPod({ spec: { priority: 5 } }), own);
    expect(same.shape).toBe(one.shape);
    expect(other.shape).not.toBe(one.shape);
    expect(own.shapes).toBe(2);
  });
});
