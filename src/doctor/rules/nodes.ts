/** Rules about nodes and their kubelets. */
import { nodeClassFor } from "../../policy/resolve.ts";
import type { PacingPolicy } from "../../policy/schema.ts";
import { type ClusterFacts, isPaced, type KubeletSeen, policyOf } from "../facts.ts";
import { type Finding, type FindingCode, many, someOf } from "../finding-codes.ts";

/** The values to which operators in awslabs/amazon-eks-ami#1651 raise the kubelet's defaults of 5 and 10. */
const PULLS = { qps: 10, burst: 15 } as const;
/** "More" on clusters of 200 nodes and above (the same thread); assumed: twice that. */
const LARGE_CLUSTER = { nodes: 200, qps: 20, burst: 30 } as const;
/** The kubelet's default of runtimeRequestTimeout, ms. */
const RUNTIME_TIMEOUT_MS = 120_000;
/**
 * A drain target must stay below this share of the time-out. Assumed; the default target is a third of the time-out.
 */
const DRAIN_SHARE = 0.5;
/** The proposed number of parallel pulls. Assumed: as many as the default limit lets start on a node. */
const PARALLEL_PULLS = 6;

/** A possible problem with a kubelet's settings. */
interface KubeletRule {
  readonly code: FindingCode;
  readonly isBad: (kubelet: KubeletSeen) => boolean;
  /** `count` is text such as `2 of 3 kubelets`; `one` is the first of them. */
  readonly seen: (count: string, one: KubeletSeen) => string;
  readonly change: (one: KubeletSeen) => string;
}

/** Checks the kubelets' settings. */
export function findNodesProblems(facts: ClusterFacts): Finding[] {
  const policy = policyOf(facts);
  const rules = [
    ...always,
    ...(isPaced(facts) ? [] : whileUnpaced(facts)),
    ...(policy?.telemetry.source === "kubelet" ? [pressureUnknown] : []),
    ...(policy === undefined ? [] : againstPolicy(facts, policy)),
  ];
  return rules.flatMap((rule) => kubeletFindings(facts.kubelets, rule));
}

function kubeletFindings(kubelets: readonly KubeletSeen[], { code, isBad, seen, change }: KubeletRule): Finding[] {
  const bad = kubelets.filter(isBad);
  const [first] = bad;
  if (first === undefined) return [];
  const names = bad.map(({ node }) => node);
  const count = `${bad.length} of ${many(kubelets.length, "kubelet")}`;
  return [{ code, about: someOf("Node", names), seen: seen(count, first), change: change(first) }];
}

const secondsOf = (ms: number | undefined) => (ms ?? 0) / 1_000;
const pullsOf = ({ registryPullQPS, registryBurst }: KubeletSeen) =>
  `${registryPullQPS ?? "?"} (burst ${registryBurst ?? "?"})`;

const always: readonly KubeletRule[] = [
  {
    code: "SerializedImagePulls",
    isBad: ({ serializeImagePulls }) => serializeImagePulls === true,
    seen: (count) => `${count} have serializeImagePulls: true.`,
    change: () => `KubeletConfiguration: serializeImagePulls: false, maxParallelImagePulls: ${PARALLEL_PULLS}.`,
  },
  {
    code: "RuntimeTimeoutShort",
    isBad: ({ runtimeRequestTimeoutMs: ms }) => isBelow(ms, RUNTIME_TIMEOUT_MS),
    seen: (count, one) =>
      `${count} have a runtimeRequestTimeout below 2 min, such as ${secondsOf(one.runtimeRequestTimeoutMs)} s.`,
    change: () => "KubeletConfiguration: runtimeRequestTimeout: 2m0s, or leave it out.",
  },
  {
    code: "CgroupV1",
    isBad: ({ cgroupVersion }) => cgroupVersion === 1,
    seen: (count) => `${count} run on cgroup v1.`,
    change: () =>
      "Take a node image with cgroup v2 (for EKS: Amazon Linux 2023 or Bottlerocket), or boot with systemd.unified_cgroup_hierarchy=1.",
  },
];

