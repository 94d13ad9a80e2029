/** Rules about nodes and their kubelets. */
import { nodeClassFor } from "../../../policy/resolve.ts";
import type { PacingPolicy } from "../../../policy/schema.ts";
import { type ClusterFacts, isPaced, type KubeletSeen, policyOf } from "../facts.ts";
import { type Finding, type FindingCode, many, someOf } from "../finding-codes.ts";

/** What operators of awslabs/amazon-eks-ami#1651 raise the kubelet's defaults of 5 and 10 to. */
const PULLS = { qps: 10, burst: 15 } as const;
/** "More" on clusters of 200 nodes and above (the same thread); assumed: twice that. */
const LARGE_CLUSTER = { nodes: 200, qps: 20, burst: 30 } as const;
/** The kubelet's default of runtimeRequestTimeout, ms. */
const RUNTIME_TIMEOUT_MS = 120_000;
/** Share of the time-out below which a drain target must stay. Assumed; the default target is a third of it. */
const DRAIN_SHARE = 0.5;
/** Pulls at a time that are proposed. Assumed: as many as the default limit lets start on a node. */
const PARALLEL_PULLS = 6;

/** Judges what kubelets are set to. */
export function judgeNodes(facts: ClusterFacts): Finding[] {
  const { kubelets } = facts;
  const policy = policyOf(facts);
  const found = (
    code: FindingCode,
    isBad: (kubelet: KubeletSeen) => boolean,
    words: (count: string, worst: KubeletSeen) => Pick<Finding, "seen" | "change">,
  ): Finding[] => {
    const bad = kubelets.filter(isBad);
    const [first] = bad;
    if (first === undefined) return [];
    const count = `${bad.length} of ${many(kubelets.length, "kubelet")}`;
    return [
      {
        code,
        about: someOf(
          "Node",
          bad.map(({ node }) => node),
        ),
        ...words(count, first),
      },
    ];
  };
  return [
    ...found(
      "SerializedImagePulls",
      ({ serializeImagePulls }) => serializeImagePulls === true,
      (count) => ({
        seen: `${count} have serializeImagePulls: true.`,
        change: `KubeletConfiguration: serializeImagePulls: false, maxParallelImagePulls: ${PARALLEL_PULLS}.`,
      }),
    ),
    ...(isPaced(facts) ? [] : unpaced(facts, found)),
    ...found(
      "RuntimeTimeoutShort",
      ({ runtimeRequestTimeoutMs: ms }) => ms !== undefined && ms > 0 && ms < RUNTIME_TIMEOUT_MS,
      (count, one) => ({
        seen: `${count} have a runtimeRequestTimeout below 2 min, such as ${(one.runtimeRequestTimeoutMs ?? 0) / 1_000} s.`,
        change: "KubeletConfiguration: runtimeRequestTimeout: 2m0s, or leave it out.",
      }),
    ),
    ...found(
      "CgroupV1",
      ({ cgroupVersion }) => cgroupVersion === 1,
      (count) => ({
        seen: `${count} run on cgroup v1.`,
        change:
          "Take a node image with cgroup v2 (for EKS: Amazon Linux 2023 or Bottlerocket), or boot with systemd.unified_cgroup_hierarchy=1.",
      }),
    ),
    ...(policy?.telemetry.source === "kubelet"
      ? found(
          "PressureUnknown",
          ({ psi }) => psi === false,
          (count) => ({
            seen: `${count} have no PSI in /stats/summary, and telemetry.source is kubelet.`,
            change:
              "Use node_exporter (policy: telemetry.source: node-exporter), or kubelets of 1.34 and later on cgroup v2.",
          }),
        )
      : []),
    ...(policy === undefined ? [] : againstPolicy(facts, policy, found)),
  ];
}

type Found = (
  code: FindingCode,
  isBad: (kubelet: KubeletSeen) => boolean,
  words: (count: string, worst: KubeletSeen) => Pick<Finding, "seen" | "change">,
) => Finding[];

/** A kubelet's own limits are all there is while nothing paces. */
function unpaced({ nodes }: ClusterFacts, found: Found): Finding[] {
  const isLarge = (nodes?.length ?? 0) >= LARGE_CLUSTER.nodes;
  const { qps, burst } = isLarge ? LARGE_CLUSTER : PULLS;
  return [
    ...found(
      "RegistryPullQPSLow",
      (one) => isBelow(one.registryPullQPS, qps) || (one.registryPullQPS !== 0 && isBelow(one.registryBurst, burst)),
      (count, one) => ({
        seen: `${count} allow fewer than ${qps} image pulls a second (burst ${burst}), such as ${one.registryPullQPS ?? "?"} (burst ${one.registryBurst ?? "?"})${isLarge ? `, in a cluster of ${nodes?.length ?? 0} nodes` : ""}.`,
        change: `KubeletConfiguration: registryPullQPS: ${qps}, registryBurst: ${burst}. By itself this moves the load to the disk: pace as well.`,
      }),
    ),
    ...found(
      "UnboundedImagePulls",
      (one) => one.serializeImagePulls === false && one.maxParallelImagePulls === undefined,
      (count) => ({
        seen: `${count} have serializeImagePulls: false without maxParallelImagePulls, and no pacing is in force.`,
        change: `KubeletConfiguration: maxParallelImagePulls: ${PARALLEL_PULLS}; or install Paceline with mode: enforce.`,
      }),
    ),
  ];
}

/** 0 means no limit. */
const isBelow = (value: number | undefined, least: number) => value !== undefined && value > 0 && value < least;

function againstPolicy({ nodes }: ClusterFacts, policy: PacingPolicy, found: Found): Finding[] {
  const labels = new Map<string, Readonly<Record<string, string>>>(nodes?.map((node) => [node.name, node.labels]));
  const classOf = ({ node }: KubeletSeen) => nodeClassFor(policy, labels.get(node) ?? {});
  const unlimited = (qps: number) => (qps === 0 ? Number.POSITIVE_INFINITY : qps);
  const exceeds = (one: KubeletSeen) => {
    const { qps, burst } = classOf(one).pullQPS;
    const { registryPullQPS: allowed, registryBurst } = one;
    if (allowed === undefined || allowed <= 0) return false;
    return unlimited(qps) > allowed || (registryBurst !== undefined && burst > registryBurst);
  };
  const isLate = (one: KubeletSeen) =>
    one.runtimeRequestTimeoutMs !== undefined &&
    classOf(one).drainSeconds * 1_000 > one.runtimeRequestTimeoutMs * DRAIN_SHARE;
  return [
    ...found("PullBudgetTooHigh", exceeds, (count, one) => ({
      seen: `${count} pull at most ${one.registryPullQPS ?? "?"} images a second (burst ${one.registryBurst ?? "?"}); node class ${classOf(one).name} of the policy assumes ${classOf(one).pullQPS.qps} (burst ${classOf(one).pullQPS.burst}).`,
      change: `Policy: pullQPS: { qps: ${one.registryPullQPS ?? "?"}, burst: ${one.registryBurst ?? "?"} } in node class ${classOf(one).name}; or raise the kubelet's registryPullQPS and registryBurst.`,
    })),
    ...found("DrainTargetTooLong", isLate, (count, one) => ({
      seen: `${count} give a start ${(one.runtimeRequestTimeoutMs ?? 0) / 1_000} s; node class ${classOf(one).name} lets ${classOf(one).drainSeconds} s of writes add up.`,
      change: `Policy: drainSeconds: ${Math.max(1, Math.floor((one.runtimeRequestTimeoutMs ?? 0) / 3_000))} in node class ${classOf(one).name} (a third of the time-out).`,
    })),
  ];
}
