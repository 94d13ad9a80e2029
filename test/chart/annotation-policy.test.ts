/** Only Paceline's word counts: tenants may not write its annotations on pods, and nothing else is in their way. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findHelm } from "../../dev/chart/helm.ts";
import { startControlPlane, type ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { GATE, HOLD_ANNOTATION, POD_NOTES, RESERVATION_ANNOTATION } from "../../src/api/names.ts";
import { createApiClient, type ApiClient } from "../../src/kube/client/api-client.ts";
import { recordOf, type KubeObject } from "../../src/kube/parse/kube-json.ts";
import { eventually } from "../support/control-plane.ts";
import {
  accountToken,
  applyAll,
  chartObjects,
  kubectl,
  NAMESPACE,
  seesLeader,
  startReplica,
} from "../support/installed.ts";
import { startServiceProxy, type ServiceProxy } from "../support/service-proxy.ts";

const PODS = "/api/v1/namespaces/default/pods";
const FORGED = Object.fromEntries(POD_NOTES.map((name) => [name, '{"node":"young","at":"2099-01-01T00:00:00Z"}']));
const WORK = { containers: [{ name: "main", image: "app:1" }] };

describe("a tenant who may create and patch pods", () => {
  let cp: ControlPlane;
  let proxy: ServiceProxy;
  let tenant: ApiClient;
  let service: ApiClient;

  beforeAll(async () => {
    proxy = await startServiceProxy();
    cp = await startControlPlane({ clusterProxy: proxy.socket, scheduler: false });
    await cp.client.create("/api/v1/namespaces", { metadata: { name: NAMESPACE } });
    const objects = await chartObjects(await findHelm());
    await applyAll(cp, objects);
    await makeTenant(cp);
    const as = (token: string) => createApiClient({ url: cp.url, ca: cp.caCert, token });
    tenant = as(await accountToken(cp.client, "tenant"));
    service = as(await accountToken(cp.client, "paceline"));
    const replica = await startReplica(cp, objects, "paceline-a");
    proxy.use([replica.port]);
    await eventually("the replica sees a leader", () => seesLeader(replica));
    await eventually("the API server calls the webhook", async () => {
      const pod = { metadata: { name: "tried", annotations: FORGED }, spec: WORK };
      return notesOf(await tenant.create(PODS, pod, { dryRun: "All" })).length === 0;
    });
    await tenant.create(PODS, { metadata: { name: "web", annotations: { team: "a" } }, spec: WORK });
    await eventually("the policy is in force", async () => {
      const patch = { metadata: { annotations: FORGED } };
      return (await refusal(tenant.patch(`${PODS}/web`, patch, "merge", { dryRun: "All" }))) !== undefined;
    });
  });
  afterAll(async () => {
    await Promise.all([tenant.close(), service.close()]);
    await cp.stop();
    await proxy[Symbol.asyncDispose]();
  });

  it.each([
    ["an ordinary pod", {}, WORK],
    ["a pod that opts out", { labels: { "paceline.dev/pacing": "disabled" } }, WORK],
    [
      "a pod that brings its gate along",
      {},
      { ...WORK, schedulingGates: [{ name: GATE }, { name: "example.com/own" }] },
    ],
    ["a pod that names its node", {}, { ...WORK, nodeName: "young" }],
  ])("creates %s without what only Paceline may note", async (_, metadata, spec) => {
    const pod = { metadata: { generateName: "forged-", annotations: { ...FORGED, team: "a" }, ...metadata }, spec };
    const created = await tenant.create(PODS, pod);
    expect(notesOf(created)).toEqual([]);
    expect(created.metadata?.annotations).toMatchObject({ team: "a" });
  });

  it.each(["", "/status"])("sets or changes none of them on a pod that exists (pods%s)", async (subresource) => {
    const client = subresource === "" ? tenant : cp.client; // the policy holds the administrator to it as well
    for (const name of POD_NOTES) {
      const patch = { metadata: { annotations: { [name]: FORGED[name] } } };
      expect(await refusal(client.patch(`${PODS}/web${subresource}`, patch, "merge"))).toContain(
        `sets the annotation ${name}`,
      );
    }
  });

  it("changes no reservation of Paceline's, and may remove it, and the gate with it (promise 2)", async () => {
    const schedulingGates = [{ name: GATE }, { name: "example.com/own" }]; // so the leader does not release it meanwhile
    await tenant.create(PODS, { metadata: { name: "held" }, spec: { ...WORK, schedulingGates } });
    const note = { [RESERVATION_ANNOTATION]: '{"node":"n1","at":"2026-01-01T00:00:00Z"}', [HOLD_ANNOTATION]: "{}" };
    await service.patch(`${PODS}/held`, { metadata: { annotations: note } }, "merge");
    const later = { [RESERVATION_ANNOTATION]: '{"node":"n1","at":"2027-01-01T00:00:00Z"}' };
    expect(await refusal(tenant.patch(`${PODS}/held`, { metadata: { annotations: later } }, "merge"))).toContain(
      "denied",
    );
    const spec = { schedulingGates: [{ $patch: "delete", name: GATE }] };
    const free = await tenant.patch(`${PODS}/held`, { spec }, "strategic");
    expect(recordOf(free["spec"])["schedulingGates"]).toEqual([{ name: "example.com/own" }]);
    const gone = { [RESERVATION_ANNOTATION]: null, [HOLD_ANNOTATION]: null };
    expect(notesOf(await tenant.patch(`${PODS}/held`, { metadata: { annotations: gone } }, "merge"))).toEqual([]);
  });

  it("is not in the way of kubectl, GitOps and backups, with pods that Paceline has written to", async () => {
    const config = await tenantConfig(cp);
    const asTenant = (...args: string[]) => kubectl(cp, "--kubeconfig", config, "-n", "default", ...args);
    const file = async (name: string, object: KubeObject) => {
      const path = join(cp.folder, `${name}.json`);
      await writeFile(path, JSON.stringify({ apiVersion: "v1", kind: "Pod", ...object }));
      return path;
    };
    const plain = { metadata: { name: "app", labels: { app: "app" } }, spec: WORK };
    await asTenant("apply", "-f", await file("plain", plain));
    const note = { [RESERVATION_ANNOTATION]: '{"node":"n1","at":"2026-01-01T00:00:00Z"}', [HOLD_ANNOTATION]: "{}" };
    await service.patch(`${PODS}/app`, { metadata: { annotations: note } }, "merge");
    const isNoted = async () => notesOf(await cp.client.get(`${PODS}/app`)).length === 2;

    await asTenant("annotate", "pod", "app", "team=b");
    await asTenant("label", "pod", "app", "tier=web");
    await asTenant("set", "image", "pod/app", "main=app:2");
    await asTenant("apply", "-f", await file("plain", plain));
    await asTenant(
      "apply",
      "--server-side",
      "--force-conflicts",
      "--field-manager=gitops",
      "-f",
      await file("plain", plain),
    );
    expect(await isNoted()).toBe(true);
    const live = await cp.client.get(`${PODS}/app`);
    const { managedFields: _, ...metadata } = recordOf(live.metadata);
    const exported = { ...live, metadata } as KubeObject;
    await asTenant("apply", "--server-side", "--force-conflicts", "-f", await file("exported", exported));
    await asTenant("replace", "-f", await file("exported", await cp.client.get(`${PODS}/app`)));
    expect(await isNoted()).toBe(true);

    await tenant.remove(`${PODS}/app`, {}, { gracePeriodSeconds: 0 });
    const { resourceVersion: _version, uid: _uid, ...restored } = metadata;
    const created = await tenant.create(PODS, { ...exported, metadata: restored });
    expect(notesOf(created)).toEqual([]);
    expect(created.metadata?.annotations).toMatchObject({ team: "b" });
  });
});

const notesOf = ({ metadata }: KubeObject) => POD_NOTES.filter((name) => metadata?.annotations?.[name] !== undefined);

/** The account `tenant` of Paceline's namespace, with rights in `default` alone. */
async function makeTenant({ client }: ControlPlane): Promise<void> {
  await client.create(`/api/v1/namespaces/${NAMESPACE}/serviceaccounts`, { metadata: { name: "tenant" } });
  const roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
  const verbs = ["create", "get", "list", "patch", "update", "delete"];
  await client.create(`${roles}/roles`, {
    metadata: { name: "tenant" },
    rules: [{ apiGroups: [""], resources: ["pods"], verbs }],
  });
  await client.create(`${roles}/rolebindings`, {
    metadata: { name: "tenant" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "tenant" },
    subjects: [{ kind: "ServiceAccount", namespace: NAMESPACE, name: "tenant" }],
  });
}

async function tenantConfig(cp: ControlPlane): Promise<string> {
  const path = join(cp.folder, "tenant.kubeconfig");
  const user = { name: "tenant", token: await accountToken(cp.client, "tenant") };
  await writeFile(path, cp.kubeconfigFor(user), { mode: 0o600 });
  return path;
}

/** The API server's reason; undefined where it did as it was asked. */
const refusal = (asked: Promise<unknown>): Promise<string | undefined> =>
  asked.then(
    () => undefined,
    (error: unknown) => (error as Error).message,
  );
