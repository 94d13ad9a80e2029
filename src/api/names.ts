/** Every name that Paceline puts into a cluster. After a renaming, nothing cleans up what earlier versions wrote. */

/** The scheduling gate that holds a pod (`spec.schedulingGates[].name`). */
export const GATE = "paceline.dev/startup";

/**
 * Key of the fence taint. Cluster Autoscaler (1.29 and later) takes taints with this prefix for temporary, so a fenced
 * node still counts as room for pending pods.
 */
export const FENCE_TAINT_KEY = "startup-taint.cluster-autoscaler.kubernetes.io/paceline";

/**
 * Key of the soft taint of a young node whose fence is down (steer): kube-scheduler prefers other nodes that have room.
 * It is not the fence's key, which would make Cluster Autoscaler call the node unready.
 */
export const YOUNG_TAINT_KEY = "paceline.dev/young";

/** Label of nodes that Karpenter made. */
export const KARPENTER_NODEPOOL_LABEL = "karpenter.sh/nodepool";

/** Pod annotation: why this pod is held, as JSON `{"node","reason","since"}`; `since` is RFC 3339. */
export const HOLD_ANNOTATION = "paceline.dev/hold";

/** Pod annotation: the slot that a release reserved for this pod, as JSON `{"node","at"}`; `at` is RFC 3339. */
export const RESERVATION_ANNOTATION = "paceline.dev/reservation";

/**
 * Pod annotation: when the pod was let go, and how long it had been kept back until then, as JSON
 * `{"at","heldSeconds"}`; `at` is RFC 3339. A fence that keeps it out afterwards goes on with the same hold.
 */
export const RELEASE_ANNOTATION = "paceline.dev/release";

/** Pod annotations that only Paceline has a reason to write. */
export const POD_NOTES = [HOLD_ANNOTATION, RESERVATION_ANNOTATION, RELEASE_ANNOTATION] as const;

/** Pod annotation of users: the longest that it may be held, whole seconds; counts where it is below the policy's. */
export const MAX_HOLD_ANNOTATION = "paceline.dev/max-hold-seconds";

/** Pod annotation of users: `first`, `normal` or `last` among the pods of its namespace that have its priority. */
export const ORDER_ANNOTATION = "paceline.dev/order";

/**
 * Node annotation: when the fence went up, RFC 3339, by the clock of the replica that put it up. A time after the
 * node's creation is not believed.
 */
export const FENCED_AT_ANNOTATION = "paceline.dev/fenced-at";

/**
 * Node annotation: when the node's roll call began, RFC 3339. It stays, so that no second one is made. The roll call is
 * open while the node is also cordoned and the fence has the effect PreferNoSchedule.
 */
export const ROLL_CALL_ANNOTATION = "paceline.dev/roll-call";

/**
 * Node annotation: what of the node's openings the API server does not remember, as JSON `{"at","boot"}`: when it last
 * became able to take pods (RFC 3339), and its `bootID` then. Without `at` it was closed when the leader wrote this.
 */
export const OPENED_ANNOTATION = "paceline.dev/opened";

/**
 * A node has this taint, too, while its roll call is open. Cluster Autoscaler looks for startup taints only on nodes
 * that are not cordoned. This key makes a node not Ready for it, cordoned or not and whatever the effect, so the node
 * goes on counting as one that is still to come. No pod is kept out by it.
 */
export const ROLL_CALL_TAINT = {
  key: "node.kubernetes.io/not-ready",
  value: "paceline",
  effect: "PreferNoSchedule",
} as const;

/** Name of the ConfigMap that holds the policy, and of its key. */
export const POLICY_CONFIG_MAP = "paceline-policy";
export const POLICY_KEY = "policy.yaml";

/** Name of the Lease with which the replicas elect their leader. */
export const LEADER_LEASE = "paceline-leader";

/**
 * Annotation of that Lease: the limit of each paced node and the time of its latest telemetry (epoch seconds), as JSON
 * `{"<node>":[8,1767225600]}`. The leader writes it for other replicas and the CLI.
 */
export const LEADER_FIGURES_ANNOTATION = "paceline.dev/figures";

/**
 * Annotation of that Lease: when some replica was last asked about a new pod, RFC 3339. Replicas write it, once a
 * minute at most: only so one that is not asked can know that another one is.
 */
export const ASKED_ANNOTATION = "paceline.dev/asked-at";

/** Default namespace of an installation. */
export const DEFAULT_NAMESPACE = "paceline";

/** Label of pods (and namespaces) that opt out of pacing, with the value `disabled`. */
export const PACING_LABEL = "paceline.dev/pacing";

/** The name under which Paceline writes: field manager of patches, reporting component of Events. */
export const COMPONENT = "paceline";
