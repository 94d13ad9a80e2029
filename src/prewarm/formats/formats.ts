/** The formats by the names that `--format` takes, besides `table` and `json`. */
import { bottlerocket } from "./bottlerocket.ts";
import { gkeSecondaryDisk } from "./gke-secondary-disk.ts";
import { packer } from "./packer.ts";
import type { Format } from "./prewarm-list.ts";
import { kruise, kubeFledged } from "./pull-jobs.ts";
import { al2UserData, nodeadm } from "./user-data.ts";

export const formats = {
  nodeadm,
  "al2-userdata": al2UserData,
  bottlerocket,
  packer,
  kruise,
  "kube-fledged": kubeFledged,
  "gke-secondary-disk": gkeSecondaryDisk,
} as const satisfies Readonly<Record<string, Format>>;

export type FormatName = keyof typeof formats;

/** These leave the pulls to a controller. All others are for nodes whose runtime is containerd. */
export const forAnyRuntime: ReadonlySet<FormatName> = new Set(["kruise", "kube-fledged"]);
