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

  const refused = "failed to create containerd task: failed to create shim task: OCI runtime create failed: ";

  it.each([
    "hcs::System::CreateProcess abc: The system cannot find the file specified.: unknown",
    "hcs::CreateComputeSystem abc: The container operating system does not match the host operating system.",
    'Others("failed to handle message start container\n\nCaused by:\n 0: No such file or directory")',
    "exec: the file sleep was not found",
    "runc create failed: unable to start container process: getting the final child's pid from pipe caused: EOF",
    "runc create failed: unable to start container process: can't get final child's PID from pipe: EOF",
    "runc create failed: unable to start container process: waiting for init preliminary setup: EOF",
  ])("the image or the manifest explains: %s", (message) => {
    const expected = { fingerprint: "OtherStartError", misconfigured: true };
    expect(classify({ reason: "StartError", message: refused + message })).toEqual(expected);
    expect(classify({ reason: "Failed", message: `Error: ${refused}${message}` })).toEqual(expected);
  });

  it.each([
    "unable to retrieve OCI runtime error (open /run/containerd/x/log.json: no such file or directory): fork/exec /usr/bin/nvidia-container-runtime: no such file or directory",
    "runc create failed: bpf_prog_query(BPF_CGROUP_DEVICE) failed: function not implemented",
    "cgroups: cgroup mountpoint does not exist",
    "failed to mount rootfs component: no such device",
    'error mounting "cgroup" to rootfs at "/sys/fs/cgroup": too many open files',
    "write /proc/self/attr/keycreate: invalid argument",
    "unable to apply cgroup configuration: mkdir /sys/fs/cgroup/memory/kubepods/x: cannot allocate memory",
    "namespace path: lstat /proc/4242/ns/ipc: no such file or directory",
  ])("the node's setup explains, not its load: %s", (message) => {
    const told = { misconfigured: false };
    expect(classify({ reason: "StartError", message: refused + message })).toEqual({
      ...told,
      fingerprint: "Unrelated",
    });
    expect(
      classify({ reason: "FailedCreatePodSandBox", message: `Failed to create pod sandbox: ${refused}${message}` }),
    ).toEqual({ ...told, fingerprint: "OtherSandboxError" });
  });

  it("a deadline outweighs what else the message names", () => {
    const message = `${refused}error mounting "cgroup": too many open files: context deadline exceeded`;
    expect(classify({ reason: "StartError", message })).toEqual({
      fingerprint: "OtherStartError",
      misconfigured: false,
    });
  });
});
