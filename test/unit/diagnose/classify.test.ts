import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { classify } from "../../../src/diagnose/classify/classify.ts";
import { fingerprints } from "../../../src/diagnose/classify/fingerprints.ts";
import { diagnosed } from "./inputs.ts";
import { failuresOfAllKinds, wrappings } from "./wrappings.ts";

describe("one classifier for every source", () => {
  it("each kind of failure gets the same fingerprint, whoever tells of it", () => {
    const kind = fc.constantFrom(...failuresOfAllKinds);
    const wrapping = fc.constantFrom(...Object.keys(wrappings));
    fc.assert(
      fc.property(kind, wrapping, (failure, name) => {
        const { failures } = diagnosed(wrappings[name]?.(failure) ?? "");
        const found = fingerprints.filter((key) => failures.byFingerprint[key] > 0);
        expect([name, failure.message, ...found]).toEqual([name, failure.message, failure.fingerprint]);
      }),
      { numRuns: 1_500 },
    );
  });

  it("a wrong manifest is told by the end of a message, however long the message is", () => {
    const padding = "x".repeat(5_000);
    const message = `failed to create shim task: OCI runtime create failed: ${padding}: exec: "serve": executable file not found in $PATH: unknown`;
    expect(classify({ reason: "StartError", message })).toEqual({
      fingerprint: "OtherStartError",
      misconfigured: true,
    });
    const pods = ["a", "b", "c"].map((name) => ({
      kind: "Event",
      apiVersion: "v1",
      type: "Warning",
      reason: "Failed",
      message: `Error: ${message}`,
      involvedObject: { kind: "Pod", namespace: "shop", name },
      firstTimestamp: "2026-11-24T08:08:17Z",
    }));
    const { verdict } = diagnosed(pods.map((one) => JSON.stringify(one)).join("\n"));
    expect(verdict).toMatchObject({ outcome: "clear", found: false });
    expect(verdict.evidence.join(" ")).toMatch(/3 StartErrors that the image or the manifest explains/);
  });

  it.each([
    ["CrashLoopBackOff", "back-off 5m0s restarting failed container=web pod=web-0_shop"],
    ["Unhealthy", "Readiness probe failed: context deadline exceeded (Client.Timeout exceeded while awaiting headers)"],
    ["FailedKillPod", `error killing pod: failed to "KillPodSandbox" for "u": context deadline exceeded`],
    ["ContainerCreating", ""],
    ["Pulling", `Pulling image "r/app:1"`],
  ])("%s is no failed start", (reason, message) => {
    expect(classify({ reason, message })).toBeUndefined();
  });
});
