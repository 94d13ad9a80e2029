/** Rules about pods that start, and about failed starts. */
import { DEFAULT_YOUNG_SECONDS } from "../../policy/caps.ts";
import { defaultNodeClass } from "../../policy/resolve.ts";
import { type ClusterFacts, isPaced, policyOf } from "../facts.ts";
import { type Finding, many, someOf } from "../finding-codes.ts";

/** The baseline of a gp3 volume, bytes/s. */
const GP3_BYTES_PER_SECOND = 125 * 1_048_576;
/** The kubelet's default of runtimeRequestTimeout, s. */
const RUNTIME_TIMEOUT_SECONDS = 120;

export function findStartsProblems(facts: ClusterFacts): Finding[] {
  const { pods } = facts;
  return pods === undefined ? [] : [...recentFailures(pods), ...youngHerds(facts, pods), ...largeImages(pods)];
}

type Pods = NonNullable<ClusterFacts["pods"]>;

function recentFailures({ starts, verdict }: Pods): Finding[] {
  if (!verdict.found) return [];
  return [
    {
      code: "RecentStartFailures",
      about: someOf("Node", [...starts.byNode.keys()]),
      seen: `In the last day: ${[verdict.summary, ...verdict.evidence].join(" ")}`,
      change: `${verdict.advice.join(" ")} More: paceline diagnose on audit logs.`,
    },
  ];
}

function youngHerds(facts: ClusterFacts, { starts }: Pods): Finding[] {
  if (isPaced(facts)) return [];
  const youngSeconds = policyOf(facts)?.youngForSeconds ?? DEFAULT_YOUNG_SECONDS;
  const herds = starts.herds.filter(
    ({ nodeAgeSeconds: age, podsStarted, startMs }) =>
      age !== null && age < youngSeconds && podsStarted >= HERD_PODS && startMs >= facts.nowMs - DAY_MS,
  );
  const worst = herds.toSorted((a, b) => b.podsStarted - a.podsStarted)[0];
  if (worst === undefined) return [];
  return [
    {
      code: "YoungNodeHerd",
      about: someOf("Node", [...new Set(herds.map(({ node }) => node))]),
      seen: `${many(herds.length, "herd")} in the last day; the largest: ${worst.podsStarted} pods came to ${worst.node} together, when it was ${worst.nodeAgeSeconds ?? 0} s old.`,
      change:
        "Install Paceline and observe (helm install … --set policy.mode=observe), then policy: mode: enforce (docs/install.md).",
    },
  ];
}

const DAY_MS = 86_400_000;
/** This many pods together are a herd: more than three times the first limit of a node. Assumed. */
const HERD_PODS = 20;

/** Uses the figures of a node without telemetry. Unpacking writes a multiple of the listed size. */
function largeImages({ images }: Pods): Finding[] {
  const seconds = (bytes: number) => (bytes * defaultNodeClass.unpackRatio) / GP3_BYTES_PER_SECOND;
  const large = images.filter(({ bytes }) => bytes !== undefined && seconds(bytes) > RUNTIME_TIMEOUT_SECONDS);
  const [largest] = large;
  if (largest?.bytes === undefined) return [];
  return [
    {
      code: "ImageOutlastsTimeout",
      about: someOf(
        "Image",
        large.map(({ name }) => name),
      ),
      seen: `${many(large.length, "image")} in use; the largest has ${(largest.bytes / 1e9).toFixed(1)} GB as listed, about ${Math.round(seconds(largest.bytes))} s of a gp3 disk (125 MiB/s; unpacking writes ${defaultNodeClass.unpackRatio} times the listed bytes, assumed).`,
      change:
        "Make it smaller, put it into the node image or a snapshot, or give these nodes faster disks (gp3 with more MiB/s, local NVMe).",
    },
  ];
}
