import { expect, it } from "vitest";
import { prometheusSettings, telemetryOf } from "../../../src/cli/replay-prometheus.ts";
import { parsePolicy } from "../../../src/policy/parse.ts";
import type { Herd } from "../../../src/recording/herd.ts";

const policyWith = (telemetry: object) => {
  const head = { apiVersion: "paceline.dev/v1alpha1", kind: "PacingPolicy" };
  const parsed = parsePolicy(JSON.stringify({ ...head, telemetry }));
  if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
  return parsed.policy;
};

it("asks as the policy's own Prometheus is asked, at the address of the flag", () => {
  const telemetry = { source: "prometheus", url: "https://a:9090", nodeLabel: "node", bearerTokenFile: "/run/token" };
  const url = "https://b:9090";
  expect(prometheusSettings(url, policyWith(telemetry))).toMatchObject({ ...telemetry, url });
  expect(prometheusSettings(url, policyWith({ source: "none" }))).toMatchObject({ url, nodeLabel: "instance" });
});

it("refuses an address with a password, without repeating it, and one that is none", () => {
  expect(() => prometheusSettings("http://me:hunter2@b:9090", undefined)).toThrow(/basicAuth or bearerTokenFile/);
  expect(() => prometheusSettings("http://me:hunter2@b:9090", undefined)).not.toThrow(/hunter2/);
  expect(() => prometheusSettings("b:9090", undefined)).toThrow(/--prometheus b:9090: .*not an http or https URL/);
});

it("a Prometheus that is not there is named, with what to check", async () => {
  const node = {
    ...{ name: "a", address: "10.0.0.1", openedMs: 0, instanceType: "", labels: {}, capacity: undefined },
    ...{ allocatable: undefined, runtime: "", createdMs: undefined, images: new Map(), presentAtOpen: undefined },
  };
  const herd: Herd = {
    ...{ startMs: 0, endMs: 60_000, nodes: [node], settled: [], pods: [] },
    leftOut: { notReady: 0, noObject: 0, done: 0, ended: 0 },
  };
  const asked = telemetryOf([herd], prometheusSettings("http://127.0.0.1:9", undefined));
  await expect(asked).rejects.toThrow(
    /http:\/\/127\.0\.0\.1:9\/api\/v1\/query_range cannot be read: .*; check --prometheus/,
  );
});
