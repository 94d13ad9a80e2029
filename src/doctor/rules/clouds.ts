/** Rules about what managed clusters do in other ways than Kubernetes alone: GKE's quota and masters, EKS's disks. */
import type { ClusterFacts } from "../facts.ts";
import { type Finding, many, someOf } from "../finding-codes.ts";

const CRITICAL = "system-cluster-critical";
/** Where a private GKE control plane reaches nodes without another firewall rule. Source: GKE, private clusters. */
const GKE_PORTS = [443, 10_250];
/** Below it, pulling layers in parallel makes pulls slower. Source: AWS on FastImagePull (amazon-eks-ami), MiB/s. */
const FAST_DISK = 600;

export function findCloudProblems(facts: ClusterFacts): Finding[] {
  return [...criticalClass(facts), ...privateControlPlane(facts), ...slowDisks(facts)];
}

const isGke = ({ nodes = [] }: ClusterFacts) =>
  nodes.some(({ labels, kubelet }) => "cloud.google.com/gke-nodepool" in labels || kubelet.includes("-gke."));

function criticalClass(facts: ClusterFacts): Finding[] {
  const { ours } = facts;
  const found = ours?.installation;
  if (ours === undefined || found === undefined) return [];
  const { priorityClassName, hasQuota, isRunning, refusal, name } = found;
  const takesQuota = isGke(facts) && priorityClassName === CRITICAL && ours.namespace !== "kube-system";
  const isRefused = takesQuota && hasQuota === false && !isRunning;
  if (refusal === undefined && !isRefused) return [];
  return [
    {
      code: "CriticalClassRefused",
      about: [`Deployment/${ours.namespace}/${name}`],
      seen:
        refusal ?? `Priority class ${priorityClassName}, and namespace ${ours.namespace} has no ResourceQuota for it.`,
      change: [
        `In namespace ${ours.namespace} (or with the chart: priorityClassName=""):`,
        `kubectl -n ${ours.namespace} apply -f - <<< '${JSON.stringify(quotaFor(priorityClassName || CRITICAL))}'`,
      ].join("\n"),
    },
  ];
}

const quotaFor = (priorityClass: string) => ({
  apiVersion: "v1",
  kind: "ResourceQuota",
  metadata: { name: "paceline-critical-pods" },
  spec: {
    hard: { pods: "100" },
    scopeSelector: { matchExpressions: [{ scopeName: "PriorityClass", operator: "In", values: [priorityClass] }] },
  },
});

/** Only while nothing shows that the webhook is reached: a firewall rule may be there, and cannot be seen from here. */
function privateControlPlane(facts: ClusterFacts): Finding[] {
  const { ours, nodes = [], pods } = facts;
  const port = ours?.installation?.port;
  if (ours === undefined || port === undefined || GKE_PORTS.includes(port) || !isGke(facts)) return [];
  if (nodes.some(({ hasExternalAddress }) => hasExternalAddress)) return [];
  if (ours.leader?.askedMs !== undefined || pods?.created.some(({ gated }) => gated)) return [];
  return [
    {
      code: "PrivateControlPlanePort",
      severity: "note",
      about: [`Deployment/${ours.namespace}/${ours.installation?.name ?? ""}`],
      seen: `The replicas serve port ${port}, no node has an external address, and no replica has been asked about a pod yet.`,
      change: `gcloud compute firewall-rules create paceline-webhook --allow=tcp:${port} --source-ranges=<the control plane's range> --target-tags=<the nodes' tag>; or serve on port 10250.`,
    },
  ];
}

function slowDisks(facts: ClusterFacts): Finding[] {
  const slow = facts.nodeClasses.filter(
    ({ pullsFast, diskMibPerSecond: rate }) => pullsFast && rate !== undefined && rate < FAST_DISK,
  );
  const [first] = slow;
  if (first === undefined) return [];
  return [
    {
      code: "FastPullsOnSlowDisk",
      about: someOf(
        "EC2NodeClass",
        slow.map(({ name }) => name),
      ),
      seen: `${many(slow.length, "EC2NodeClass", "EC2NodeClasses")} ${slow.length === 1 ? "pulls" : "pull"} the layers of an image in parallel (FastImagePull, SOCI) to a volume of less than ${FAST_DISK} MiB/s, such as ${first.diskMibPerSecond ?? 0} MiB/s.`,
      change: `spec.blockDeviceMappings[].ebs: { volumeType: gp3, throughput: ${FAST_DISK} or more, iops: 16000 }; or leave the setting out of spec.userData. Karpenter replaces the nodes of a changed EC2NodeClass (drift).`,
    },
  ];
}
