/** The chart on a real API server: every value set applies, and the service does its work with the chart's rights alone. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CHART, findHelm, helmText } from "../../dev/chart/helm.ts";
import { drifted } from "../../dev/chart/manifests.ts";
import { observe } from "../../dev/demo/observer.ts";
import { startControlPlane, type ControlPlane } from "../../dev/control-plane/control-plane.ts";
import type { KubeObject } from "../../src/cluster/kube-json.ts";
import { eventually } from "../support/control-plane.ts";
import {
  accountToken,
  applyAll,
  callingAt,
  chartObjects,
  cli,
  kubectl,
  NAMESPACE,
  startBalancer,
  startRecorder,
  startReplica,
} from "../support/installed.ts";
import { createHerd, joinNodes, traces } from "../support/small-herd.ts";

const helm = await findHelm();
const valueSets = (await readdir(join(CHART, "ci"))).map((file) => join(CHART, "ci", file));

describe("charts/paceline", () => {
  let cp: ControlPlane;

  beforeAll(async () => {
    cp = await startControlPlane();
    await cp.client.create("/api/v1/namespaces", { metadata: { name: NAMESPACE } });
  });
  afterAll(() => cp.stop());

  it("lints with every value set, and refuses unknown values", async () => {
    expect(valueSets).toHaveLength(5);
    for (const file of valueSets) {
      expect(await helmText(helm, ["lint", "--strict", CHART, "-f", file])).toContain("0 chart(s) failed");
    }
    await expect(helmText(helm, ["lint", CHART, "--set", "replica=3"])).rejects.toThrow();
    await expect(helmText(helm, ["lint", CHART, "--set", "policy.maxHoldSeconds=541"])).rejects.toThrow();
  });

  it("is what the plain manifests are rendered from", async () => {
    expect(await drifted(helm)).toEqual([]);
  });

  it("applies with every value set, first in a server-side dry run", async () => {
    await installCertManagerKinds(cp);
    for (const file of valueSets) {
      const objects = await chartObjects(helm, ["-f", file]);
      await applyAll(cp, objects, "--dry-run=server");
      const printed = await applyAll(cp, objects);
      expect(printed.trim().split("\n")).toHaveLength(objects.length);
      await removeAll(cp, objects);
    }
  });

  it("gives the service what it uses and nothing else, and two replicas pace a herd with it", async () => {
    const objects = await chartObjects(helm);
    await using balancer = await startBalancer();
    await using recorder = await startRecorder(cp);
    await applyAll(cp, callingAt(balancer.url, objects));
    const replicas = await Promise.all([
      startReplica(cp, objects, "paceline-a", { apiUrl: recorder.url }),
      startReplica(cp, objects, "paceline-b", { apiUrl: recorder.url }),
    ]);
    balancer.use(replicas.map(({ port }) => port));
    await eventually("the leader wrote the CA bundle", async () => (await bundles(cp)).every((one) => one !== ""));
    const observer = observe(cp.client, "default");
    await createHerd(cp.client, "herd", 16);
    const fleet = await joinNodes(cp.client, "young-1");
    await fleet.ready;
    await observer.allReady(() => 17, AbortSignal.timeout(90_000));
    const failed = Object.values(observer.failures()).reduce((sum, count) => sum + count, 0);
    console.log(`herd: 17 pods Ready, at most ${observer.peakInStartup()} in startup, ${failed} failed starts`);
    expect(failed).toBe(0);
    // At once, without Paceline, it would have been all 17.
    expect(observer.peakInStartup()).toBeLessThan(17);
    // Pods that find a young node: gated, and released by the leader.
    await createHerd(cp.client, "late", 6);
    await observer.allReady(() => 24, AbortSignal.timeout(60_000));
    await eventually("nothing is held", async () => {
      const left = await traces(cp.client);
      return left.gated + left.fences === 0;
    });
    const granted = await grantedVerbs(cp, "paceline");
    const used = [...recorder.seen];
    console.log(`verbs used: ${used.toSorted().join(", ")}`);
    expect(used.filter((one) => !granted.includes(one))).toEqual([]);
    // What only an unlucky moment needs is named here, with the place in the code.
    const rare = ["get /pods"]; // rewrite in src/cluster/writes.ts, after a conflict
    expect(granted.filter((one) => !used.includes(one) && !rare.includes(one))).toEqual([]);
    await printCanI(cp);
    for (const { process: child } of replicas) await child.kill();
    observer.stop();
    await fleet.stop();
  });

  it("gives the janitor what it uses and nothing else", async () => {
    await using recorder = await startRecorder(cp);
    await cp.client.create("/api/v1/nodes", fencedNode("past-cap"));
    await cp.client.create("/api/v1/namespaces/default/pods", gatedPod("past-cap"));
    const { stdout } = await cli(cp, "paceline-janitor", ["release", "--expired", "--json"], recorder.url);
    expect(JSON.parse(stdout)).toMatchObject({ pods: 1, fences: 1, failed: 0 });
    const granted = await grantedVerbs(cp, "paceline-janitor");
    expect([...recorder.seen].filter((one) => !granted.includes(one))).toEqual([]);
    expect(granted.filter((one) => !recorder.seen.has(one))).toEqual(["get /pods"]);
  });
});

const LONG_AGO = "2026-01-01T00:00:00Z";

function fencedNode(name: string): object {
  const taint = { key: "startup-taint.cluster-autoscaler.kubernetes.io/paceline", value: name, effect: "NoSchedule" };
  const metadata = { name, annotations: { "paceline.dev/fenced-at": LONG_AGO } };
  return { metadata, spec: { taints: [taint] } };
}

function gatedPod(name: string): object {
  const hold = JSON.stringify({ node: name, reason: "AwaitingRelease", since: LONG_AGO });
  return {
    metadata: { name, annotations: { "paceline.dev/hold": hold } },
    spec: { schedulingGates: [{ name: "paceline.dev/startup" }], containers: [{ name: "main", image: "app:1" }] },
  };
}

async function bundles(cp: ControlPlane): Promise<string[]> {
  const kinds = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"];
  const found = await Promise.all(
    kinds.map((kind) => cp.client.get(`/apis/admissionregistration.k8s.io/v1/${kind}/paceline`)),
  );
  const webhooks = found.flatMap((one) => one["webhooks"] as { clientConfig: { caBundle?: string } }[]);
  return webhooks.map(({ clientConfig }) => clientConfig.caBundle ?? "");
}

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** `verb group/resource` of all roles of an account, as the API server holds them. */
async function grantedVerbs({ client }: ControlPlane, name: string): Promise<string[]> {
  const rbac = "/apis/rbac.authorization.k8s.io/v1";
  const roles = await Promise.all([
    client.get(`${rbac}/clusterroles/${name}`),
    client.get(`${rbac}/namespaces/${NAMESPACE}/roles/${name}`),
  ]);
  const rules = roles.flatMap((role) => role["rules"] as Rule[]);
  return rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`))),
  );
}

async function printCanI(cp: ControlPlane): Promise<void> {
  for (const name of ["paceline", "paceline-janitor"]) {
    await accountToken(cp.client, name);
    const as = `--as=system:serviceaccount:${NAMESPACE}:${name}`;
    const groups = ["system:serviceaccounts", `system:serviceaccounts:${NAMESPACE}`, "system:authenticated"];
    const text = await kubectl(
      cp,
      "auth",
      "can-i",
      "--list",
      as,
      ...groups.map((g) => `--as-group=${g}`),
      "-n",
      NAMESPACE,
    );
    console.log(`${name}\n${text}`);
  }
}

async function removeAll(cp: ControlPlane, objects: readonly KubeObject[]): Promise<void> {
  for (const { kind = "", metadata = {} } of objects) {
    const scope = metadata.namespace === undefined ? [] : ["-n", metadata.namespace];
    await kubectl(cp, "delete", kind, metadata.name ?? "", ...scope, "--ignore-not-found", "--wait=false");
  }
}

/** Stand-ins for cert-manager's kinds: any content is fine with them. */
async function installCertManagerKinds(cp: ControlPlane): Promise<void> {
  const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
  for (const kind of ["Issuer", "Certificate"]) {
    const plural = `${kind.toLowerCase()}s`;
    await cp.client.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
      metadata: { name: `${plural}.cert-manager.io` },
      spec: {
        group: "cert-manager.io",
        scope: "Namespaced",
        names: { kind, plural },
        versions: [{ name: "v1", served: true, storage: true, schema }],
      },
    });
  }
  await kubectl(cp, "wait", "--for=condition=Established", "crd", "--all", "--timeout=30s");
}
