/** What a kubelet 1.36 writes while a pod starts, and what decisions see of it. */
import { describe, expect, it } from "vitest";
import { imageName } from "../../../../src/core/ids.ts";
import { podProgress } from "../../../../src/kube/parse/pod-status.ts";

const AT = "2026-01-01T00:00:10Z";
const AT_MS = Date.parse(AT);

const spec = {
  initContainers: [
    { name: "proxy", image: "mesh", restartPolicy: "Always" },
    { name: "migrate", image: "tools" },
  ],
  containers: [{ name: "app", image: "web" }],
};

const sandbox = (status: string) => ({ type: "PodReadyToStartContainers", status, lastTransitionTime: AT });
const waiting = (name: string, reason: string) => ({ name, started: false, state: { waiting: { reason } } });
const running = (name: string, started: boolean) => ({ name, started, state: { running: { startedAt: AT } } });
const ended = (name: string, exitCode: number) => ({ name, state: { terminated: { exitCode, finishedAt: AT } } });

const startupOf = (status: Readonly<Record<string, unknown>>) => podProgress(spec, status).startup;
const states = (status: Readonly<Record<string, unknown>>) =>
  startupOf(status)?.containers.map(({ role, image, state }) => ({ role, image, ...state }));

describe("podStartup", () => {
  it("knows nothing before the kubelet's first word", () => {
    expect(startupOf({ phase: "Pending", conditions: [{ type: "PodScheduled", status: "True" }] })).toBeUndefined();
  });

  it("sees a pod that waits for its volumes or its network", () => {
    const status = {
      conditions: [sandbox("False")],
      initContainerStatuses: [waiting("proxy", "PodInitializing"), waiting("migrate", "PodInitializing")],
      containerStatuses: [waiting("app", "PodInitializing")],
    };
    expect(startupOf(status)).toMatchObject({ sandboxReady: false, sandboxSinceMs: AT_MS });
    expect(states(status)).toEqual([
      { role: "sidecar", image: imageName("mesh"), kind: "waiting", reason: "PodInitializing" },
      { role: "init", image: imageName("tools"), kind: "waiting", reason: "PodInitializing" },
      { role: "app", image: imageName("web"), kind: "waiting", reason: "PodInitializing" },
    ]);
  });

  it("sees a sidecar that is up, an init container that runs, and the app that waits for both", () => {
    const status = {
      conditions: [sandbox("True")],
      initContainerStatuses: [running("proxy", true), running("migrate", true)],
      containerStatuses: [waiting("app", "PodInitializing")],
    };
    expect(startupOf(status)?.sandboxReady).toBe(true);
    expect(states(status)).toEqual([
      { role: "sidecar", image: imageName("mesh"), kind: "started", sinceMs: AT_MS },
      { role: "init", image: imageName("tools"), kind: "started", sinceMs: AT_MS },
      { role: "app", image: imageName("web"), kind: "waiting", reason: "PodInitializing" },
    ]);
  });

  it("sees an app that runs until its startup probe passes, after its init containers", () => {
    const status = {
      initContainerStatuses: [running("proxy", true), ended("migrate", 0)],
      containerStatuses: [running("app", false)],
    };
    expect(startupOf(status)).toMatchObject({ sandboxReady: undefined, sandboxSinceMs: undefined });
    expect(states(status)).toEqual([
      { role: "sidecar", image: imageName("mesh"), kind: "started", sinceMs: AT_MS },
      { role: "init", image: imageName("tools"), kind: "terminated", atMs: AT_MS, exitCode: 0 },
      { role: "app", image: imageName("web"), kind: "running", sinceMs: AT_MS },
    ]);
  });

  it("takes a container without a status for one that waits, without a reason", () => {
    expect(states({ conditions: [sandbox("True")] })?.map(({ kind }) => kind)).toEqual([
      "waiting",
      "waiting",
      "waiting",
    ]);
  });

  it("costs no memory for pods that have started or ended", () => {
    expect(startupOf({ phase: "Running", containerStatuses: [running("app", true)] })).toBeUndefined();
    expect(startupOf({ phase: "Failed", containerStatuses: [ended("app", 1)] })).toBeUndefined();
  });
});
