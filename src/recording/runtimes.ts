/** What nodes run containers with, and what that says of the sizes that they list. */
import type { RecordedNode } from "./recording.ts";

/** Without its version, such as `containerd`; "" where it is not told. */
export const runtimeOf = ({ runtime }: RecordedNode): string => runtime.split("://", 1)[0] ?? "";

/** What kubelets list of images. */
export type ListedSizes = "compressed" | "unpacked";

/**
 * CRI-O tells kubelets the unpacked sizes of images, and containerd the compressed ones. Source: getSize of
 * storageImageSource in containers/image.
 */
export const listedSizes = (runtimes: readonly string[]): ListedSizes =>
  runtimes.includes("cri-o") ? "unpacked" : "compressed";
