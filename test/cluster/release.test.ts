/**
 * The release loop on a real control plane, with a real scheduler and two replicas. One replica is cut off in between.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Fastify from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startControlPlane } from "../../dev/control-plane/control-plane.ts";
import type { ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { startService } from "../../src/service/service.ts";
import type { Service } from "../../src/service/service.ts";
import { createApiClient } from "../../src/kube/client/api-client.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { startCutProxy } from "../support/cut-proxy.ts";
import type { CutProxy } from "../support/cut-proxy.ts";
import { createGatedHerd, createRoomyNode, witnessSlots } from "../support/slot-herd.ts";
import { HANG_MS } from "../support/control-plane.ts";

const LIMIT = 3;
const POLICY = `
apiVersion: paceline.dev/v1alpha1
kind: PacingPolicy
youngForSeconds: 3600
nodeClasses:
  - name: test
    slots: { initial: ${LIMIT}, min: ${LIMIT}, max: ${LIMIT} }
`;
/** A little shorter than the real ones (LEASE_TIMES): a busy machine can renew in time all the same. */
const LEASE_TIMES = { durationMs: 8_000, renewDeadlineMs: 6_000, retryMs: 500 };

let plane: ControlPlane;
let admin: ApiClient;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-release-"));
  await writeFile(join(folder, "policy.yaml"), POLICY);
  plane = await startControlPlane({ controllerManager: false });
  admin = createApiClient({ url: plane.url, token: plane.token, ca: plane.caCert });
});
afterAll(async () => {
  await admin.close();
  await plane.stop();
  await rm(folder, { recursive: true });
});

const quietLog = Fastify({ logger: false }).log;

async function startReplica(identity: string, proxy: CutProxy): Promise<Service> {
  const service = await startService({
    access: { url: proxy.url, token: plane.token, ca: plane.caCert },
    namespace: "default",
    host: "127.0.0.1",
    port: 0,
    policyFile: join(folder, "policy.yaml"),
    identity,
    log: quietLog,
    leaseTimes: LEASE_TIMES,
  });
  await service.ready;
  return service;
}

const POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic";

/** What another admission webhook would do: no update of these pods passes. */
async function refuseUpdatesOf(client: ApiClient, matchLabels: Readonly<Record<string, string>>): Promise<void> {
  const metadata = { name: "refuse-updates" };
  const rule = { apiGroups: [""], apiVersions: ["v1"], operations: ["UPDATE"], resources: ["pods"] };
  await client.create(`${POLICIES}ies`, {
    metadata,
    spec: {
      matchConstraints: { objectSelector: { matchLabels }, resourceRules: [rule] },
      validations: [{ expression: "false", message: "no updates" }],
    },
  });
  await client.create(`${POLICIES}ybindings`, {
    metadata,
    spec: { policyName: metadata.name, validationActions: ["Deny"] },
  });
}

/** A new policy counts after a moment. */
async function mayUpdate(client: ApiClient, pod: string): Promise<boolean> {
  try {
    const body = { metadata: { annotations: { tried: String(performance.now()) } } };
    await client.patch(`/api/v1/namespaces/default/pods/${pod}`, body, "merge");
    return true;
  } catch {
    return false;
  }
}

/** Names of the objects of Events that begin so. */
async function eventsOf(client: ApiClient, note: string): Promise<string[]> {
  const { items } = (await client.get("/apis/events.k8s.io/v1/namespaces/default/events")) as unknown as {
    readonly items: readonly { readonly note: string; readonly regarding: { readonly name: string } }[];
  };
  return items.filter((event) => event.note.startsWith(note)).map(({ regarding }) => regarding.name);
}

const within = { timeout: HANG_MS, interval: 20 };

describe("the release loop on a real control plane", () => {
  it("starts a herd in batches of the limit, and releases the next pod whenever a slot becomes free", async () => {
    await using proxy = await startCutProxy(plane.url);
    const service = await startReplica("alone", proxy);
    await createRoomyNode(admin, "quick");
    await using node = witnessSlots(admin, "quick", 150);
    await createGatedHerd(admin, "quick", 60);
    await expect.poll(() => node.started(), within).toBe(60);
    expect(node.peak).toBe(LIMIT);
    // Each release after the first batch follows a freed slot. `npm run bench:service` measures how soon.
    expect(node.delaysMs.length).toBeGreaterThanOrEqual(60 - LIMIT);
    await service.stop();
  });

  it("pods whose updates a policy refuses rank first and hold up no others, tell why, and go once they may", async () => {
    const labels = { refuse: "updates" };
    await refuseUpdatesOf(admin, labels);
    await createRoomyNode(admin, "refusing");
    await createGatedHerd(admin, "refusing", 6, { labels, prefix: "refused" });
    await expect.poll(() => mayUpdate(admin, "refused-0"), within).toBe(false);
    await using proxy = await startCutProxy(plane.url);
    const service = await startReplica("alone", proxy);
    await using node = witnessSlots(admin, "refusing", 100);
    await createGatedHerd(admin, "refusing", 12);
    await expect.poll(() => node.started(), within).toBe(12);
    expect(node.peak).toBe(LIMIT);
    const gated = [...node.pods.values()].filter((pod) => pod.gated).map(({ name }) => name);
    expect(gated.toSorted()).toEqual(Array.from({ length: 6 }, (_, index) => `refused-${index}`));
    const told = async () => (await eventsOf(admin, "WriteFailed: ")).filter((name) => name.startsWith("refused-"));
    await expect.poll(async () => new Set(await told()).size, within).toBe(6);
    const failures = await service.metrics.writeFailures.get();
    expect(failures.values.find(({ labels: { kind } }) => kind === "release")?.value).toBeGreaterThanOrEqual(6);
    await admin.remove(`${POLICIES}ybindings/refuse-updates`);
    await expect.poll(() => node.started(), within).toBe(18);
    await service.stop();
  });

  it("loses no pod and releases none twice when the leader is cut off in the middle", async () => {
    await using near = await startCutProxy(plane.url);
    await using far = await startCutProxy(plane.url);
    const [one, other] = [await startReplica("one", near), await startReplica("other", far)];
    await expect.poll(() => one.isLeader || other.isLeader, within).toBe(true);
    await createRoomyNode(admin, "twice");
    await using node = witnessSlots(admin, "twice", 150);
    await createGatedHerd(admin, "twice", 30);
    await expect.poll(() => node.started(), within).toBeGreaterThanOrEqual(9);
    const [leader, proxy, heir] = one.isLeader ? [one, near, other] : [other, far, one];
    proxy.cut();
    await expect.poll(() => heir.isLeader, within).toBe(true);
    expect(leader.isLeader).toBe(false);
    await expect.poll(() => node.started(), within).toBe(30);
    expect(node.peak).toBe(LIMIT);
    await Promise.all([one.stop(), other.stop()]);
  });
});
