/** What to do, by what was found. */
import { remedyOf, type Fingerprint, type Remedy } from "../classify/fingerprints.ts";
import type { Findings } from "./findings.ts";
import type { Herd } from "./herds.ts";

/** So many pods at once are a herd. Assumed: more than twice the pods that a gp3 node is let start by default. */
export const HERD_PODS = 10;
/** On clusters of this size operators raise the registry QPS further (amazon-eks-ami#1651). */
const LARGE_CLUSTER_NODES = 200;
/** gp3 as AWS sells it by default, and what operators raise it to (amazon-eks-ami#1651), MiB/s. */
const GP3 = { from: 125, to: 200 } as const;

/** Failures by what can be done about them; StartErrors that image or manifest explain are `elsewhere`. */
export type Remedies = Readonly<Record<Remedy, number>>;

export function remediesOf({ byFingerprint, misconfigured }: Findings): Remedies {
  const counts: Record<Remedy, number> = {
    node: 0,
    "pull-limit": 0,
    "registry-limit": 0,
    "slow-pull": 0,
    elsewhere: 0,
  };
  for (const [key, count] of Object.entries(byFingerprint)) counts[remedyOf(key as Fingerprint)] += count;
  counts.node = Math.max(0, counts.node - misconfigured);
  counts.elsewhere += misconfigured;
  return counts;
}

export const harmed = (herds: readonly Herd[]) => herds.filter(({ failures }) => failures > 0);

/** The most useful first. */
export function adviceOf(findings: Findings, remedies: Remedies): string[] {
  return [
    ...(remedies.node + remedies["slow-pull"] > 0 ? nodeAdvice(findings) : []),
    ...(remedies["slow-pull"] > 0 ? [SLOW_PULL] : []),
    ...(remedies["registry-limit"] > 0 ? [REGISTRY] : []),
    ...(remedies["pull-limit"] > 0 ? [pullLimitAdvice(findings)] : []),
    ...elsewhereAdvice(findings),
  ];
}

function nodeAdvice({ byImage, herds }: Findings): string[] {
  const most = Math.max(0, ...harmed(herds).map(({ podsStarted }) => podsStarted));
  const images = [...byImage.keys()].slice(0, 5);
  return [
    `Pace: let pods come to a node in batches that its disk can feed (paceline serve; try paceline simulate first)${most >= HERD_PODS ? `. ${most} came at once here` : ""}. It costs no time until all run, and removes the failures.`,
    `Buy throughput: gp3 from ${GP3.from} to ${GP3.to} MiB/s in the launch template drains the same image bytes in ${Math.round((GP3.from / GP3.to) * 100)} % of the time. It helps while a herd's bytes then fit into the 2 min time-out, and is paid for on every node all the time.`,
    `Local NVMe (instance types with instance storage, containerd's root on it) if these nodes come and go all day: it is the fastest, and not for every workload or budget.`,
    ...(images.length > 0
      ? [`Prewarm the images that failed most, in the node image or a snapshot: ${images.join(", ")}.`]
      : []),
  ];
}

const SLOW_PULL =
  "Find out what the pulls waited for: a disk near 100 % busy (iostat -x, node_exporter) on nodes with many pulls at once is helped by pacing; one node or one registry with few pulls points to the network or the registry.";

const REGISTRY =
  "Pull less often from that registry: a pull-through cache or mirror, signed-in pulls (their limit is higher), imagePullPolicy IfNotPresent, images prewarmed in the node image. Pacing spreads the pulls over time, so that fewer meet the limit at once.";

function pullLimitAdvice({ nodesKnown }: Findings): string {
  const size =
    nodesKnown >= LARGE_CLUSTER_NODES
      ? `; with ${nodesKnown} nodes go higher`
      : "; more on clusters of 200 nodes and above";
  return `Raise the kubelet's registryPullQPS from 5 to 10 and registryBurst from 10 to 15 (--registry-qps, --registry-burst)${size}. By itself this moves the load from the puller to the disk: pace as well.`;
}

/** What has its cure elsewhere: whose it is, and where to look. */
function elsewhereAdvice({ byFingerprint: by, misconfigured }: Findings): string[] {
  const advice: readonly (readonly [number, string])[] = [
    [
      by.SandboxWithoutAddress,
      "Give the nodes more addresses: the network plugin had none left. VPC CNI: prefix delegation, larger subnets, maxPods that fits the instance type; others: a larger pod range. A disk or pacing does not change that.",
    ],
    [
      by.SandboxNetwork,
      "Look at the network plugin's own pod on those nodes (kubectl -n kube-system logs): it failed, or pods came before it was ready.",
    ],
    [
      by.NoSpaceLeft,
      "Free or enlarge the nodes' disk: image garbage collection, ephemeral-storage requests, a larger volume.",
    ],
    [by.ImagePullBackOff, "Look at the image's name, the credentials and the registry (kubectl describe pod)."],
    [
      misconfigured,
      "Correct the manifest or the image of those containers: command, mounts, user (kubectl describe pod).",
    ],
    [
      by.OtherSandboxError,
      "Read the message of those sandboxes (kubectl describe pod): none of the known causes is in it.",
    ],
    [by.Unrelated, "Look at those pods themselves (kubectl describe pod, kubectl logs --previous)."],
  ];
  return advice.filter(([count]) => count > 0).map(([, text]) => text);
}
