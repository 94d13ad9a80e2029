/** Rules about Paceline's leader, policy, rights, and the pods and nodes it holds. */
import { fencedSinceMs } from "../../core/state/held-since.ts";
import { CAPS_WITHOUT_POLICY } from "../../policy/caps.ts";
import { DEFAULT_NAMESPACE, POLICY_CONFIG_MAP } from "../../api/names.ts";
import { type ClusterFacts, type OursSeen, policyOf } from "../facts.ts";
import { type Finding, many, someOf } from "../finding-codes.ts";

/** Tolerance past a cap: the janitor runs every minute by default, and takes a while to start, ms. */
const GRACE_MS = 90_000;

const RIGHTS_CHANGE =
  "kubectl apply -f webhook-config/ (rbac.yaml, janitor.yaml) or scheduler-config/second-scheduler.yaml, or helm upgrade (docs/security.md lists all rights).";
/** Rights that `telemetry-config/` grants, by bindings that name their accounts. */
const TELEMETRY_RIGHT = /endpointslices|nodes\/proxy/;
const TELEMETRY_CHANGE = `Add the account to the subjects of the binding in telemetry-config/ (node-exporter.yaml or kubelet-rbac.yaml). For other rights: ${RIGHTS_CHANGE}`;

export function findServiceProblems(facts: ClusterFacts): Finding[] {
  const { ours } = facts;
  return [
    ...(ours === undefined ? [] : [...policyFindings(ours), ...leaderFindings(ours), ...rightFindings(ours)]),
    ...heldWithoutLeader(facts),
    ...pastCaps(facts),
  ];
}

function policyFindings({ policy, namespace }: OursSeen): Finding[] {
  const about = [`ConfigMap/${namespace}/${POLICY_CONFIG_MAP}`];
  if (policy === "missing") {
    return [
      {
        code: "PolicyMissing",
        about,
        seen: `There is no ConfigMap ${POLICY_CONFIG_MAP} in namespace ${namespace}.`,
        change: `kubectl apply -f webhook-config/policy.yaml (or helm upgrade); Paceline elsewhere: doctor --namespace NAME.`,
      },
    ];
  }
  if (policy === undefined || policy.ok) return [];
  const errors = policy.errors.map(({ message }) => message);
  return [
    {
      code: "PolicyInvalid",
      about,
      seen: `${many(errors.length, "error")}: ${errors.join("; ")}.`,
      change: `kubectl -n ${namespace} edit configmap ${POLICY_CONFIG_MAP}, and correct these places (docs/policy.md).`,
    },
  ];
}

function leaderFindings({ leader, namespace }: OursSeen): Finding[] {
  if (leader === undefined || leader.alive) return [];
  const told =
    leader.renewed === ""
      ? "There is no Lease paceline-leader"
      : leader.holder === ""
        ? "The Lease paceline-leader has no holder"
        : `${leader.holder} renewed the Lease paceline-leader last at ${leader.renewed}`;
  return [
    {
      code: "NoLeader",
      about: [`Lease/${namespace}/paceline-leader`],
      seen: `${told}.`,
      change: `kubectl -n ${namespace} get pods -l paceline.dev/component=serve; kubectl -n ${namespace} logs -l paceline.dev/component=serve: bring a replica back, or paceline release --all.`,
    },
  ];
}

function rightFindings({ rights }: OursSeen): Finding[] {
  return rights.flatMap(({ account, missing = [] }) =>
    missing.length === 0
      ? []
      : {
          code: "MissingRight",
          about: [account],
          seen: `${account} may not: ${missing.join(", ")}.`,
          change: missing.some((right) => TELEMETRY_RIGHT.test(right)) ? TELEMETRY_CHANGE : RIGHTS_CHANGE,
        },
  );
}

function heldWithoutLeader({ pods, ours, nowMs }: ClusterFacts): Finding[] {
  const held = pods?.held ?? [];
  if (held.length === 0 || ours?.leader?.alive === true) return [];
  if (ours !== undefined && ours.leader === undefined) return []; // the Lease could not be read
  const longest = Math.max(...held.map(({ sinceMs }) => nowMs - sinceMs));
  return [
    {
      ...{
        code: "HeldWithoutLeader",
        about: someOf(
          "Pod",
          held.map(({ name }) => name),
        ),
      },
      seen: `${many(held.length, "pod")} held, one of them for ${Math.round(longest / 1_000)} s, and nobody leads.`,
      change: "paceline release --all (docs/operations.md has the same with kubectl alone).",
    },
  ];
}

function pastCaps(facts: ClusterFacts): Finding[] {
  const { nowMs, pods, nodes, ours } = facts;
  const policy = policyOf(facts);
  const holdMs = (policy?.maxHoldSeconds ?? CAPS_WITHOUT_POLICY.holdSeconds) * 1_000;
  const fenceMs = (policy?.fence.maxSeconds ?? CAPS_WITHOUT_POLICY.fenceSeconds) * 1_000;
  const held = (pods?.held ?? []).filter(({ sinceMs }) => nowMs - sinceMs > holdMs + GRACE_MS);
  const fenced = (nodes ?? []).filter(
    (node) => node.fence !== undefined && nowMs - fencedSinceMs(node) > fenceMs + GRACE_MS,
  );
  const look = `kubectl -n ${ours?.namespace ?? DEFAULT_NAMESPACE} get cronjobs,jobs: does the janitor run? By hand: paceline release --expired.`;
  const found: Finding[] = [];
  if (held.length > 0) {
    found.push({
      ...{
        code: "HeldPastCap",
        about: someOf(
          "Pod",
          held.map(({ name }) => name),
        ),
        change: look,
      },
      seen: `${many(held.length, "pod")} held for longer than ${holdMs / 1_000} s.`,
    });
  }
  if (fenced.length > 0) {
    found.push({
      ...{
        code: "FencePastCap",
        about: someOf(
          "Node",
          fenced.map(({ name }) => name),
        ),
        change: look,
      },
      seen: `${many(fenced.length, "node")} fenced for longer than ${fenceMs / 1_000} s.`,
    });
  }
  return found;
}
