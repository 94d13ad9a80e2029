/** Paceline's accounts are held to their work: each forbidden change is tried with their own tokens. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findHelm } from "../../dev/chart/helm.ts";
import { startControlPlane, type ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { FENCE_TAINT_KEY, GATE, ROLL_CALL_TAINT } from "../../src/api/names.ts";
import { publishBundle } from "../../src/certificates/webhook-trust.ts";
import type { NodeFacts, PodFacts } from "../../src/core/facts.ts";
import { nodeName } from "../../src/core/ids.ts";
import { createApiClient, type ApiClient } from "../../src/kube/client/api-client.ts";
import { nodeFacts, podFacts } from "../../src/kube/parse/facts.ts";
import { createShapeInterner } from "../../src/kube/parse/shape-interner.ts";
import { noteOpening, raiseFence } from "../../src/kube/write/late-openings.ts";
import type { Write } from "../../src/kube/write/conditional.ts";
import * as nodeWrites from "../../src/kube/write/nodes.ts";
import * as podWrites from "../../src/kube/write/pods.ts";
import { eventually } from "../support/control-plane.ts";
import { accountToken, applyAll, chartObjects, NAMESPACE } from "../support/installed.ts";

const PODS = "/api/v1/namespaces/default/pods";
const REGISTRATION = "/apis/admissionregistration.k8s.io/v1";
const DRY_RUN = { dryRun: "All" };
const OTHER_TAINT = { key: "team", value: "a", effect: "NoSchedule" };
const FENCE = { key: FENCE_TAINT_KEY, value: "n1", effect: "NoSchedule" };
const inZone = (zone: string) => ({ matchExpressions: [{ key: "zone", operator: "In", values: [zone] }] });
const affinity = (nodeAffinity: object, more: object = {}) => ({ spec: { affinity: { nodeAffinity, ...more } } });

const HELD = {
  metadata: { name: "held", labels: { app: "web" }, annotations: { team: "a" } },
  spec: {
    schedulingGates: [{ name: GATE }, { name: "example.com/quota" }],
    initContainers: [{ name: "init", image: "init:1" }],
    containers: [{ name: "main", image: "app:1" }],
    tolerations: [{ key: "team", operator: "Exists", effect: "NoExecute", tolerationSeconds: 60 }],
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [inZone("a")] },
        preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: inZone("b") }],
      },
    },
  },
};

/** Strategic merge patches of a pod that is held. The API server itself allows each of them. */
const podChanges: Record<string, object> = {
  "an image": { spec: { containers: [{ name: "main", image: "evil:1" }] } },
  "the image of an init container": { spec: { initContainers: [{ name: "init", image: "evil:1" }] } },
  "a label": { metadata: { labels: { app: "other" } } },
  "a new label": { metadata: { labels: { new: "label" } } },
  "an annotation of others": { metadata: { annotations: { team: "b" } } },
  "the removal of an annotation of others": { metadata: { annotations: { team: null } } },
  "a new annotation": { metadata: { annotations: { "example.com/new": "b" } } },
  "a finalizer": { metadata: { finalizers: ["example.com/stay"] } },
  "an owner": { metadata: { ownerReferences: [{ apiVersion: "v1", kind: "Node", name: "n1", uid: "u" }] } },
  "the gate of others": { spec: { schedulingGates: [{ $patch: "delete", name: "example.com/quota" }] } },
  "a toleration of another taint": {
    spec: { tolerations: [...HELD.spec.tolerations, { key: "x", operator: "Exists" }] },
  },
  "a toleration of every taint": {
    spec: { tolerations: [...HELD.spec.tolerations, { operator: "Exists", effect: "NoSchedule" }] },
  },
  "the seconds of a toleration": { spec: { tolerations: [{ ...HELD.spec.tolerations[0], tolerationSeconds: 1 }] } },
  "when it is evicted from a node that is gone": {
    spec: {
      tolerations: [
        ...HELD.spec.tolerations,
        ...["not-ready", "unreachable"].map((key) => ({
          ...{ key: `node.kubernetes.io/${key}`, operator: "Exists", effect: "NoExecute", tolerationSeconds: 1 },
        })),
      ],
    },
  },
  "a deadline": { spec: { activeDeadlineSeconds: 1 } },
  "a node selector": { spec: { nodeSelector: { disk: "ssd" } } },
  "a preference for labels": affinity({
    preferredDuringSchedulingIgnoredDuringExecution: [
      ...HELD.spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution,
      { weight: 100, preference: inZone("c") },
    ],
  }),
  "the removal of a preference": affinity({ preferredDuringSchedulingIgnoredDuringExecution: null }),
  "a narrower requirement": affinity({
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchExpressions: [...inZone("a").matchExpressions, { key: "rack", operator: "Exists" }] }],
    },
  }),
};

