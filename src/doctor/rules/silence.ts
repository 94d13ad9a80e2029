/** Rules about an API server that does not ask Paceline, and about writes of Paceline that it refuses. */
import { SAME_QUESTION_MS } from "../../core/state/webhook-silence.ts";
import {
  type ClusterFacts,
  type CreatedPod,
  GATE_WEBHOOK,
  type LeaderSeen,
  policyOf,
  type WebhookSeen,
} from "../facts.ts";
import { type Finding, many, someOf } from "../finding-codes.ts";

/** Replicas that were not asked for this long, though pods were created, are not reached, ms. As the alert. */
const LONG_SILENCE_MS = 300_000;

export function findSilence(facts: ClusterFacts): Finding[] {
  return [...unasked(facts), ...refusedByRewriters(facts)];
}

function unasked(facts: ClusterFacts): Finding[] {
  const webhook = facts.ours?.webhooks.find(({ name }) => name === GATE_WEBHOOK);
  const leader = facts.ours?.leader;
  if (leader?.alive !== true || webhook === undefined || policyOf(facts)?.gate.enabled !== true) return [];
  // The cause is a finding of its own.
  if (webhook.answer.kind === "silent" || webhook.answer.kind === "untrusted") return [];
  const { askedMs, silent } = silenceOf(facts.pods?.created ?? [], leader, webhook);
  const [first] = silent;
  if (first === undefined || facts.nowMs - first.createdMs < LONG_SILENCE_MS) return [];
  const last = askedMs === -Infinity ? "no replica was ever asked" : `the last question was at ${timeText(askedMs)}`;
  return [
    {
      code: "WebhookNotAsked",
      about: [`${webhook.configuration}/${webhook.name}`],
      seen: `${many(silent.length, "pod")} that it selects came since ${timeText(first.createdMs)}, such as ${first.name}, and ${last}. The leader is alive.`,
      change:
        "Let the API server reach the webhook's Service. Private GKE: a firewall rule from the control plane's range to TCP 8443 of the nodes, or serve on port 10250. EKS with an overlay CNI: hostNetwork. Elsewhere: security groups, NetworkPolicies. Then its certificate: run doctor in the cluster (chart: doctor.enabled=true).",
    },
  ];
}

/** The last question that is known of, and the pods that came after it, oldest first. */
function silenceOf(created: readonly CreatedPod[], leader: LeaderSeen, webhook: WebhookSeen) {
  const askedMs = created
    .filter(({ gated }) => gated)
    .reduce((latest, { createdMs }) => Math.max(latest, createdMs), leader.askedMs ?? -Infinity);
  const fromMs = Math.max(askedMs + SAME_QUESTION_MS, leader.sinceMs, webhook.createdMs);
  const silent = created.filter(({ createdMs }) => createdMs > fromMs);
  return { askedMs, silent: silent.sort((a, b) => a.createdMs - b.createdMs) };
}

const timeText = (ms: number) => new Date(ms).toISOString();

function refusedByRewriters({ ours, rewriters, pods }: ClusterFacts): Finding[] {
  if (ours?.accountsDenied !== true) return [];
  const refused = pods?.refusedWrites ?? [];
  const names = [...new Set(rewriters.map(({ configuration, name }) => `${configuration}/${name}`))];
  if (refused.length > 0) {
    return [
      {
        code: "OwnWriteRefused",
        about: someOf("Pod", refused),
        seen: `The policies of Paceline's accounts refused its writes to ${many(refused.length, "pod")}${names.length > 0 ? `; webhooks that may have changed them: ${names.slice(0, 5).join(", ")}` : ""}.`,
        change: AUDIT,
      },
    ];
  }
  if (names.length === 0) return [];
  const kinds = [...new Set(rewriters.flatMap((one) => one.kinds))].join(" and ");
  return [
    {
      code: "WebhookMayRewrite",
      severity: "note",
      about: names.slice(0, 5),
      seen: `${many(names.length, "webhook")} of others ${names.length === 1 ? "is" : "are"} called when ${kinds} are updated, and admissionPolicies.accounts is Deny. None of Paceline's writes was seen refused.`,
      change: `Nothing, if they change objects at their creation only. Otherwise: ${AUDIT}`,
    },
  ];
}

const AUDIT = "helm upgrade … --reset-then-reuse-values --set admissionPolicies.accounts=Audit.";
