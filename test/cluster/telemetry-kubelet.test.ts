/**
 * The kubelet's source and Endpoints addressing through a real API server. It refuses to proxy to loopback, so the
 * stand-in for a kubelet listens on an address of this machine that is none; skipped where there is no such address.
 */
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { createTelemetryFeed } from "../../src/cli/telemetry-feed.ts";
import { issueServerCertificate, makeAuthority } from "../../src/cluster/certificates.ts";
import { systemClock } from "../../src/cluster/clock.ts";
import { silentLog } from "../../src/cluster/log.ts";
import type { NodeSample } from "../../src/core/facts.ts";
import { nodeName } from "../../src/core/units.ts";
import { defaultPolicy } from "../../src/policy/parse.ts";
import type { PacingPolicyInput } from "../../src/policy/schema.ts";
import { hasProgram, startNodeExporter } from "../support/telemetry-programs.ts";
import { eventually } from "../support/control-plane.ts";
import { answerKubelet } from "../unit/telemetry/source-answers.ts";

const outside = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === "IPv4" && !internal)?.address;
if (outside === undefined) console.warn("SKIPPED: no address but loopback, to which the API server does not proxy");

let controlPlane: ControlPlane;
beforeAll(async () => {
  controlPlane = await startControlPlane();
});
afterAll(() => controlPlane.stop());

function feedOf(node: string, telemetry: NonNullable<PacingPolicyInput["telemetry"]>) {
  const samples: NodeSample[] = [];
  const failures: string[] = [];
  const feed = createTelemetryFeed({
    ...{ client: controlPlane.client, clock: systemClock, random: Math.random, log: silentLog },
    targets: () => [{ name: nodeName(node), address: undefined, paced: true }],
    onSample: (_node, sample) => samples.push(sample),
    onFailure: ({ kind, message }) => failures.push(`${kind}: ${message}`),
  });
  onTestFinished(() => feed.stop());
  feed.use(defaultPolicy({ telemetry }).telemetry);
  return { samples, failures };
}

async function createNode(name: string, address: string, port: number) {
  await controlPlane.client.create("/api/v1/nodes", { metadata: { name } });
  const addresses = [{ type: "InternalIP", address }];
  const status = { addresses, daemonEndpoints: { kubeletEndpoint: { Port: port } } };
  await controlPlane.client.patch(`/api/v1/nodes/${name}/status`, { status }, "merge");
}

describe.skipIf(outside === undefined)("a kubelet behind the API server's proxy", () => {
  test("gives pressure and memory; one that is gone is a failure of its node", async () => {
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
    const { samples, failures } = feedOf("proxied", { source: "kubelet", intervalMs: 250, timeoutMs: 250 });
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

describe.skipIf(!hasProgram("prometheus-node-exporter"))("node_exporter behind a Service", () => {
  test("is found by its node's EndpointSlice", async () => {
    const exporter = await startNodeExporter();
    onTestFinished(() => exporter.kill());
    const path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
    const labels = { "kubernetes.io/service-name": "node-exporter" };
    const ports = [{ name: "metrics", port: exporter.port, protocol: "TCP" }];
    const address = { type: "Endpoints", namespace: "default", service: "node-exporter" } as const;
    const { samples, failures } = feedOf("served", {
      ...{ source: "node-exporter", address, port: exporter.port, intervalMs: 250, timeoutMs: 250 },
    });
    await eventually("no endpoint yet", () => failures.some((failure) => failure.startsWith("NoAddress")));
    // The API server refuses loopback addresses in slices, so the exporter is asked where it does not listen: that the
    // question goes there shows that the slice is followed.
    const endpoints = [{ addresses: [outside ?? "192.0.2.1"], nodeName: "served", conditions: { ready: true } }];
    await controlPlane.client.create(path, { metadata: { name: "s", labels }, addressType: "IPv4", ports, endpoints });
    await eventually("asked at the slice's address", () =>
      failures.some((failure) => failure.includes(`http://${outside ?? "192.0.2.1"}:${exporter.port}`)),
    );
    expect(samples).toEqual([]);
  });
});