/** Merge patches of a node with a fence and another taint. */
const nodeChanges: Record<string, object> = {
  "a label": { metadata: { labels: { role: "control-plane" } } },
  "an annotation of others": { metadata: { annotations: { team: "b" } } },
  "a finalizer": { metadata: { finalizers: ["example.com/stay"] } },
  "a taint of others": { spec: { taints: [FENCE, OTHER_TAINT, { ...OTHER_TAINT, key: "new" }] } },
  "the removal of a taint of others": { spec: { taints: [FENCE] } },
  "the effect of a taint of others": { spec: { taints: [FENCE, { ...OTHER_TAINT, effect: "NoExecute" }] } },
  "a taint that evicts, with the key of the roll call's": {
    spec: { taints: [FENCE, OTHER_TAINT, { ...ROLL_CALL_TAINT, effect: "NoExecute" }] },
  },
  "a cordon": { spec: { unschedulable: true } },
  "its address at the cloud": { spec: { providerID: "evil://1" } },
};

interface Webhook {
  readonly name: string;
  readonly rules: readonly object[];
  readonly clientConfig: object;
}
/** The webhooks after a change of the first of them. */
const first = (change: object) => (webhooks: readonly Webhook[]) =>
  webhooks.map((one, at) => (at === 0 ? { ...one, ...change } : one));
const secrets = { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["secrets"] };
const webhookChanges: Record<string, (webhooks: readonly Webhook[]) => readonly object[]> = {
  "its rules": (webhooks) => first({ rules: [...(webhooks[0]?.rules ?? []), secrets] })(webhooks),
  "its address": first({ clientConfig: { url: "https://evil.example/" } }),
  "its service": first({ clientConfig: { service: { namespace: "evil", name: "evil", port: 443, path: "/" } } }),
  "its conditions": first({ matchConditions: [] }),
  "its namespaces": first({ namespaceSelector: { matchLabels: { a: "b" } } }),
  "its objects": first({ objectSelector: { matchLabels: { a: "b" } } }),
  "failing closed": first({ failurePolicy: "Fail" }),
  "its time-out": first({ timeoutSeconds: 30 }),
  "one more": (webhooks) => [...webhooks, { ...webhooks[0], name: "evil.paceline.dev", rules: [secrets] }],
  "one less": (webhooks) => webhooks.slice(1),
};

it("policies only audit, or are left out, where the chart's values say so", async () => {
  const values = ["--set", "admissionPolicies.annotations=Audit,admissionPolicies.accounts=Off"];
  const objects = await chartObjects(await findHelm(), values);
  const ours = objects.filter(({ kind }) => String(kind).startsWith("ValidatingAdmissionPolicy"));
  expect(ours.map(({ kind, metadata }) => `${String(kind)} ${metadata?.name}`)).toEqual([
    "ValidatingAdmissionPolicy paceline-annotations",
    "ValidatingAdmissionPolicyBinding paceline-annotations",
  ]);
  expect(ours[1]?.["spec"]).toMatchObject({ validationActions: ["Audit"] });
});

