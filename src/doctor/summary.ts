/** The figures around the findings: what doctor saw, whether or not it is a problem. */
import { nodeClassFor, matchesSelector } from "../policy/resolve.ts";
import { rfc3339 } from "../diagnose/json.ts";
import { type ClusterFacts, type KubeletSeen, policyOf, type WebhookSeen } from "./facts.ts";

const DAY_MS = 86_400_000;
/** The most young nodes and images that are listed, also in `--json`, since there may be thousands. */
const MOST_ROWS = 20;

/** The figures of `--json`; the text is made from them. */
export function summaryOf(facts: ClusterFacts) {
  return { cluster: clusterSummary(facts), starts: startsSummary(facts), paceline: pacelineSummary(facts) };
}
export type Summary = ReturnType<typeof summaryOf>;

function clusterSummary({ nodes = [], kubelets, pods, nowMs }: ClusterFacts) {
  const recent = nodes.filter(({ createdAtMs }) => nowMs - createdAtMs < DAY_MS);
  const youngest = recent.toSorted((a, b) => b.createdAtMs - a.createdAtMs).slice(0, MOST_ROWS);
  return {
    nodes: nodes.length,
    joinedLastDay: recent.length,
    youngestNodes: youngest.map(({ name, createdAtMs }) => ({
      name,
      ageSeconds: Math.round((nowMs - createdAtMs) / 1_000),
      podsStartedWhileYoung: pods?.startedOnYoung.get(name) ?? 0,
    })),
    instanceTypes: countBy(nodes, ({ instanceType }) => instanceType),
    runtimes: countBy(nodes, ({ runtime }) => runtime),
    kubelets: countBy(nodes, ({ kubelet }) => kubelet),
    kubeletConfigurations: kubeletSummary(kubelets),
    cgroups: countBy(kubelets, ({ cgroupVersion }) => (cgroupVersion === undefined ? "unknown" : `v${cgroupVersion}`)),
    pressureFigures: countBy(kubelets, ({ psi }) => (psi === undefined ? "unknown" : psi ? "present" : "absent")),
    pods: pods?.count ?? 0,
    images: imageSummary(pods),
  };
}

/** Kubelets with equal settings, listed once. */
function kubeletSummary(kubelets: readonly KubeletSeen[]) {
  const settings = (one: KubeletSeen) => ({
    registryPullQPS: one.registryPullQPS ?? null,
    registryBurst: one.registryBurst ?? null,
    serializeImagePulls: one.serializeImagePulls ?? null,
    maxParallelImagePulls: one.maxParallelImagePulls ?? null,
    runtimeRequestTimeoutSeconds:
      one.runtimeRequestTimeoutMs === undefined ? null : one.runtimeRequestTimeoutMs / 1_000,
  });
  const alike = Map.groupBy(kubelets, (one) => JSON.stringify(settings(one)));
  return [...alike.values()].flatMap((same) =>
    same.slice(0, 1).map((one) => ({ ...settings(one), nodes: same.length })),
  );
}

/** Kubernetes lists the sizes of images, but not their layers. */
function imageSummary(pods: ClusterFacts["pods"]) {
  const images = pods?.images ?? [];
  return {
    inUse: images.length,
    ofUnknownSize: images.filter(({ bytes }) => bytes === undefined).length,
    bytes: images.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0),
    layers: null,
    largest: images
      .slice(0, MOST_ROWS)
      .map(({ name, bytes, pods: users }) => ({ name, bytes: bytes ?? null, pods: users })),
  };
}

function startsSummary({ pods }: ClusterFacts) {
  const starts = pods?.starts;
  return {
    failures: starts?.total ?? 0,
    byFingerprint: starts?.byFingerprint ?? {},
    byNode: Object.fromEntries(starts?.byNode ?? []),
  };
}

function pacelineSummary(facts: ClusterFacts) {
  const { ours, schedulers } = facts;
  const shared = {
    heldPods: facts.pods?.held.length ?? 0,
    schedulers: schedulers.map(({ where, names, extenders }) => ({ where, names, extenders })),
  };
  if (ours === undefined) return { installed: false as const, ...shared };
  return {
    installed: true as const,
    namespace: ours.namespace,
    ...shared,
    policy: policySummary(facts),
    leader: ours.leader ?? null,
    webhooks: ours.webhooks.map(webhookSummary),
    rights: ours.rights.map(({ account, missing }) => ({ account, missing: missing ?? null })),
  };
}

function webhookSummary({ name, address, answer }: WebhookSeen) {
  const certificate = answer.kind === "trusted" || answer.kind === "untrusted" ? answer.certificate : undefined;
  return {
    name,
    address,
    answer: answer.kind,
    certificateEnds: certificate === undefined ? null : rfc3339(certificate.toMs),
  };
}

/** Says whether the policy is valid, and what it selects. */
function policySummary(facts: ClusterFacts) {
  const policy = policyOf(facts);
  const nodes = facts.nodes ?? [];
  if (policy === undefined) return { valid: false as const };
  const classes = countBy(nodes, ({ labels }) => nodeClassFor(policy, labels).name);
  const unused = policy.nodeClasses.map(({ name }) => [name, classes[name] ?? 0] as const);
  return {
    valid: true as const,
    mode: policy.mode,
    levers: { gate: policy.gate.enabled, fence: policy.fence.enabled, extender: policy.extender.enabled },
    nodesByClass: { ...Object.fromEntries(unused), ...classes },
    nodesTheFenceSelects: nodes.filter(({ labels }) => matchesSelector(policy.fence.nodeSelector, labels)).length,
    youngNodes: nodes.filter((node) => ageMs(node, facts.nowMs) < policy.youngForSeconds * 1_000).length,
  };
}

const ageMs = ({ readySinceMs }: { readonly readySinceMs: number | undefined }, nowMs: number) =>
  readySinceMs === undefined ? 0 : nowMs - readySinceMs;

function countBy<T>(items: readonly T[], key: (item: T) => string): Record<string, number> {
  const counts = [...Map.groupBy(items, key)].map(([name, of]) => [name, of.length] as const);
  return Object.fromEntries(counts.sort((a, b) => b[1] - a[1]));
}
