/** The verdict: is it the herd, how do we know, and what to do. */
import { adviceOf, harmed, HERD_PODS, remediesOf, type Remedies } from "./advice.ts";
import type { Findings } from "./findings.ts";
import type { Herd } from "./herds.ts";
import { spanWords } from "./span-words.ts";
import { doubtsOf, howToTell, outsideOf } from "./doubts.ts";

/**
 * `found`: starts failed in a way that pacing, or the other remedies told here, can help. `clear`: the input would show
 * it, and does not. `unknown`: nothing was found, and what was read is not enough to say that there is nothing.
 */
export type Outcome = "found" | "clear" | "unknown";

export interface Verdict {
  readonly outcome: Outcome;
  /** `outcome` is `found`. */
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

const many = (count: number, one: string, more = `${one}s`) => `${count} ${count === 1 ? one : more}`;

export function verdictOf(findings: Findings): Verdict {
  const remedies = remediesOf(findings);
  const { elsewhere, ...helped } = remedies;
  const doubts = doubtsOf(findings);
  const advice = adviceOf(findings, remedies);
  const { account } = findings;
  if (Object.values(helped).some((count) => count > 0)) {
    const evidence = [...evidenceOf(findings), ...othersOf(findings), ...outsideOf(findings), ...doubts.map(asNote)];
    return { outcome: "found", found: true, summary: summaryOf(findings, remedies), evidence, advice };
  }
  const others = [...othersOf(findings), ...outsideOf(findings)];
  const [first, ...further] = doubts;
  if (first !== undefined) {
    const evidence = [...further, ...others];
    return {
      outcome: "unknown",
      found: false,
      summary: `Cannot tell: ${first}`,
      evidence,
      advice: [...howToTell(findings), ...advice],
    };
  }
  if (elsewhere === 0) {
    const summary = `No failed start was found${account.window.failuresOutside > 0 ? " in this window" : ""}: not this problem.`;
    return { outcome: "clear", found: false, summary, evidence: others, advice: [] };
  }
  const summary = "Not this problem: what failed has other causes.";
  return { outcome: "clear", found: false, summary, evidence: others, advice };
}

const asNote = (doubt: string) => `The figures are the least there was: ${doubt}`;

/** Failures that pacing would not change, by their cause. */
function othersOf({ byFingerprint: by, misconfigured }: Findings): string[] {
  const seen: readonly (readonly [number, string, string])[] = [
    [
      by.SandboxWithoutAddress,
      "sandbox without an address (the network plugin, CNI, had no IP address left)",
      "sandboxes without an address (the network plugin, CNI, had no IP address left)",
    ],
    [
      by.SandboxNetwork,
      "sandbox whose network could not be set up (CNI)",
      "sandboxes whose network could not be set up (CNI)",
    ],
    [
      by.OtherSandboxError,
      "sandbox that was not made, for another reason",
      "sandboxes that were not made, for another reason",
    ],
    [by.NoSpaceLeft, "start that found no space left on the disk", "starts that found no space left on the disk"],
    [
      by.ImagePullBackOff,
      "failed image pull (wrong name, credentials or registry)",
      "failed image pulls (wrong name, credentials or registry)",
    ],
    [
      misconfigured,
      "StartError that the image or the manifest explains",
      "StartErrors that the image or the manifest explains",
    ],
    [
      by.Unrelated,
      "container end that has other causes (out of memory, the program's own exit, configuration)",
      "container ends that have other causes (out of memory, the program's own exit, configuration)",
    ],
  ];
  return seen.filter(([count]) => count > 0).map(([count, one, more]) => `Seen: ${many(count, one, more)}.`);
}

/** Young needs an age that is known: a node first seen in the input may be of any age. */
const isYoung = ({ nodeAgeSeconds, nodeAgeFrom }: Herd) =>
  nodeAgeFrom === "creation" && nodeAgeSeconds !== null && nodeAgeSeconds < YOUNG_SECONDS;

function summaryOf({ herds }: Findings, remedies: Remedies): string {
  const failed = harmed(herds).filter(({ podsStarted }) => podsStarted >= HERD_PODS);
  // What has its cure elsewhere is told apart: it is no sign of an overloaded node.
  const { elsewhere: _, ...helped } = remedies;
  const starts = many(
    Object.values(helped).reduce((sum, count) => sum + count, 0),
    "failed start",
  );
  if (remedies.node === 0) return pullSummary(remedies);
  if (failed.some(isYoung)) return `A herd on young nodes: ${starts}, where many pods came to a new node at once.`;
  if (failed.length > 0) return `A herd: ${starts}, where many pods came to one node at once.`;
  return `${starts} with the marks of an overloaded node; what else started then is not in this input.`;
}

function pullSummary(remedies: Remedies): string {
  const parts = [
    remedies["pull-limit"] > 0
      ? `${many(remedies["pull-limit"], "image pull")} refused by the kubelet's own pull limit: not the disk`
      : "",
    remedies["registry-limit"] > 0
      ? `${many(remedies["registry-limit"], "image pull")} refused by the registry's rate limit (429 Too Many Requests): not the disk`
      : "",
    remedies["slow-pull"] > 0
      ? `${many(remedies["slow-pull"], "image pull")} ran out of time or made no progress (time-out): a busy disk, the network or the registry`
      : "",
  ];
  return `${parts.filter((text) => text !== "").join("; ")}.`;
}

function evidenceOf(findings: Findings): string[] {
  const { byFingerprint: by, herds, queryTotal, byNode } = findings;
  const worst = harmed(herds).toSorted((a, b) => b.failures - a.failures || b.podsStarted - a.podsStarted)[0];
  const told: readonly (readonly [number, string])[] = [
    [
      by.NamespacePathProc0,
      `${many(by.NamespacePathProc0, "container")} died on /proc/0: containerd could not ask for its sandbox in time.`,
    ],
    [by.ShimTaskContextCanceled, `${many(by.ShimTaskContextCanceled, "shim")} cancelled: creating took too long.`],
    [
      by.OtherStartError - findings.misconfigured,
      `${many(by.OtherStartError - findings.misconfigured, "container")} not created or started in time, or for a reason that neither image nor manifest explains.`,
    ],
    [
      by.ReservedContainerName,
      `${many(by.ReservedContainerName, "container name")} still reserved: an earlier creation ran past the 2 min runtime request time-out.`,
    ],
    [by.SandboxDeadline, `${many(by.SandboxDeadline, "sandbox", "sandboxes")} not made in time.`],
    [by.PullQPSExceeded, `${many(by.PullQPSExceeded, "pull")} refused with "pull QPS exceeded".`],
    [by.RegistryRateLimited, `${many(by.RegistryRateLimited, "pull")} refused by the registry: 429 Too Many Requests.`],
    [by.PullStalled, `${many(by.PullStalled, "pull")} ran out of time or made no progress.`],
    [worst ? 1 : 0, worst ? herdSentence(worst) : ""],
    [byNode.size, `${many(byNode.size, "node")} affected.`],
    [
      queryTotal,
      `The CloudWatch query counts ${many(queryTotal, "audit event")}: one failure is reported more than once.`,
    ],
  ];
  return told.filter(([count]) => count > 0).map(([, text]) => text);
}

function herdSentence({ node, podsStarted, startMs, lastMs, failures, nodeAgeSeconds, nodeAgeFrom }: Herd): string {
  const within = Math.max(1, Math.ceil((lastMs - startMs) / 1_000));
  return `${many(podsStarted, "pod")} came to ${node} within ${within} s${ageOf(nodeAgeSeconds, nodeAgeFrom)}; ${many(failures, "start")} failed.`;
}

function ageOf(seconds: number | null, from: Herd["nodeAgeFrom"]): string {
  if (seconds === null) return "";
  return from === "creation"
    ? `, when it was ${spanWords(seconds)} old (since its creation)`
    : ` (its age is unknown: at least ${spanWords(seconds)}, since it was first seen)`;
}
