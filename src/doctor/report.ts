/** What `paceline doctor` prints: JSON, or text for a terminal. */
import { type Finding, findingCodes, many } from "./finding-codes.ts";
import type { ClusterFacts } from "./facts.ts";
import { type Summary, summaryOf } from "./summary.ts";

/** The most images and kinds that the text lists. */
const MOST_ROWS = 5;

/** The shape of `--json`; docs/doctor.md describes it. */
export function doctorJson(facts: ClusterFacts, findings: readonly Finding[]) {
  return { findings: findings.map(withReason), notes: facts.notes, ...summaryOf(facts) };
}

const withReason = ({ code, severity, about, seen, change }: Finding) => {
  const words = { about, seen, why: findingCodes[code], change };
  return { code, severity: severity ?? "warning", ...words };
};

export function doctorText(facts: ClusterFacts, findings: readonly Finding[]): string {
  const summary = summaryOf(facts);
  return [
    "Seen",
    ...[...clusterLines(summary), ...pacelineLines(summary)].map((line) => `  ${line}`),
    ...section(
      "Not seen, or only in part",
      facts.notes.map((note) => `  ${note}`),
    ),
    "",
    countText(findings),
    ...findings.flatMap(findingLines),
    "",
  ].join("\n");
}

function countText(findings: readonly Finding[]): string {
  const notes = findings.filter(({ severity }) => severity === "note").length;
  const warnings = findings.length - notes;
  const told = warnings === 0 ? "Nothing to mend." : `${many(warnings, "finding")}:`;
  return notes === 0 ? told : `${told} ${many(notes, "note")}${warnings === 0 ? ":" : " among what follows."}`;
}

const section = (title: string, lines: readonly string[]) => (lines.length === 0 ? [] : ["", title, ...lines]);

function findingLines({ code, severity, about, seen, change }: Finding, index: number): string[] {
  return [
    "",
    `${index + 1}. ${code}${severity === undefined ? "" : ` (${severity})`}: ${about.join(", ")}`,
    `   Seen:    ${seen}`,
    `   Matters: ${findingCodes[code]}`,
    `   Change:  ${change.replaceAll("\n", `\n${" ".repeat(12)}`)}`,
  ];
}

function clusterLines({ cluster, starts }: Summary): string[] {
  const { images, kubeletConfigurations } = cluster;
  return [
    `${many(cluster.nodes, "node")}, ${cluster.joinedLastDay} joined in the last day; ${many(cluster.pods, "pod")}`,
    ...counted("instance types", cluster.instanceTypes),
    ...counted("runtimes", cluster.runtimes),
    ...counted("kubelets", cluster.kubelets),
    ...kubeletConfigurations
      .slice(0, MOST_ROWS)
      .map(
        (one) =>
          `${many(one.nodes, "kubelet")} with registryPullQPS ${one.registryPullQPS ?? "?"}, registryBurst ${one.registryBurst ?? "?"}, serializeImagePulls ${one.serializeImagePulls ?? "?"}, maxParallelImagePulls ${one.maxParallelImagePulls ?? "none"}, runtimeRequestTimeout ${one.runtimeRequestTimeoutSeconds ?? "?"} s`,
      ),
    ...counted("cgroups", cluster.cgroups),
    ...counted("pressure figures (PSI)", cluster.pressureFigures),
    ...cluster.youngestNodes
      .slice(0, MOST_ROWS)
      .map(
        ({ name, ageSeconds, podsStartedWhileYoung }) =>
          `${name}: ${ageSeconds} s old, ${many(podsStartedWhileYoung, "pod")} came while it was young`,
      ),
    `${many(images.inUse, "image")} in use, ${gigabytes(images.bytes)} as nodes list them${images.ofUnknownSize > 0 ? ` (${images.ofUnknownSize} listed by no node)` : ""}; Kubernetes does not tell their layers`,
    ...images.largest
      .slice(0, MOST_ROWS)
      .map(({ name, bytes, pods }) => `  ${bytes === null ? "?" : gigabytes(bytes)}  ${name} (${many(pods, "pod")})`),
    `${many(starts.failures, "failed start")} in the last day`,
  ];
}

function pacelineLines({ paceline }: Summary): string[] {
  const extenders = paceline.schedulers.map(
    ({ where, names, extenders: ours }) =>
      `scheduler ${names.join(", ")} (${where}) ${ours.length > 0 ? "calls Paceline's extender" : "does not call Paceline"}`,
  );
  if (!paceline.installed) return ["Paceline is not installed", ...extenders];
  const { policy, leader, webhooks, heldPods, rights } = paceline;
  return [
    ...policyLines(policy, heldPods),
    leader === null ? "leader unknown" : `leader: ${leader.holder || "nobody"}${leader.alive ? "" : " (not alive)"}`,
    ...webhooks.map(
      ({ name, answer, certificateEnds }) =>
        `webhook ${name}: ${answer}${certificateEnds === null ? "" : `, its certificate ends ${certificateEnds}`}`,
    ),
    ...rights.map(
      ({ account, missing }) =>
        `rights of ${account}: ${missing === null ? "not asked" : missing.length === 0 ? "all there" : `${missing.length} missing`}`,
    ),
    ...extenders,
  ];
}

function policyLines(policy: Extract<Summary["paceline"], { installed: true }>["policy"], held: number): string[] {
  const holding = `${many(held, "pod")} held`;
  if (!policy.valid) return [`Paceline without a valid policy; ${holding}`];
  const levers = Object.entries(policy.levers).flatMap(([lever, on]) => (on ? [lever] : []));
  return [
    `Paceline in mode ${policy.mode}, levers ${levers.join(", ") || "none"}; ${holding}`,
    ...counted("nodes by class", policy.nodesByClass),
    `the fence selects ${many(policy.nodesTheFenceSelects, "node")}; ${policy.youngNodes} young now`,
  ];
}

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;

function counted(title: string, counts: Readonly<Record<string, number>>): string[] {
  const entries = Object.entries(counts);
  if (entries.length === 0) return [];
  const rest = entries.length - MOST_ROWS;
  const told = entries.slice(0, MOST_ROWS).map(([name, count]) => `${name} (${count})`);
  return [`${title}: ${told.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`];
}
