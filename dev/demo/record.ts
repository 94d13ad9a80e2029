/** Writes what `paceline replay` reads of a run: the audit log, and the nodes as kubectl prints them. */
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ControlPlane } from "../control-plane/control-plane.ts";
import { recordsOf, recordOf, textsOf } from "../../src/kube/parse/kube-json.ts";

/** Kubelets list new images with their next status, every 10 s. */
const LISTED_MS = 20_000;
const LOOK_MS = 500;

/** @param images that the nodes will list once they have told their last ones */
export async function record(cp: ControlPlane, folder: string, images: readonly string[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  let nodes = await cp.client.get("/api/v1/nodes");
  for (let waitedMs = 0; waitedMs < LISTED_MS && !listsAll(nodes, images); waitedMs += LOOK_MS) {
    await delay(LOOK_MS);
    nodes = await cp.client.get("/api/v1/nodes");
  }
  await writeFile(join(folder, "nodes.json"), JSON.stringify(nodes, undefined, 2));
  await copyFile(cp.auditLogPath, join(folder, "audit.log"));
}

function listsAll(nodes: Readonly<Record<string, unknown>>, images: readonly string[]): boolean {
  const listed = recordsOf(nodes["items"]).flatMap((node) => recordsOf(recordOf(node["status"])["images"]));
  const names = new Set(listed.flatMap((image) => textsOf(image["names"])));
  return images.every((image) => names.has(image));
}
