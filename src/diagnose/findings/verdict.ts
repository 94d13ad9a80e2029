/** The verdict: is it the herd, how do we know, and what to do. */
import type { Findings } from "./findings.ts";
import type { Herd } from "./herds.ts";

export interface Verdict {
  /** Whether starts failed in the way that pacing, or the other remedies told here, can help. */
  readonly found: boolean;
  /** One sentence. */
  readonly summary: string;
  /** What it rests on, a sentence each. */
  readonly evidence: readonly string[];
  /** What to do, the most useful first. */
  readonly advice: readonly string[];
}

/** A node is young for this long; twice the default of the policy's youngForSeconds. Assumed. */
const YOUNG_SECONDS = 900;
/** So many pods at once are a herd. Assumed: more than twice the pods that a gp3 node is let start by default. */
const HERD_PODS = 10;
/** On clusters of this size operators raise the registry QPS further (amazon-eks-ami#1651). */
const LARGE_CLUSTER_NODES = 200;
/** gp3 as AWS sells it by default, and what operators raise it to (amazon-eks-ami#1651), MiB/s. */
const GP3 = { from: 125, to: 200 } as const;

const many = (count: number, one: string, more = `${one}s`) => `${count} ${count === 1 ? one : more}`;

export function verdictOf(findings: Findings): Verdict {
  const kinds = kindsOf(findings);
  const found = kinds.disk + kinds.qps > 0;
  if (!found) return notFound(findings);
  return {
    found,
    summary: summaryOf(findings, kinds),
    evidence: evidenceOf(findings),
    advice: adviceOf(findings, kinds),
  };
}

interface Kinds {
  /** Starts that failed because the node was too slow. */
  readonly disk: number;
  /** Pulls that the kubelet refused. */
  readonly qps: number;
}

function kindsOf({ byFingerprint: by, misconfigured }: Findings): Kinds {
  const other = Math.max(0, by.OtherStartError - misconfigured);
  return {
    disk: by.NamespacePathProc0 + by.ShimTaskContextCanceled + other + by.ReservedContainerName + by.SandboxDeadline,
    qps: by.PullQPSExceeded,
  };
}

function notFound({ byFingerprint: by, misconfigured }: Findings): Verdict {
  const others = [
    by.Unrelated > 0
      ? `${many(by.Unrelated, "container end")} that have other causes (out of memory, the program's own exit, configuration)`
      : "",
    by.ImagePullBackOff > 0
      ? `${many(by.ImagePullBackOff, "failed image pull")} (wrong name, credentials or registry)`
      : "",
    misconfigured > 0 ? `${many(misconfigured, "StartError")} that the image or the manifest explains` : "",
  ].filter((text) => text !== "");
  if (others.length === 0) {
    return { found: false, summary: "No failed start was found: not this problem.", evidence: [], advice: [] };
  }
  return {
    found: false,
    summary: "Not this problem: what failed has other causes.",
    evidence: others.map((text) => `Seen: ${text}.`),
    advice: ["None of Paceline's remedies would help here: look at those pods themselves (kubectl describe pod)."],
  };
}

const isYoung = ({ nodeAgeSeconds }: Herd) => nodeAgeSeconds !== null && nodeAgeSeconds < YOUNG_SECONDS;
const harmed = (herds: readonly Herd[]) => herds.filter(({ failures }) => failures > 0);

function summaryOf({ herds, total }: Findings, kinds: Kinds): string {
  const failed = harmed(herds).filter(({ podsStarted }) => podsStarted >= HERD_PODS);
  const starts = many(total, "failed start");
  if (failed.some(isYoung)) return `A herd on young nodes: ${starts}, where many pods came to a new node at once.`;
  if (failed.length > 0) return `A herd: ${starts}, where many pods came to one node at once.`;
  if (kinds.disk === 0)
    return `${many(kinds.qps, "image pull")} refused by the kubelet's own pull limit: not the disk.`;
  return `${starts} with the marks of an overloaded node; what else started then is not in this input.`;
}

function evidenceOf(findings: Findings): string[] {
  const { byFingerprint: by, herds, queryTotal, byNode } = findings;
  const worst = harmed(herds).toSorted((a, b) => b.failures - a.failures || b.podsStarted - a.podsStarted)[0];
  return [
    by.NamespacePathProc0 > 0
      ? `${many(by.NamespacePathProc0, "container")} died on /proc/0: containerd could not ask for its sandbox in time.`
      : "",
    by.ShimTaskContextCanceled > 0
      ? `${many(by.ShimTaskContextCanceled, "shim")} cancelled: creating took too long.`
      : "",
    by.ReservedContainerName > 0
      ? `${many(by.ReservedContainerName, "container name")} still reserved: an earlier creation ran past the 2 min runtime request time-out.`
      : "",
    by.SandboxDeadline > 0 ? `${many(by.SandboxDeadline, "sandbox", "sandboxes")} not made in time.` : "",
    by.PullQPSExceeded > 0 ? `${many(by.PullQPSExceeded, "pull")} refused with "pull QPS exceeded".` : "",
    worst ? herdSentence(worst) : "",
    byNode.size > 0 ? `${many(byNode.size, "node")} affected.` : "",
    queryTotal > 0
      ? `The CloudWatch query counts ${many(queryTotal, "audit event")}: one failure is reported more than once.`
      : "",
  ].filter((text) => text !== "");
}

function herdSentence({ node, podsStarted, startMs, lastMs, failures, nodeAgeSeconds, nodeAgeFrom }: Herd): string {
  const within = Math.max(1, Math.ceil((lastMs - startMs) / 1_000));
  const known = nodeAgeFrom === "creation" ? "since its creation" : "at least, since it was first seen";
  const age = nodeAgeSeconds === null ? "" : `, when it was ${nodeAgeSeconds} s old (${known})`;
  return `${many(podsStarted, "pod")} came to ${node} within ${within} s${age}; ${many(failures, "start")} failed.`;
}

function adviceOf(findings: Findings, kinds: Kinds): string[] {
  const { nodesKnown, byImage, herds } = findings;
  const advice: string[] = [];
  if (kinds.disk > 0) {
    const most = Math.max(0, ...harmed(herds).map(({ podsStarted }) => podsStarted));
    advice.push(
      `Pace: let pods come to a node in batches that its disk can feed (paceline serve; try paceline simulate first)${most >= HERD_PODS ? `. ${most} came at once here` : ""}. It costs no time until all run, and removes the failures.`,
      `Buy throughput: gp3 from ${GP3.from} to ${GP3.to} MiB/s in the launch template drains the same image bytes in ${Math.round((GP3.from / GP3.to) * 100)} % of the time. It helps while a herd's bytes then fit into the 2 min time-out, and is paid for on every node all the time.`,
      `Local NVMe (instance types with instance storage, containerd's root on it) if these nodes come and go all day: it is the fastest, and not for every workload or budget.`,
    );
    const images = [...byImage.keys()].slice(0, 5);
    if (images.length > 0)
      advice.push(`Prewarm the images that failed most, in the node image or a snapshot: ${images.join(", ")}.`);
  }
  if (kinds.qps > 0) {
    const size =
      nodesKnown >= LARGE_CLUSTER_NODES
        ? `; with ${nodesKnown} nodes go higher`
        : "; more on clusters of 200 nodes and above";
    advice.push(
      `Raise the kubelet's registryPullQPS from 5 to 10 and registryBurst from 10 to 15 (--registry-qps, --registry-burst)${size}. By itself this moves the load from the puller to the disk: pace as well.`,
    );
  }
  return advice;
}
