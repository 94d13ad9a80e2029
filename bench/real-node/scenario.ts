/** The same herd for `paceline simulate` (docs/simulate.md): what the model predicts is compared with what was measured. */
import { stringify } from "yaml";
import { COMPRESSIBILITY, IMAGES, NODE_CPUS, NODE_GIB, nodeClassOf, type Setting } from "./settings.ts";

const name = (index: number) => `app-${String(index).padStart(2, "0")}`;
const MB_PER_MIB = 1_048_576 / 1e6;

/**
 * A scenario file, YAML. containerd 1.6 unpacks every layer without mounting it, so that nothing is flushed between layers:
 * in the model, whose layers are flushed one by one, that is one layer.
 */
export function scenarioOf(setting: Setting): string {
  const images = Array.from({ length: IMAGES }, (_, index) => name(index));
  return stringify(
    {
      description: `The herd of npm run bench:real-node, setting ${setting.name} (docs/real-node.md).`,
      nodes: [
        { joinSeconds: -86_400, pods: 0, present: images },
        { disk: { mibPerSecond: setting.diskMibPerSecond, iops: setting.iops }, cpu: NODE_CPUS, memoryGib: NODE_GIB },
      ],
      images: setting.images.map(({ megabytes }, index) => ({
        name: name(index),
        mib: Number((megabytes / MB_PER_MIB).toFixed(2)),
        layers: 1,
        compressedRatio: Number((1 / COMPRESSIBILITY).toFixed(3)),
      })),
      workloads: ["a", "b"].flatMap((half) => images.map((image) => ({ name: `${image}-${half}`, images: [image] }))),
      kubelet: { runtimeRequestTimeoutSeconds: setting.runtimeRequestTimeoutSeconds },
      policy: { nodeClasses: [nodeClassOf(setting)] },
    },
    { lineWidth: 120, collectionStyle: "any" },
  );
}
