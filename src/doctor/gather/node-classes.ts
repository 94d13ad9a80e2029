/** Gathers Karpenter's EC2NodeClasses: whether they pull an image's layers in parallel, and to which disks. */
import type { KubeObject } from "../../kube/parse/kube-json.ts";
import { recordOf, recordsOf, textOf } from "../../kube/parse/kube-json.ts";
import type { NodeClassSeen } from "../facts.ts";
import { listOf, type Look, seen } from "./look.ts";

/** nodeadm's feature gate (awslabs/amazon-eks-ami), and Bottlerocket's setting of the SOCI snapshotter. */
const FAST_PULLS = [/FastImagePull["']?\s*:\s*["']?true/, /snapshotter\s*=\s*["']soci["']/];
/** Throughput of a volume for which none is set, MiB/s: gp3's baseline, and the most that gp2 reaches. Source: AWS. */
const BY_TYPE: Readonly<Record<string, number>> = { gp3: 125, gp2: 250 };
/** Of a node class without block devices. Source: Karpenter. */
const DEFAULT_TYPE = "gp3";

/** Empty without Karpenter on AWS. Launch templates of other nodes are no objects of the cluster. */
export async function gatherNodeClasses(look: Look): Promise<NodeClassSeen[]> {
  const group = await seen(look, "EC2NodeClasses", undefined, () => look.client.get("/apis/karpenter.k8s.aws"));
  const version = textOf(recordOf(group?.["preferredVersion"])["groupVersion"]);
  return version === "" ? [] : listOf(look, "EC2NodeClasses", `/apis/${version}/ec2nodeclasses`, nodeClassSeen);
}

function nodeClassSeen(raw: KubeObject): NodeClassSeen {
  const spec = recordOf(raw["spec"]);
  const userData = textOf(spec["userData"]);
  return {
    name: raw.metadata?.name ?? "",
    pullsFast: FAST_PULLS.some((setting) => setting.test(userData)),
    diskMibPerSecond: spec["instanceStorePolicy"] === "RAID0" ? undefined : throughputOf(spec["blockDeviceMappings"]),
  };
}

/** Of the fastest volume: which of them holds the images depends on the machine's image. */
function throughputOf(mappings: unknown): number | undefined {
  const volumes = recordsOf(mappings).map(({ ebs }) => recordOf(ebs));
  if (volumes.length === 0) return BY_TYPE[DEFAULT_TYPE];
  const all = volumes.map(({ throughput, volumeType }) =>
    typeof throughput === "number" ? throughput : BY_TYPE[textOf(volumeType) || DEFAULT_TYPE],
  );
  return all.includes(undefined) ? undefined : Math.max(...all.map((one) => one ?? 0));
}
