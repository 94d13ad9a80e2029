/**
 * The policy of the API server's audit log. It has the shape that Amazon EKS writes to CloudWatch for kubelets, so that
 * the query of awslabs/amazon-eks-ami#1651 (`requestObject.status.containerStatuses.0.lastState.terminated.reason`) and
 * `paceline diagnose` can be run on it. First match wins.
 */
import { stringify } from "yaml";

const READS = ["get", "list", "watch"];
const EVENTS = [{ group: "", resources: ["events"] }, { group: "events.k8s.io" }];

/**
 * The policy as YAML, for `--audit-policy-file`.
 * @param readers users whose reads are logged, too
 * @param withEvents Events that are made are logged, too, with what they say
 */
export function auditPolicyYaml(readers: readonly string[], withEvents = false): string {
  const reads = readers.length === 0 ? [] : [{ level: "Metadata", users: readers, verbs: READS }];
  const events = withEvents ? [{ level: "Request", verbs: ["create"], resources: EVENTS }] : [];
  return stringify({ ...policy, rules: [...reads, ...events, ...policy.rules] });
}

const policy = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [
    // Heartbeats and Events are most of a cluster's requests and add no information.
    { level: "None", resources: [{ group: "coordination.k8s.io", resources: ["leases"] }] },
    { level: "None", resources: EVENTS },
    { level: "None", verbs: READS },
    { level: "None", nonResourceURLs: ["*"] },
    // A node's status has its whole image list in every answer, so the request alone is logged.
    { level: "Request", resources: [{ group: "", resources: ["nodes/status"] }] },
    {
      level: "RequestResponse",
      resources: [{ group: "", resources: ["pods", "pods/status", "pods/binding", "pods/eviction", "nodes"] }],
    },
    { level: "Metadata" },
  ],
};