const pressureUnknown: KubeletRule = {
  code: "PressureUnknown",
  isBad: ({ psi }) => psi === false,
  seen: (count) => `${count} have no PSI in /stats/summary, and telemetry.source is kubelet.`,
  change: () =>
    "Use node_exporter (policy: telemetry.source: node-exporter), or kubelets of 1.34 and later on cgroup v2.",
};

/** Checked only while Paceline does not pace: then the kubelet's own limits are the only ones. */
function whileUnpaced({ nodes }: ClusterFacts): KubeletRule[] {
  const isLarge = (nodes?.length ?? 0) >= LARGE_CLUSTER.nodes;
  const { qps, burst } = isLarge ? LARGE_CLUSTER : PULLS;
  const where = isLarge ? `, in a cluster of ${nodes?.length ?? 0} nodes` : "";
  return [
    {
      code: "RegistryPullQPSLow",
      isBad: (one) =>
        isBelow(one.registryPullQPS, qps) || (one.registryPullQPS !== 0 && isBelow(one.registryBurst, burst)),
      seen: (count, one) =>
        `${count} allow fewer than ${qps} image pulls a second (burst ${burst}), such as ${pullsOf(one)}${where}.`,
      change: () =>
        `KubeletConfiguration: registryPullQPS: ${qps}, registryBurst: ${burst}. By itself this moves the load to the disk: pace as well.`,
    },
    {
      code: "UnboundedImagePulls",
      isBad: (one) => one.serializeImagePulls === false && one.maxParallelImagePulls === undefined,
      seen: (count) => `${count} have serializeImagePulls: false without maxParallelImagePulls, and nothing paces.`,
      change: () =>
        `KubeletConfiguration: maxParallelImagePulls: ${PARALLEL_PULLS}; or install Paceline with mode: enforce.`,
    },
  ];
}

/** 0 means no limit. */
const isBelow = (value: number | undefined, least: number) => value !== undefined && value > 0 && value < least;

/** Compares the kubelets' settings with the policy's assumptions about them. */
function againstPolicy({ nodes }: ClusterFacts, policy: PacingPolicy): KubeletRule[] {
  const labels = new Map<string, Readonly<Record<string, string>>>(nodes?.map((node) => [node.name, node.labels]));
  const classOf = ({ node }: KubeletSeen) => nodeClassFor(policy, labels.get(node) ?? {});
  return [
    {
      code: "PullBudgetTooHigh",
      isBad: (one) => exceedsPulls(classOf(one).pullQPS, one),
      seen: (count, one) => {
        const { name, pullQPS } = classOf(one);
        return `${count} pull at most ${pullsOf(one)} images a second; node class ${name} of the policy assumes ${pullQPS.qps} (burst ${pullQPS.burst}).`;
      },
      change: (one) =>
        `Policy: pullQPS: { qps: ${one.registryPullQPS ?? "?"}, burst: ${one.registryBurst ?? "?"} } in node class ${classOf(one).name}; or raise the kubelet's registryPullQPS and registryBurst.`,
    },
    {
      code: "DrainTargetTooLong",
      isBad: (one) => isBelow(one.runtimeRequestTimeoutMs, (classOf(one).drainSeconds * 1_000) / DRAIN_SHARE),
      seen: (count, one) =>
        `${count} give a start ${secondsOf(one.runtimeRequestTimeoutMs)} s; node class ${classOf(one).name} lets ${classOf(one).drainSeconds} s of writes add up.`,
      change: (one) =>
        `Policy: drainSeconds: ${Math.max(1, Math.floor(secondsOf(one.runtimeRequestTimeoutMs) / 3))} in node class ${classOf(one).name} (a third of the time-out).`,
    },
  ];
}

function exceedsPulls({ qps, burst }: { readonly qps: number; readonly burst: number }, one: KubeletSeen): boolean {
  const { registryPullQPS: allowed, registryBurst } = one;
  if (allowed === undefined || allowed <= 0) return false;
  return qps === 0 || qps > allowed || (registryBurst !== undefined && burst > registryBurst);
}
