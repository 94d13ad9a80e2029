import { describe, expect, test } from "vitest";
import { MIB } from "../../../../src/simulate/model/constants.ts";
import { CREATE_CANCELED, STATE_TIMED_OUT } from "../../../../src/simulate/model/messages.ts";
import type { ImageSpec } from "../../../../src/simulate/model/types.ts";
import { failuresOf, plainNode, podOf, run } from "./one-node.ts";

/** 400 MiB unpacked, 200 MiB compressed, one layer. */
const one: ImageSpec = { name: "one", mib: 400, layers: 1, compressedRatio: 0.5 };

describe("cases calculated by hand", () => {
  test("one pod, one image: download 1 s, sync of the rest 1 s, unpack 1 s, flush of 300 MiB 3 s", () => {
    const node = plainNode({ images: [one] });
    node.addPod(podOf("a", "one"), 0);
    // 200 MiB at 200 MiB/s while the disk writes 100: 100 MiB are left for the sync; then 400 MiB at 400 MiB/s, less
    // 100.
    expect(run(node).readySeconds("a")).toBe(6);
    expect(node.counters(6_000).disk.writtenBytes).toBeCloseTo(600 * MIB, 0);
  });

  test("an image of two layers: the second one's unmount flushes, and the pod's own flush finds nothing", () => {
    const node = plainNode({ images: [{ ...one, layers: 2, mib: 400 }] });
    node.addPod(podOf("a", "one"), 0);
    // Both blobs at 100 MiB/s each: 1 s; sync of 100 MiB: 1 s; 200 MiB + 200 MiB unpacked in 1 s; flush of 300 MiB: 3
    // s.
    expect(run(node).readySeconds("a")).toBe(6);
  });

  test("many layers keep the page cache small, since each layer's unmount flushes; one big layer fills it", () => {
    const peakMib = (layers: number) => {
      const node = plainNode({ images: [{ name: "i", mib: 1_000, layers, compressedRatio: 0.1 }] });
      node.addPod(podOf("a", "i"), 0);
      let peak = 0;
      for (let next = node.nextEventMs(); next !== undefined; next = node.nextEventMs()) {
        node.advanceTo(next);
        const { dirtyBytes, writebackBytes } = node.counters(next).memory;
        peak = Math.max(peak, (dirtyBytes + writebackBytes) / MIB);
      }
      return peak;
    };
    expect(peakMib(1)).toBeCloseTo(750, 0);
    expect(peakMib(10)).toBeLessThan(200);
  });

  test("two pods that share an image pull it once and are ready together", () => {
    const node = plainNode({ images: [one] });
    node.addPod(podOf("a", "one"), 0);
    node.addPod(podOf("b", "one"), 500);
    const result = run(node);
    expect(result.readySeconds("a")).toBe(6);
    expect(result.readySeconds("b")).toBe(6);
    expect(node.counters(6_000).disk.writtenBytes).toBeCloseTo(600 * MIB, 0);
    expect(result.events.filter((event) => event.kind === "images")).toHaveLength(1);
  });

  test("a pod whose image is present waits for all dirty pages in CreateContainer", () => {
    const node = plainNode({
      images: [one],
      present: ["here"],
      registryMibPerSecond: 10_000,
      assumptions: fastRegistry,
    });
    node.addPod(podOf("big", "one"), 0);
    node.addPod(podOf("small", "here"), 100);
    const result = run(node);
    // 200 MiB are dirty after 20 ms and sync in 2 s. A flush at 0.1 s waits for that pass, because nothing else is
    // dirty by then.
    expect(result.readySeconds("small")).toBeCloseTo(2, 1);
  });

  test("a flush writes what is dirty when it begins; a flush during a pass waits for the next pass", () => {
    const node = plainNode({ present: ["here"], assumptions: { createWriteMib: 100 } });
    node.addPod(podOf("a", "here"), 0);
    node.addPod(podOf("b", "here"), 500);
    const result = run(node);
    expect(result.readySeconds("a")).toBe(1);
    expect(result.readySeconds("b")).toBe(2);
  });

  test("on an idle node with the image, sandbox, create and start take their configured times", () => {
    const node = plainNode({
      present: ["here"],
      assumptions: {
        sandboxCpuSeconds: 0.3,
        sandboxSyncOps: 100,
        createCpuSeconds: 0.05,
        startCpuSeconds: 0.1,
        noticeMs: 500,
      },
    });
    node.addPod(podOf("a", "here", { startCpuSeconds: 2, readySeconds: 3 }), 0);
    // 0.3 + 100 × 1 ms + 0.05 + 0.1, then 2 s of work and 3 s until ready.
    expect(run(node).readySeconds("a")).toBe(5.55);
  });

  test("eight pods of 1 core-second each on 4 cores take 2 s", () => {
    const node = plainNode({ present: ["here"], cores: 4 });
    for (let at = 0; at < 8; at += 1) node.addPod(podOf(`p${at}`, "here", { startCpuSeconds: 1 }), 0);
    expect(run(node).readySeconds("p7")).toBe(2);
  });

  test("IOPS limit the device if they allow less than its throughput", () => {
    const node = plainNode({ images: [one], disk: { mibPerSecond: 100, iops: 400 } });
    node.addPod(podOf("a", "one"), 0);
    // 400 × 128 KiB = 50 MiB/s: 1 s + 150 MiB sync 3 s + 1 s + 350 MiB flush 7 s.
    expect(run(node).readySeconds("a")).toBe(12);
  });
});