describe("Paceline's accounts", () => {
  let cp: ControlPlane;
  let service: ApiClient;
  let janitor: ApiClient;
  const interner = createShapeInterner();

  beforeAll(async () => {
    cp = await startControlPlane({
      scheduler: false,
      controllers: ["validatingadmissionpolicy-status-controller"],
    });
    await cp.client.create("/api/v1/namespaces", { metadata: { name: NAMESPACE } });
    await applyAll(cp, await chartObjects(await findHelm()));
    const as = async (name: string) =>
      createApiClient({ url: cp.url, ca: cp.caCert, token: await accountToken(cp.client, name) });
    [service, janitor] = await Promise.all([as("paceline"), as("paceline-janitor")]);
    await cp.client.create(PODS, HELD);
    const taints = [FENCE, OTHER_TAINT];
    await cp.client.create("/api/v1/nodes", { metadata: { name: "n1", annotations: { team: "a" } }, spec: { taints } });
    await cp.client.create("/api/v1/nodes", { metadata: { name: "cordoned" }, spec: { unschedulable: true, taints } });
    await eventually("the policies are in force", async () => {
      const webhooks = `${REGISTRATION}/validatingwebhookconfigurations/paceline`;
      const label = { metadata: { labels: { policies: "tried" } } };
      const tried = ["/api/v1/nodes/n1", `${PODS}/held`, webhooks, webhooks.replace("validatingw", "mutatingw")];
      const answers = await Promise.all(tried.map((path) => refusal(service.patch(path, label, "merge", DRY_RUN))));
      return answers.every((answer) => answer !== undefined);
    });
  });
  afterAll(async () => {
    await Promise.all([service.close(), janitor.close()]);
    await cp.stop();
  });

  const seenPod = async (name = "held"): Promise<PodFacts> =>
    podFacts(await cp.client.get(`${PODS}/${name}`), interner);
  const seenNode = async (name = "n1"): Promise<NodeFacts> => nodeFacts(await cp.client.get(`/api/v1/nodes/${name}`));

  it.each(Object.keys(podChanges))("may not change of a pod: %s", async (what) => {
    for (const client of [service, janitor]) {
      const tried = client.patch(`${PODS}/held`, podChanges[what], "strategic", DRY_RUN);
      expect(await refusal(tried)).toMatch(/paceline-account-pods.*denied request: Paceline/);
    }
    await cp.client.patch(`${PODS}/held`, podChanges[what], "strategic", DRY_RUN); // it is the account that may not
  });

  it.each(Object.keys(nodeChanges))("may not change of a node: %s", async (what) => {
    for (const client of [service, janitor]) {
      const tried = client.patch("/api/v1/nodes/n1", nodeChanges[what], "merge", DRY_RUN);
      expect(await refusal(tried)).toMatch(/paceline-account-nodes.*denied request: Paceline/);
    }
    await cp.client.patch("/api/v1/nodes/n1", nodeChanges[what], "merge", DRY_RUN);
  });

  it("may not lift a cordon that is no roll call's", async () => {
    const patch = { spec: { unschedulable: false } };
    expect(await refusal(service.patch("/api/v1/nodes/cordoned", patch, "merge", DRY_RUN))).toContain(
      "no other cordon",
    );
  });

  describe.each(["mutating", "validating"])("of the %s webhooks", (kind) => {
    const path = `${REGISTRATION}/${kind}webhookconfigurations/paceline`;
    const all: typeof webhookChanges = {
      ...webhookChanges,
      ...(kind === "mutating" && { again: first({ reinvocationPolicy: "IfNeeded" }) }),
    };

    it.each(Object.keys(all))("may not change: %s", async (what) => {
      const before = (await cp.client.get(path))["webhooks"] as Webhook[];
      const change = { webhooks: all[what]?.(before) };
      const policy = `paceline-account-${kind}-webhooks`;
      expect(await refusal(service.patch(path, change, "merge", DRY_RUN))).toContain(policy);
      await cp.client.patch(path, change, "merge", DRY_RUN);
    });
  });

  it("may publish the CA bundle", async () => {
    const log = { info: () => undefined } as never;
    expect(await publishBundle({ client: service, webhookConfiguration: "paceline", log }, cp.caCert)).toBe(2);
  });

  it("may note a hold, and release a pod to a node with toleration, preference and reservation", async () => {
    const hold = { node: nodeName("n1"), reason: "StartupSlotsFull", sinceMs: Date.now() } as const;
    expect((await podWrites.annotateHold(service, await seenPod(), hold)).kind).toBe("changed");
    const release = {
      ...{ node: nodeName("n1"), fence: "n1", steered: true, reason: "SlotFree" as const, message: "" },
      note: { atMs: Date.now(), heldMs: 1 },
    };
    expect((await podWrites.releasePod(service, { pod: await seenPod(), ...release }, Date)).kind).toBe("changed");
    const after = await seenPod();
    expect(after).toMatchObject({ gated: false, gatedByOthers: true, fencesTolerated: ["n1"], hold: undefined });
    expect(after.reservation?.node).toBe("n1");
    await cp.client.create(PODS, { ...HELD, metadata: { name: "plain" }, spec: plainSpec });
    const plain = { pod: await seenPod("plain"), node: nodeName("n1"), fence: undefined } as const;
    expect((await podWrites.releasePod(service, { ...plain, reason: "SlotFree", message: "" }, Date)).kind).toBe(
      "changed",
    );
    await cp.client.create(PODS, { ...HELD, metadata: { name: "last" }, spec: plainSpec });
    const last = { pod: await seenPod("last"), node: undefined, fence: "*", reason: "Requested", message: "" } as const;
    expect((await podWrites.releasePod(janitor, last, Date)).kind).toBe("changed");
  });

  it("may release a pod of which every list is long: no expression costs too much", async () => {
    const tolerations = Array.from({ length: 1_500 }, (_, at) => ({ key: `key-${at}`, operator: "Exists" }));
    const preferences = Array.from({ length: 1_500 }, (_, at) => ({ weight: 1, preference: inZone(`zone-${at}`) }));
    const containers = Array.from({ length: 300 }, (_, at) => ({ name: `c${at}`, image: `app:${at}` }));
    const annotations = Object.fromEntries(
      Array.from({ length: 1_500 }, (_, at) => [`example.com/${at}`, "x".repeat(99)]),
    );
    const { spec } = affinity({ preferredDuringSchedulingIgnoredDuringExecution: preferences });
    const big = { ...spec, tolerations, containers, schedulingGates: [{ name: GATE }] };
    await cp.client.create(PODS, { metadata: { name: "big", annotations }, spec: big });
    const release = { node: nodeName("n1"), fence: "n1", steered: true, reason: "SlotFree", message: "" } as const;
    expect((await podWrites.releasePod(service, { pod: await seenPod("big"), ...release }, Date)).kind).toBe("changed");
  });

  it("may do all that becomes of a node: adopt, roll call, lift, steer, note, raise", async () => {
    const value = "n1";
    const done: string[] = [];
    const write = async (what: string, run: (node: NodeFacts) => Promise<Write>, name = "n1") =>
      done.push(`${what} ${(await run(await seenNode(name))).kind}`);
    await write("adopt", (node) => nodeWrites.adoptFence(service, { kind: "adopt", node, value: "other" }));
    await write("adopt", (node) => nodeWrites.adoptFence(service, { kind: "adopt", node, value }));
    await write("begin", (node) =>
      nodeWrites.beginRollCall(service, { kind: "beginRollCall", node, value }, Date.now()),
    );
    await write("end", (node) => nodeWrites.endRollCall(service, { kind: "endRollCall", node, value }));
    await write("lift", (node) => nodeWrites.liftFence(service, node, value));
    await write("unsteer", (node) => nodeWrites.unsteerNode(service, node));
    await write("steer", (node) => nodeWrites.steerNode(service, { kind: "steer", node, value }));
    await write("note", (node) => noteOpening(service, { kind: "note", node, note: { atMs: 1, bootID: "b" } }));
    await write("clear", (node) => nodeWrites.clearNode(janitor, node));
    await write("lift", (node) => nodeWrites.liftFence(service, node), "cordoned");
    await write("raise", (node) => raiseFence(service, { kind: "raise", node, value: "c" }, Date.now()), "cordoned");
    expect(done.filter((line) => !line.endsWith(" changed"))).toEqual([]);
    expect(await seenNode()).toMatchObject({ unschedulable: false, fence: undefined });
    expect(await seenNode("cordoned")).toMatchObject({ unschedulable: true, fence: { value: "c" } });
  });

  it("may take back the cordon of a roll call that nobody ended, as the janitor does", async () => {
    await cp.client.create("/api/v1/nodes", {
      metadata: { name: "n2" },
      spec: { taints: [{ ...FENCE, value: "n2" }] },
    });
    const begin = { kind: "beginRollCall", node: await seenNode("n2"), value: "n2" } as const;
    expect((await nodeWrites.beginRollCall(service, begin, Date.now())).kind).toBe("changed");
    expect((await nodeWrites.clearNode(janitor, await seenNode("n2"))).kind).toBe("changed");
    expect(await seenNode("n2")).toMatchObject({ unschedulable: false, fence: undefined });
  });

  it("are judged by policies whose expressions the API server finds nothing wrong with", async () => {
    const policies = await eventually("all are type-checked", async () => {
      const { items } = await cp.client.list(`${REGISTRATION}/validatingadmissionpolicies`);
      const checked = items.map(({ metadata, status }) => ({
        name: metadata?.name,
        ...(status as Status | undefined),
      }));
      return checked.length === 5 && checked.every(({ typeChecking }) => typeChecking) ? checked : undefined;
    });
    const warnings = policies.flatMap(({ name, typeChecking }) =>
      (typeChecking?.expressionWarnings ?? []).map(({ fieldRef, warning }) => `${name}: ${fieldRef} ${warning}`),
    );
    expect(warnings).toEqual([]);
  });
});

interface Status {
  readonly typeChecking?: { readonly expressionWarnings?: readonly { fieldRef: string; warning: string }[] };
}

const plainSpec = { schedulingGates: [{ name: GATE }], containers: [{ name: "main", image: "app:1" }] };

/** The API server's reason; undefined where it did as it was asked. */
const refusal = (asked: Promise<unknown>): Promise<string | undefined> =>
  asked.then(
    () => undefined,
    (error: unknown) => (error as Error).message,
  );
