/** Rules about the neighbours of Paceline: schedulers, DaemonSets, autoscalers. */
import { FENCE_TAINT_KEY, KARPENTER_NODEPOOL_LABEL } from "../../api/names.ts";
import { type ClusterFacts, type DaemonSetSeen, type ExtenderSeen, isFencing, policyOf } from "../facts.ts";
import { type Finding, type FindingCode, many, someOf } from "../finding-codes.ts";

/** Above this, a hanging extender stops scheduling for too long. scheduler-config/ has 1 s. Assumed, ms. */
const LONG_TIMEOUT_MS = 2_000;
/** Cluster Autoscaler knows the fence's prefix without a flag from this minor version on. */
const KNOWS_PREFIX = 29;
const TOLERATION = { key: FENCE_TAINT_KEY, operator: "Exists", effect: "NoSchedule" };
/** As many commands as a finding names objects. */
const MOST_COMMANDS = 5;

export function findSurroundingsProblems(facts: ClusterFacts): Finding[] {
  return [
    ...schedulers(facts),
    ...(isFencing(facts) ? [...daemonSets(facts), ...nodePools(facts), ...autoscalers(facts)] : []),
  ];
}

function schedulers(facts: ClusterFacts): Finding[] {
  const policy = policyOf(facts);
  return facts.schedulers.flatMap(({ where, names, extenders }) =>
    extenders.flatMap((extender) => {
      const found = extenderFindings(where, extender);
      if (policy !== undefined && !policy.extender.enabled) {
        found.push({
          code: "ExtenderOffInPolicy",
          about: [where],
          seen: `${names.join(", ")} calls ${extender.urlPrefix}, and the policy has extender.enabled: false.`,
          change: "Policy: extender: { enabled: true }; or take the extender out of the scheduler's configuration.",
        });
      }
      return found;
    }),
  );
}

function extenderFindings(
  where: string,
  { urlPrefix, ignorable, nodeCacheCapable, preempts, timeoutMs }: ExtenderSeen,
): Finding[] {
  const found = (code: FindingCode, seen: string, change: string): Finding => ({
    code,
    about: [where],
    seen: `The extender ${urlPrefix} has ${seen}.`,
    change: `In its entry under extenders: ${change}.`,
  });
  return [
    ...(ignorable ? [] : [found("ExtenderNotIgnorable", "ignorable: false", "ignorable: true")]),
    ...(nodeCacheCapable
      ? []
      : [found("ExtenderSendsWholeNodes", "nodeCacheCapable: false", "nodeCacheCapable: true")]),
    ...(preempts ? [] : [found("ExtenderLetsEvict", "no preemptVerb", "preemptVerb: preempt")]),
    ...(timeoutMs !== undefined && timeoutMs > 0 && timeoutMs <= LONG_TIMEOUT_MS
      ? []
      : [
          found(
            "ExtenderTimeoutLong",
            timeoutMs ? `httpTimeout: ${timeoutMs / 1_000}s` : "no httpTimeout",
            "httpTimeout: 1s",
          ),
        ]),
  ];
}

function daemonSets({ daemonSets: all }: ClusterFacts): Finding[] {
  const waiting = all.filter(({ toleratesFence }) => !toleratesFence);
  if (waiting.length === 0) return [];
  const more = waiting.length - MOST_COMMANDS;
  return [
    {
      code: "DaemonSetWaitsForFence",
      about: someOf(
        "DaemonSet",
        waiting.map(({ name }) => name),
      ),
      seen: `${waiting.length} of ${many(all.length, "DaemonSet")} do not tolerate the fence.`,
      change: [
        "For those that the node or other pods need (this restarts their pods):",
        ...waiting.slice(0, MOST_COMMANDS).map(toleranceCommand),
        ...(more > 0 ? [`and ${more} more`] : []),
      ].join("\n"),
    },
  ];
}

/** A strategic merge would replace the list of tolerations, so it is a JSON patch. */
function toleranceCommand({ name: fullName, hasTolerations }: DaemonSetSeen): string {
  const [namespace, name] = fullName.split("/");
  const path = "/spec/template/spec/tolerations";
  const patch = hasTolerations
    ? { op: "add", path: `${path}/-`, value: TOLERATION }
    : { op: "add", path, value: [TOLERATION] };
  return `kubectl patch daemonset ${name} -n ${namespace} --type=json -p '${JSON.stringify([patch])}'`;
}

function nodePools(facts: ClusterFacts): Finding[] {
  const { nodePools: pools } = facts;
  const fenceSeconds = policyOf(facts)?.fence.maxSeconds ?? 0;
  const open = pools.filter(({ hasStartupTaint }) => !hasStartupTaint).map(({ name }) => name);
  const hasty = pools.filter(({ consolidateAfterMs: ms }) => ms !== undefined && ms < fenceSeconds * 1_000);
  const found: Finding[] = [];
  if (open.length > 0) {
    found.push({
      code: "NodePoolWithoutStartupTaint",
      about: someOf("NodePool", open),
      seen: `${open.length} of ${many(pools.length, "NodePool")} do not have the fence among their startupTaints.`,
      change: `spec.template.spec.startupTaints: [{ key: ${FENCE_TAINT_KEY}, effect: NoSchedule }]. ${driftText(facts, open)}`,
    });
  }
  const [first] = hasty;
  if (first !== undefined) {
    found.push({
      ...{
        code: "NodePoolConsolidatesEarly",
        about: someOf(
          "NodePool",
          hasty.map(({ name }) => name),
        ),
      },
      seen: `consolidateAfter is ${(first.consolidateAfterMs ?? 0) / 1_000} s, below fence.maxSeconds (${fenceSeconds} s).`,
      change: `spec.disruption.consolidateAfter: ${Math.ceil((fenceSeconds * 1.5) / 60)}m.`,
    });
  }
  return found;
}

/** Startup taints are a part of the hash by which Karpenter finds nodes that differ from their NodePool. */
function driftText({ nodes = [] }: ClusterFacts, pools: readonly string[]): string {
  const count = nodes.filter(({ labels }) => pools.includes(labels[KARPENTER_NODEPOOL_LABEL] ?? "")).length;
  const which =
    count === 0
      ? "the NodePool's nodes, if there are any by then"
      : `${many(count, "node")} that ${count === 1 ? "is" : "are"} there now`;
  return `Karpenter takes that for drift and replaces ${which}, as spec.disruption.budgets allow: make the change when that is welcome, or in a NodePool that is new.`;
}

function autoscalers(facts: ClusterFacts): Finding[] {
  const fenceSeconds = policyOf(facts)?.fence.maxSeconds ?? 0;
  return facts.autoscalers.flatMap(({ name, minor, knowsFence, delayAfterAddMs }) => {
    const about = [`Deployment/${name}`];
    const found: Finding[] = [];
    if (minor !== undefined && minor < KNOWS_PREFIX && !knowsFence) {
      found.push({
        code: "AutoscalerIgnoresFence",
        about,
        seen: `Cluster Autoscaler 1.${minor} without --ignore-taint for the fence.`,
        change: `Add --ignore-taint=${FENCE_TAINT_KEY}, or upgrade to 1.29 or later.`,
      });
    }
    if (delayAfterAddMs < fenceSeconds * 1_000) {
      found.push({
        code: "AutoscalerScalesDownEarly",
        about,
        seen: `--scale-down-delay-after-add is ${delayAfterAddMs / 1_000} s, below fence.maxSeconds (${fenceSeconds} s).`,
        change: `--scale-down-delay-after-add=${Math.ceil(fenceSeconds / 60)}m.`,
      });
    }
    return found;
  });
}