const fastRegistry = { downloadMibPerSecond: 10_000 };

describe("the kubelet's pulls", () => {
  const images = ["x", "y", "z"].map((name) => ({ ...one, name }));

  test("serialized pulls run one by one, parallel pulls share, and pulls beyond the maximum wait", () => {
    const lastReady = (kubelet: object) => {
      const node = plainNode({ images, kubelet });
      for (const { name } of images) node.addPod(podOf(name, name), 0);
      const result = run(node);
      const pulling = (name: string) => result.messages(name).findIndex((message) => message.startsWith("Pulled"));
      return { first: result.readySeconds("x") ?? 0, last: result.readySeconds("z") ?? 0, pulled: pulling("z") };
    };
    const serial = lastReady({ serializeImagePulls: true });
    const parallel = lastReady({ serializeImagePulls: false });
    const two = lastReady({ serializeImagePulls: false, maxParallelImagePulls: 2 });
    expect(serial.first).toBeLessThan(two.first);
    expect(two.first).toBeLessThan(parallel.first);
    expect(parallel.last).toBeGreaterThanOrEqual(18); // 1,800 MiB at 100 MiB/s
    expect(serial.last).toBeGreaterThanOrEqual(18);
  });

  test("a pull without a token fails, backs off, and is tried again by a later sync", () => {
    const node = plainNode({ images, kubelet: { registryPullQPS: 0.1, registryBurst: 1 } });
    node.addPod(podOf("x", "x"), 0);
    node.addPod(podOf("y", "y"), 0);
    const result = run(node);
    expect(failuresOf(result.events, "PullQpsExceeded")).toBe(1);
    expect(result.messages("y").slice(0, 4)).toEqual([
      'Pulling: Pulling image "y"',
      'Failed: Failed to pull image "y": pull QPS exceeded',
      "Failed: Error: ErrImagePull",
      'Pulling: Pulling image "y"',
    ]);
    const states = result.events.flatMap((event) =>
      event.kind === "status" && event.uid === "uid-y" ? [event.status.containers[0]?.state] : [],
    );
    expect(states).toContainEqual({ kind: "waiting", reason: "ErrImagePull", message: "pull QPS exceeded" });
    // Again after 10 s + half of the jitter's 5 s.
    const again = result.events.filter((event) => event.kind === "event" && event.uid === "uid-y")[3];
    expect(again?.atMs).toBe(12_500);
  });

  test("the back-off of a pull that fails twice is reported as ImagePullBackOff", () => {
    const node = plainNode({ images, kubelet: { registryPullQPS: 0.001, registryBurst: 1 } });
    node.addPod(podOf("x", "x"), 0);
    node.addPod(podOf("y", "y"), 0);
    const result = run(node, 60);
    // At 12.5 s it fails again, with a back-off of 20 s. The sync at 25 s falls into it.
    expect(result.messages("y").slice(6, 8)).toEqual([
      'BackOff: Back-off pulling image "y"',
      "Failed: Error: ImagePullBackOff",
    ]);
    expect(result.view("y")?.containers[0]?.state).toMatchObject({
      reason: "ImagePullBackOff",
      message: 'Back-off pulling image "y": ErrImagePull: pull QPS exceeded',
    });
  });

  test("Always asks the registry and takes a token, although the image is present", () => {
    const node = plainNode({ present: ["x"], kubelet: { registryPullQPS: 0.001, registryBurst: 1 } });
    const containers = [{ name: "main", image: "x", pullAlways: true }];
    node.addPod(podOf("a", "x", { containers }), 0);
    node.addPod(podOf("b", "x", { containers }), 0);
    node.addPod(podOf("c", "x"), 0);
    const result = run(node, 5);
    expect(result.readySeconds("a")).toBe(0);
    expect(result.readySeconds("b")).toBeUndefined();
    expect(result.readySeconds("c")).toBe(0);
  });
});

