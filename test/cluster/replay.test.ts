/** `paceline replay` on what a real API server logs and lists of a small herd on modelled nodes. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ControlPlane, startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { record } from "../../dev/demo/record.ts";
import { observe, type PodRecord } from "../../dev/demo/observer.ts";
import { startModelledNodes } from "../../dev/modelled-node/modelled-node.ts";
import { herdsOf } from "../../src/recording/herd.ts";
import { liveInput } from "../../src/recording/live.ts";
import { noMachines } from "../../src/recording/machines.ts";
import { readRecording } from "../../src/recording/read-recording.ts";
import { replayHerd } from "../../src/replay/replay.ts";
import { GIB } from "../../src/simulate/model/constants.ts";

const IMAGES = Array.from({ length: 8 }, (_, at) => ({ name: `registry.example/app-${at}:1`, mib: 120, layers: 2 }));
const REPLICAS = 3;
const NAMESPACE = "shop";

let plane: ControlPlane;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-replay-"));
  plane = await startControlPlane();
});
afterAll(async () => {
  await plane.stop();
  await rm(folder, { recursive: true, force: true });
});

async function createWaiting(): Promise<void> {
  await plane.client.create("/api/v1/namespaces", { metadata: { name: NAMESPACE } });
  for (const [at, { name: image }] of IMAGES.entries()) {
    const labels = { app: `app-${at}` };
    const containers = [{ name: "main", image, imagePullPolicy: "IfNotPresent" }];
    const template = { metadata: { labels }, spec: { containers } };
    await plane.client.create(`/apis/apps/v1/namespaces/${NAMESPACE}/deployments`, {
      ...{ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: `app-${at}` } },
      spec: { replicas: REPLICAS, selector: { matchLabels: labels }, template },
    });
  }
}

test("audit log and node dump give every pod and all that the model needs; so does the live cluster", async () => {
  const observer = observe(plane.client, NAMESPACE);
  const isTried = (pod: PodRecord) => pod.tried;
  await createWaiting();
  await expect.poll(() => [...observer.pods.values()].filter(isTried).length, { timeout: 60_000 }).toBe(24);
  const shape = { client: plane.client, images: IMAGES, kubelet: { serializeImagePulls: false } };
  await using nodes = await startModelledNodes(
    ["young-1", "young-2"].map((name, seed) => ({
      name,
      seed,
      joinSeconds: 1,
      cores: 4,
      memoryBytes: 4 * GIB,
      ...shape,
    })),
  );
  await nodes.ready;
  await observer.allReady(() => IMAGES.length * REPLICAS, AbortSignal.timeout(120_000));
  observer.stop();
  await record(
    plane,
    folder,
    IMAGES.map(({ name }) => name),
  );

  const files = ["audit.log", "nodes.json"].map((name) => join(folder, name));
  for (const inputs of [files, [liveInput(plane.client)]]) {
    const { recording } = await readRecording(inputs, { nowMs: Date.now() });
    const [herd, ...more] = herdsOf(recording);
    expect(more).toEqual([]);
    if (herd === undefined) throw new Error("no herd");
    expect(herd.pods).toHaveLength(IMAGES.length * REPLICAS);
    const { model, check } = await replayHerd(herd, recording, { machines: noMachines, seeds: [1] });
    // How near the model comes depends on the machine's speed: here it matters that nothing was missing for it.
    expect(model?.pods).toBe(IMAGES.length * REPLICAS);
    expect(model?.notReady).toBe(0);
    expect(check).toBeDefined();
  }
});
