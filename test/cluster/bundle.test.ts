/** `serve` from the bundle, which npm package and image hold, on a real control plane. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundleModules } from "../../dev/bundle/bundle.ts";
import { type ControlPlane, startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { installAccess, installWebhooks } from "../../dev/install.ts";
import { startServiceProcess } from "../../dev/service.ts";
import { GATE } from "../../src/api/names.ts";
import { createBareNode, eventually } from "../support/control-plane.ts";
import { createNamespace, fixedPolicy, lightPod, listPods, podsPath } from "../support/herd.ts";

let folder: string;
let plane: ControlPlane;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "paceline-bundle-")); // where nothing of the checkout is in reach
  await bundleModules(folder);
  plane = await startControlPlane({ scheduler: false, controllerManager: false });
});
afterAll(async () => {
  await plane.stop();
  await rm(folder, { recursive: true, force: true });
});

test("the bundle gets ready, gates a pod that waits for a young node, and ends at SIGTERM", async () => {
  const { client } = plane;
  await installAccess(client, fixedPolicy(1, { fence: { enabled: false } }));
  await createBareNode(client, "young-1");
  await createNamespace(client, "herd");
  const service = await startServiceProcess(plane, { main: join(folder, "main.mjs") });
  await installWebhooks(client, { url: service.url, caBundle: plane.caCert, levers: ["gate"] });
  await eventually("the service knows a leader", async () =>
    /^paceline_leader_alive 1$/m.test((await service.get("/metrics")).text),
  );
  const spec = { nodeSelector: { "kubernetes.io/hostname": "young-1" } };
  await eventually("a gated pod", async () => {
    const name = `pod-${(await listPods(client, "herd")).length}`; // until the API server calls the new webhook
    await client.create(podsPath("herd"), lightPod(name, { spec }));
    return (await listPods(client, "herd")).some(({ gates }) => gates.includes(GATE));
  });
  service.process.signal("SIGTERM");
  expect(await service.process.exited).toBe("exit code 0");
  await service.stop();
});