describe("time-outs", () => {
  /** 2,000 MiB are dirty at once and take 20 s: longer than the time-out of 5 s. */
  const owing = () =>
    plainNode({
      images: [{ name: "huge", mib: 20, layers: 1, compressedRatio: 100 }],
      present: ["here"],
      registryMibPerSecond: 1_000_000,
      assumptions: { downloadMibPerSecond: 1_000_000 },
      kubelet: { runtimeRequestTimeoutSeconds: 5 },
    });

  test("CreateContainer past its time-out: deadline, name reserved until the runtime has finished, then a restart", () => {
    const node = owing();
    node.addPod(podOf("big", "huge"), 0);
    node.addPod(podOf("a", "here"), 1_000);
    const result = run(node);
    const failed = result.messages("a").filter((message) => message.startsWith("Failed"));
    expect(failed[0]).toBe("Failed: Error: context deadline exceeded");
    expect(failed[1]).toMatch(
      /^Failed: Error: failed to reserve container name "main_a_default_uid-a_0": name "main_a_default_uid-a_0" is reserved for "[0-9a-f]{64}"$/,
    );
    expect(failuresOf(result.events, "CreateTimeout")).toBe(1);
    expect(failuresOf(result.events, "NameReserved")).toBe(1);
    expect(result.view("a")).toMatchObject({ ready: true, containers: [{ restartCount: 1 }] });
    // Asked at 1 s, failed at 6 s, refused at 18.5 s; the runtime finishes at 20 s; asked again at 31 s.
    expect(result.readySeconds("a")).toBe(31);
  });

  test("a start that a full page cache stalls gives containerd's StartError, then restarts with back-off", () => {
    const node = plainNode({
      memoryBytes: 1_000 * MIB,
      images: [{ name: "huge", mib: 4_000, layers: 1, compressedRatio: 0.01 }],
      present: ["here"],
      assumptions: { shimIoMib: 150 },
    });
    node.addPod(podOf("big", "huge"), 0);
    run(node, 5);
    node.addPod(podOf("a", "here"), 5_000);
    const result = run(node, 60);
    // Both share 100 MiB/s: 150 MiB would take 3 s.
    const first = result.events.find((event) => event.kind === "failure");
    expect(first).toMatchObject({ fingerprint: "StartError" });
    const container = result.view("a")?.containers[0];
    expect(container?.lastTerminated).toMatchObject({
      reason: "StartError",
      exitCode: 128,
      startedAtMs: 0,
      message: STATE_TIMED_OUT,
    });
    expect(container?.restartCount).toBeGreaterThan(0);
    expect(result.messages("a")).toContain(
      "BackOff: Back-off restarting failed container main in pod a_default(uid-a)",
    );
    expect(result.messages("a")).toContain(`Failed: Error: ${STATE_TIMED_OUT}`);
    expect(result.view("a")).toMatchObject({ ready: true });
  });

  test("StartContainer's own time-out cancels the shim", () => {
    const node = plainNode({
      present: ["here"],
      assumptions: { startCpuSeconds: 3 },
      kubelet: { runtimeRequestTimeoutSeconds: 1 },
    });
    node.addPod(podOf("a", "here"), 0);
    const container = run(node, 2).view("a")?.containers[0];
    expect(container?.lastTerminated).toMatchObject({ reason: "StartError", exitCode: 128, message: CREATE_CANCELED });
    expect(container?.state).toMatchObject({ reason: "RunContainerError", message: "context deadline exceeded" });
  });

  test("RunPodSandbox has twice the time; after that the kubelet reports it, and its retries fail until the call has finished", () => {
    const node = plainNode({
      present: ["here"],
      assumptions: { sandboxCpuSeconds: 35 },
      kubelet: { runtimeRequestTimeoutSeconds: 10 },
    });
    node.addPod(podOf("a", "here"), 0);
    const result = run(node, 40);
    expect(failuresOf(result.events, "SandboxTimeout")).toBe(1);
    expect(result.messages("a")[1]).toMatch(
      /^FailedCreatePodSandBox: Failed to create pod sandbox: failed to reserve sandbox name "a_default_uid-a_0": name "a_default_uid-a_0" is reserved for "[0-9a-f]{64}"$/,
    );
    expect(result.messages("a")[0]).toBe(
      "FailedCreatePodSandBox: Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = context deadline exceeded",
    );
  });
});

