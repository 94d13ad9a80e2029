/** What a Prometheus recorded of the young nodes, for the reports. */
import type { HerdReplay } from "../replay.ts";

/** Nodes that are named in a sentence; --json has all. */
const MOST_NAMED = 5;

/** The young nodes' disks, recorded and in the model, the head first; undefined where there is nothing. */
export function diskTable({ telemetry, model }: HerdReplay): readonly (readonly string[])[] | undefined {
  if (telemetry === undefined || telemetry.samples === 0) return undefined;
  const share = (value: number | undefined) => (value === undefined ? "unknown" : `${(value * 100).toFixed(0)} %`);
  const plain = (value: number | undefined) => (value === undefined ? "unknown" : value.toFixed(1));
  const { awaitP95Ms, utilisationMean, ioPressureMean, loadPerCoreMean } = telemetry.recorded;
  return [
    ["disks while the nodes were young", "await p95, ms", "busy", "waits for I/O", "load per core"],
    ["recorded", plain(awaitP95Ms), share(utilisationMean), share(ioPressureMean), plain(loadPerCoreMean)],
    ...(model?.young
      ? [["model, nothing held", plain(model.young.awaitP95Ms), share(model.young.utilisationMean), "–", "–"]]
      : []),
  ];
}

/** What Prometheus could not tell; one sentence each. */
export function diskCaveats({ telemetry, herd, built }: HerdReplay): readonly string[] {
  if (telemetry === undefined) return [];
  const { unknownNodes, disks, samples } = telemetry;
  const named = unknownNodes.slice(0, MOST_NAMED).join(", ");
  const more = unknownNodes.length > MOST_NAMED ? ` and ${unknownNodes.length - MOST_NAMED} more` : "";
  const types = [...new Set(herd.nodes.map(({ instanceType }) => instanceType))];
  const unseen = types.filter((type) => !disks.has(type) && built.origins.disks.get(type)?.from !== "given");
  const words = unseen.map((type) => type || "unknown type").join(", ");
  return [
    ...(unknownNodes.length > 0
      ? [
          `Prometheus has nothing of these young nodes: ${named}${more}. Its label instance or node must be their name or InternalIP (another label: telemetry.nodeLabel in --policy).`,
        ]
      : []),
    ...(samples > 0 && unseen.length > 0
      ? [`Prometheus does not show a disk of ${words} saturated twice, so what it can do is not measured.`]
      : []),
  ];
}
