/** Keeps of a round what `paceline replay` reads: audit log, nodes, pods and Events, and what none of them tells. */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { setTimeout as delay } from "node:timers/promises";
import type { Round } from "./rounds.ts";
import { COMPRESSIBILITY, NODE_CPUS, type Setting } from "./settings.ts";

/** Kubelets list new images with their next status, every 10 s. */
const LISTED_MS = 12_000;

/** Folder of a round's recording, and its class file beside it. */
export const recordingOf = (out: string, { setting, strategy, round }: Round) => {
  const folder = join(out, "recordings", `${setting.name}-${strategy}-${String(round)}`);
  return { folder, classFile: `${folder}.class.yaml` };
};

export async function keepRecording(cp: ControlPlane, out: string, round: Round): Promise<void> {
  const { folder, classFile } = recordingOf(out, round);
  mkdirSync(folder, { recursive: true });
  await delay(LISTED_MS);
  for (const kind of ["nodes", "pods", "events"]) {
    const list = await cp.client.get(`/api/v1/${kind}`);
    writeFileSync(join(folder, `${kind}.json`), JSON.stringify(list, undefined, 2));
  }
  copyFileSync(cp.auditLogPath, join(folder, "audit.log"));
  writeFileSync(classFile, classOf(round.setting));
}

/** What an operator knows of such a node: its disk and memory (a cgroup's here), the kubelet's time-out, containerd. */
export function classOf(setting: Setting): string {
  const { diskMibPerSecond, iops, memoryGib, runtimeRequestTimeoutSeconds, images } = setting;
  return stringify({
    nodes: { default: { disk: { mibPerSecond: diskMibPerSecond, iops }, cpu: NODE_CPUS, memoryGib } },
    kubelet: { runtimeRequestTimeoutSeconds },
    runtime: { flushes: "files" }, // Debian's containerd 1.6
    images: { layers: images[0]?.layers, compressedRatio: Number((1 / COMPRESSIBILITY).toFixed(3)) },
  });
}
