/** Rules about Paceline's webhooks. */
import { type CertificateSeen, type ClusterFacts, type OursSeen, policyOf, type WebhookSeen } from "../facts.ts";
import type { Finding } from "../finding-codes.ts";

/** Certificates are renewed at two thirds of their life. With less than this share left, renewal does not work. */
const SHARE_LEFT = 1 / 6;
/** Above this, a hanging webhook slows the cluster noticeably. The chart's webhooks have 2 s. Assumed, s. */
const LONG_TIMEOUT_SECONDS = 5;
const LEVERS = { gate: "pods.paceline.dev", fence: "nodes.paceline.dev" } as const;

export function findWebhooksProblems(facts: ClusterFacts): Finding[] {
  const { ours, nowMs } = facts;
  if (ours === undefined) return [];
  return [
    ...missing(facts, ours),
    ...ours.webhooks.flatMap((webhook) => [...reached(webhook), ...ending(webhook, nowMs), ...configured(webhook)]),
    ...twice(ours),
  ];
}

const about = ({ configuration, name }: WebhookSeen) => [`${configuration}/${name}`];

function missing(facts: ClusterFacts, { webhooks }: OursSeen): Finding[] {
  const policy = policyOf(facts);
  if (policy === undefined || policy.mode === "off") return [];
  const names = new Set(webhooks.map(({ name }) => name));
  const levers = (["gate", "fence"] as const).filter((lever) => policy[lever].enabled && !names.has(LEVERS[lever]));
  return levers.map((lever) => ({
    code: "WebhookMissing",
    about: [`Webhook/${LEVERS[lever]}`],
    seen: `The policy has ${lever}.enabled: true, and no webhook ${LEVERS[lever]} is configured.`,
    change: `kubectl apply -f webhook-config/webhooks.yaml (chart: webhooks.${lever === "gate" ? "pods" : "nodes"}=true); or policy: ${lever}.enabled: false.`,
  }));
}

function reached(webhook: WebhookSeen): Finding[] {
  const { answer, address } = webhook;
  switch (answer.kind) {
    case "silent":
      return [
        {
          code: "WebhookUnreachable",
          about: about(webhook),
          seen: `Nobody answers at ${address}: ${answer.why}`,
          change:
            "kubectl -n paceline get pods,endpointslices: are the replicas ready? If they are, let the API server reach port 8443 (security groups, NetworkPolicy).",
        },
      ];
    case "untrusted":
      return [
        {
          code: "WebhookCertificateUntrusted",
          about: about(webhook),
          seen: `${address} serves a certificate of ${answer.certificate.subject} that its caBundle (${webhook.authorities.length} certificates) does not accept: ${answer.why}.`,
          change:
            "Put the authority that signed it into the webhook's caBundle (certificates.mode automatic: the leader does, so look at its log; cert-manager: the annotation cert-manager.io/inject-ca-from; files: certificates.caBundle of the chart).",
        },
      ];
    case "trusted":
    case "unchecked":
      return [];
    default:
      return answer satisfies never;
  }
}

function ending(webhook: WebhookSeen, nowMs: number): Finding[] {
  const first = certificatesOf(webhook).find((one) => leftShare(one, nowMs) < SHARE_LEFT);
  if (first === undefined) return [];
  const isOver = nowMs >= first.toMs;
  return [
    {
      code: "CertificateExpiring",
      about: about(webhook),
      seen: `The certificate of ${first.subject} ${isOver ? "ended" : "ends"} at ${new Date(first.toMs).toISOString()}.`,
      change:
        "Renew it: certificates.mode automatic does so by itself (see the leader's log, `kept the certificate in use`); cert-manager: kubectl cert-manager renew; files: node certs/make-certs.ts and replace the Secret.",
    },
  ];
}

/**
 * Checks the served certificate and the authority that expires last. Older authorities may stay in the bundle beside
 * it.
 */
function certificatesOf({ answer, authorities }: WebhookSeen): CertificateSeen[] {
  const served = answer.kind === "trusted" || answer.kind === "untrusted" ? [answer.certificate] : [];
  return [...served, ...authorities.toSorted((a, b) => b.toMs - a.toMs).slice(0, 1)];
}

const leftShare = ({ fromMs, toMs }: CertificateSeen, nowMs: number) => (toMs - nowMs) / (toMs - fromMs);

function configured(webhook: WebhookSeen): Finding[] {
  const { failurePolicy, timeoutSeconds, seesKubeSystem } = webhook;
  const found: Finding[] = [];
  if (failurePolicy !== "Ignore") {
    found.push({
      code: "WebhookFailsClosed",
      about: about(webhook),
      seen: `failurePolicy: ${failurePolicy}.`,
      change: "failurePolicy: Ignore.",
    });
  }
  if (timeoutSeconds > LONG_TIMEOUT_SECONDS) {
    found.push({
      code: "WebhookTimeoutLong",
      about: about(webhook),
      seen: `timeoutSeconds: ${timeoutSeconds}.`,
      change: "timeoutSeconds: 2.",
    });
  }
  if (seesKubeSystem) {
    found.push({
      code: "WebhookSeesKubeSystem",
      about: about(webhook),
      seen: "Its namespaceSelector selects kube-system.",
      change:
        "namespaceSelector.matchExpressions: { key: kubernetes.io/metadata.name, operator: NotIn, values: [kube-system] }.",
    });
  }
  return found;
}

function twice({ webhooks }: OursSeen): Finding[] {
  const byName = Map.groupBy(webhooks, ({ name }) => name);
  const doubled = [...byName.values()].filter((same) => same.length > 1);
  const [first] = doubled;
  if (first === undefined) return [];
  return [
    {
      code: "TwoInstallations",
      about: first.flatMap(about),
      seen: `${doubled.map((same) => `${same[0]?.name ?? ""} in ${same.map(({ configuration }) => configuration).join(" and ")}`).join("; ")}.`,
      change: "helm uninstall one of them.",
    },
  ];
}
