/**
 * The kubelet source, Endpoints addressing and the manifests against a real API server. The API server refuses to proxy
 * to loopback, so the stand-in for a kubelet listens on another address of this machine. Tests are skipped if there is
 * no other address.
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { parseAllDocuments } from "yaml";
import type { ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { applyObject } from "../../dev/install.ts";
import { DEFAULT_NAMESPACE } from "../../src/api/names.ts";
import { createTelemetryFeed } from "../../src/service/telemetry-feed.ts";
import { issueServerCertificate, makeAuthority } from "../../src/certificates/certificates.ts";
import { systemClock } from "../../src/kube/clock.ts";
import type { KubeObject } from "../../src/kube/parse/kube-json.ts";
import { silentLog } from "../../src/kube/log.ts";
import type { NodeSample } from "../../src/core/facts.ts";
import { nodeName } from "../../src/core/ids.ts";
import { defaultPolicy } from "../../src/policy/parse.ts";
import type { PacingPolicyInput } from "../../src/policy/schema.ts";
import type { Telemetry } from "../../src/policy/telemetry.ts";
import { outsideAddress } from "../../dev/modelled-node/outside-address.ts";
import { hasProgram, startNodeExporter } from "../support/telemetry-programs.ts";
import { eventually } from "../support/control-plane.ts";
import { answerKubelet } from "../unit/telemetry/source-answers.ts";

const outside = outsideAddress();
if (outside === undefined) console.warn("SKIPPED: no address but loopback, to which the API server does not proxy");

let controlPlane: ControlPlane;
beforeAll(async () => {
  controlPlane = await startControlPlane();
});
afterAll(() => controlPlane.stop());

const usual = { intervalMs: 250, timeoutMs: 250 };

function feedOf(node: string, telemetry: NonNullable<PacingPolicyInput["telemetry"]>) {
  const samples: NodeSample[] = [];
  const failures: string[] = [];
  const feed = createTelemetryFeed({
    client: controlPlane.client,
    clock: systemClock,
    random: Math.random,
    log: silentLog,
    targets: () => [{ name: nodeName(node), address: undefined, paced: true }],
    onSample: (_node, sample) => samples.push(sample),
    onFailure: ({ kind, message }) => failures.push(`${kind}: ${message}`),
  });
  onTestFinished(() => feed.stop());
  // Longer than a policy allows, because the API server is slow on a busy machine.
  feed.use({ ...defaultPolicy({ telemetry }).telemetry, timeoutMs: 15_000 } as Telemetry);
  return { samples, failures };
}

async function createNode(name: string, address: string, port: number) {
  await controlPlane.client.create("/api/v1/nodes", { metadata: { name } });
  const addresses = [{ type: "InternalIP", address }];
  const status = { addresses, daemonEndpoints: { kubeletEndpoint: { Port: port } } };
  await controlPlane.client.patch(`/api/v1/nodes/${name}/status`, { status }, "merge");
}

describe.skipIf(outside === undefined)("a kubelet behind the API server's proxy", () => {
  test("gives pressure and memory; if it is gone, its node has a failure", async () => {
    const host = outside ?? "";
    const nowMs = Date.now();
    const authority = await makeAuthority({ commonName: "kubelet", days: 1, nowMs });
    const { cert, key } = await issueServerCertificate(authority, { names: [host], days: 1, nowMs });
    const paths: (string | undefined)[] = [];
    const kubelet = createServer({ cert, key }, (request, response) => {
      paths.push(request.url);
      answerKubelet(request, response);
    });
    await new Promise<void>((resolve) => kubelet.listen(0, host, resolve));
    onTestFinished(() => {
      kubelet.closeAllConnections();
      kubelet.close();
    });
    await createNode("proxied", host, (kubelet.address() as AddressInfo).port);
    const { samples, failures } = feedOf("proxied", { source: "kubelet", ...usual });
    const sample = await eventually("growth of images", () =>
      samples.find((one) => one.writeBytesPerSecond !== undefined),
    );
    expect(sample).toMatchObject({ ioPressure: 0.25, cpuPressure: 0.5, memoryBytes: 8e9 });
    expect(paths[0]).toBe("/stats/summary");

    kubelet.closeAllConnections();
    await new Promise((resolve) => kubelet.close(resolve));
    const failure = await eventually("the failure", () => failures[0]);
    expect(failure).toMatch(/^(BadStatus|TimedOut|Unreachable): /);
  });
});

describe.skipIf(outside === undefined || !hasProgram("prometheus-node-exporter"))(
  "node_exporter behind a Service",
  () => {
    test("is found through its node's EndpointSlice", async () => {
      // The API server refuses loopback addresses in slices.
      const host = outside ?? "";
      const exporter = await startNodeExporter({ host });
      onTestFinished(() => exporter.kill());
      const path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
      const labels = { "kubernetes.io/service-name": "node-exporter" };
      const ports = [{ name: "metrics", port: exporter.port, protocol: "TCP" }];
      const address = { type: "Endpoints", namespace: "default", service: "node-exporter" } as const;
      const { samples, failures } = feedOf("served", {
        source: "node-exporter",
        address,
        port: exporter.port,
        ...usual,
      });
      await eventually("no endpoint yet", () => failures.some((failure) => failure.startsWith("NoAddress")));
      expect(samples).toEqual([]);
      const endpoints = [{ addresses: [host], nodeName: "served", conditions: { ready: true } }];
      await controlPlane.client.create(path, {
        metadata: { name: "s", labels },
        addressType: "IPv4",
        ports,
        endpoints,
      });
      await eventually("figures", () => samples.length > 0);
      const told = failures.length;
      await controlPlane.client.patch(`${path}/s`, { endpoints: [] }, "merge");
      await eventually("it is gone", () => failures.slice(told).some((failure) => failure.startsWith("NoAddress")));
    });
  },
);

describe("telemetry-config", () => {
  const documentsOf = async (file: string) => {
    const text = await readFile(join(import.meta.dirname, "../../telemetry-config", file), "utf8");
    return parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
  };
  /** True if Paceline's own service account has the right. */
  async function pacelineMay(resourceAttributes: object): Promise<boolean> {
    const user = `system:serviceaccount:${DEFAULT_NAMESPACE}:paceline`;
    const review = { spec: { user, resourceAttributes } };
    const answer = await controlPlane.client.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", review);
    return (answer as { status?: { allowed?: boolean } }).status?.allowed === true;
  }
  const slices = { group: "discovery.k8s.io", resource: "endpointslices", verb: "watch" };

  test("the API server accepts node-exporter.yaml, and admits the pods of its DaemonSet as restricted", async () => {
    const { client } = controlPlane;
    const documents = await documentsOf("node-exporter.yaml");
    for (const document of documents) await applyObject(client, document);
    const daemonSet = documents.find(({ kind }) => kind === "DaemonSet") as { spec: { template: { spec: object } } };
    const path = "/api/v1/namespaces/paceline-telemetry/pods";
    const pod = (more: object) => ({ metadata: { name: "p" }, spec: { ...daemonSet.spec.template.spec, ...more } });
    await client.create(path, pod({}), { dryRun: "All" });
    await expect(client.create(path, pod({ hostNetwork: true }), { dryRun: "All" })).rejects.toThrow(/restricted/);
    await eventually("Paceline may see where the exporters are", () =>
      pacelineMay({ ...slices, namespace: "paceline-telemetry" }),
    );
    expect(await pacelineMay({ ...slices, namespace: "default" })).toBe(false);
  });

  test("kubelet-rbac.yaml lets Paceline ask kubelets, and no more", async () => {
    const proxy = { resource: "nodes", subresource: "proxy" };
    expect(await pacelineMay({ ...proxy, verb: "get" })).toBe(false);
    for (const document of await documentsOf("kubelet-rbac.yaml")) await applyObject(controlPlane.client, document);
    await eventually("Paceline may ask", () => pacelineMay({ ...proxy, verb: "get" }));
    expect(await pacelineMay({ ...proxy, verb: "create" })).toBe(false);
  });
});