describe("containers that die", () => {
  test("a crash-looping container restarts at once, then after 10, 20, 40 s, and reports CrashLoopBackOff", () => {
    const node = plainNode({ present: ["here"] });
    node.addPod(podOf("a", "here", { crashAfterSeconds: 5 }), 0);
    const result = run(node, 200);
    const starts = result.events.flatMap((event) =>
      event.kind === "event" && event.reason === "Started" ? [Math.round(event.atMs / 100) / 10] : [],
    );
    // Each restart waits for its back-off from the end on, plus a jitter of up to half of the rest (here a quarter).
    expect(starts.slice(0, 4)).toEqual([0, 6, 23.3, 53]);
    const message = "back-off 10s restarting failed container=main pod=a_default(uid-a)";
    const states = result.events.flatMap((event) =>
      event.kind === "status" ? [event.status.containers[0]?.state] : [],
    );
    expect(states).toContainEqual({ kind: "waiting", reason: "CrashLoopBackOff", message });
    expect(result.view("a")?.containers[0]?.lastTerminated).toMatchObject({ reason: "Error", exitCode: 1 });
  });

  test("a startup probe kills a container that is late because of overload, and not if starts are paced", () => {
    const failures = (pods: number) => {
      const node = plainNode({ present: ["here"], cores: 2 });
      for (let at = 0; at < pods; at += 1) {
        node.addPod(podOf(`p${at}`, "here", { startCpuSeconds: 10, startupDeadlineSeconds: 30 }), 0);
      }
      return failuresOf(run(node, 300).events, "ProbeFailure");
    };
    expect(failures(4)).toBe(0);
    expect(failures(10)).toBeGreaterThan(9);
  });
});

describe("pods with several containers, and removed pods", () => {
  test("containers start one after another; the pod is ready when all are", () => {
    const node = plainNode({ images: [one, { ...one, name: "two" }] });
    const containers = ["one", "two"].map((image) => ({ name: image, image }));
    node.addPod(podOf("a", "one", { containers }), 0);
    const result = run(node);
    const pulls = result.messages("a").filter((message) => message.startsWith("Pulling"));
    expect(pulls).toEqual(['Pulling: Pulling image "one"', 'Pulling: Pulling image "two"']);
    expect(result.readySeconds("a")).toBe(12);
    expect(result.view("a")?.containers.map((container) => container.started)).toEqual([true, true]);
  });

  test("a removed pod gives up its pull; another pod's pull of the same image continues", () => {
    const node = plainNode({ images: [one] });
    node.addPod(podOf("a", "one"), 0);
    node.addPod(podOf("b", "one"), 0);
    node.removePod("uid-a", 500);
    const result = run(node);
    expect(result.readySeconds("a")).toBeUndefined();
    expect(result.readySeconds("b")).toBe(6);
    const lonely = plainNode({ images: [one] });
    lonely.addPod(podOf("c", "one"), 0);
    lonely.removePod("uid-c", 500);
    run(lonely);
    expect(lonely.counters(10_000).disk.writtenBytes).toBeCloseTo(100 * MIB, 0);
    expect(lonely.images()).toEqual([]);
    expect(lonely.podCount).toBe(0);
  });

  test("a Ready pod stays on its node until it is removed, and adding it again changes nothing", () => {
    const node = plainNode({ present: ["here"] });
    node.addPod(podOf("a", "here"), 0);
    expect(run(node).view("a")).toMatchObject({ ready: true });
    node.addPod(podOf("a", "here"), 10_000);
    expect(run(node).events).toEqual([]);
    expect(node.podCount).toBe(1);
    node.removePod("uid-a", 20_000);
    expect(node.podCount).toBe(0);
    node.addPod(podOf("a", "here"), 30_000);
    expect(run(node).view("a")).toMatchObject({ ready: true });
  });

  test("images are listed largest first, compressed, fifty at most", () => {
    const images = Array.from({ length: 60 }, (_, at) => ({
      name: `i${at}`,
      mib: at + 1,
      layers: 1,
      compressedRatio: 0.5,
    }));
    const node = plainNode({ images, present: images.map((image) => image.name) });
    expect(node.images()).toHaveLength(50);
    expect(node.images()[0]).toEqual({ name: "i59", sizeBytes: 30 * MIB });
  });

  test("reading counters, and asking twice for the same pod, changes nothing", () => {
    const node = plainNode({ images: [one] });
    node.addPod(podOf("a", "one"), 0);
    node.addPod(podOf("a", "one"), 0);
    const before = node.nextEventMs();
    node.counters(3);
    expect(node.nextEventMs()).toBe(before);
    expect(run(node).readySeconds("a")).toBe(6);
  });
});
