/**
 * The same herd for `paceline simulate` (docs/simulate.md): what the model predicts is compared with what was measured.
 */
import { stringify } from "yaml";
import { COMPRESSIBILITY, IMAGES, NODE_CPUS, nodeClassOf, type Setting } from "./settings.ts";

const name = (index: number) => `app-${String(index).padStart(2, "0")}`;
const MB_PER_MIB = 1_048_576 / 1e6;

/** A scenario file, YAML. The layer of a few hundred kB that all images share is left out. */
export function scenarioOf(setting: Setting): string {
  const images = Array.from({ length: IMAGES }, (_, index) => name(index));
  return stringify(
    {
      description: `The herd of npm run bench:real-node, setting ${setting.name} (docs/real-node.md).`,
      nodes: [
        { joinSeconds: -86_400, pods: 0, present: images },
        {
          disk: { mibPerSecond: setting.diskMibPerSecond, iops: setting.iops },
          cpu: NODE_CPUS,
          memoryGib: setting.memoryGib,
        },
      ],
      images: setting.images.map(({ megabytes, layers }, index) => ({
        name: name(index),
        mib: Number((megabytes / MB_PER_MIB).toFixed(2)),
        layers,
        compressedRatio: Number((1 / COMPRESSIBILITY).toFixed(3)),
      })),
      workloads: ["a", "b"].flatMap((half) => images.map((image) => ({ name: `${image}-${half}`, images: [image] }))),
      // Debian's containerd 1.6.
      runtime: { flushes: "files" },
      kubelet: { runtimeRequestTimeoutSeconds: setting.runtimeRequestTimeoutSeconds },
      policy: { nodeClasses: [nodeClassOf(setting)] },
    },
    { lineWidth: 120, collectionStyle: "any" },
  );
}
