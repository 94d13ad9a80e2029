import type { ScenarioWorkload } from "./schema.ts";

/** Images of a pod's init containers and containers, in the order in which the kubelet asks for them. */
export function imagesOf({ initContainers, images }: ScenarioWorkload): readonly string[] {
  return [...initContainers.map(({ image }) => image), ...images];
}
