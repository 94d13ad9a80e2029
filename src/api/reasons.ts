/**
 * Why a pod waits, and why it was released. One constant, one sentence each; docs/reasons.md lists the same ones (a
 * test keeps both equal). The same words appear in the Event, the annotation, the metric, the log and the status page.
 */

/** Reasons for which a pod is held back from a node. */
export const holdReasons = {
  OtherGates: "Gates of others hold the pod as well: Paceline's own hold begins when they are gone.",
  AwaitingRelease: "Gated on arrival: the leader has not looked at it yet, and does so within moments.",
  NodeJoining: "The node is still joining: a taint that it loses by itself keeps the pod out.",
  StartupSlotsFull: "As many pods are starting on the node as it can carry now.",
  DiskBacklog: "With this pod's images the node's disk would owe more than it may: its drain target.",
  PullQPSLimit: "Another image pull now would exceed the kubelet's registryPullQPS.",
  SchedulerBusy: "As many released pods as kube-scheduler binds within seconds are on their way to nodes already.",
  LowerPriority: "Other waiting pods come first in the order of release.",
  InterPodRules:
    "kube-scheduler has just refused a pod like it on the nodes with a free slot, by a rule about other pods.",
  WriteFailed: "The API server or an admission webhook refused its release, or did not answer: it is tried again.",
  OfferedOtherNode: "The pod was offered another node that has more room at this moment.",
} as const;

/** Why a pod is held. */
export type HoldReason = keyof typeof holdReasons;

/** Reasons for which a held pod is released. */
export const releaseReasons = {
  SlotFree: "The node has a slot free; the slot is reserved for this pod.",
  NodeSettled: "A node that needs no pacing has room for the pod.",
  WholeGang: "Another pod of its gang was let go: a gang goes whole, slots or not.",
  NoNodeFits: "No node that exists has room for the pod, so an autoscaler must be able to see it.",
  NearHoldCap: "The pod was near maxHoldSeconds: those held so long go one by one, slots or not.",
  HoldCapReached: "The pod was held for maxHoldSeconds, or for its own lower cap.",
  PacingOff: "Pacing is off, only observing, or this lever is disabled.",
  Exempt: "The pod is exempt from pacing.",
  Requested: "An operator asked for it (paceline release).",
} as const;

/** Why a held pod was released. */
export type ReleaseReason = keyof typeof releaseReasons;

/** Reasons for which a fence is taken down. */
export const liftReasons = {
  NothingPending: "Nothing that fits the node waits for a slot any more.",
  NodeSettled: "The node is not young any more.",
  FenceCapReached: "The node has been open for fence.maxSeconds.",
  NodeNotReady: "The node has not become Ready for minutes: the fence may keep out what it needs for that.",
  DaemonSetKeptOut: "The node is closed, and the fence may keep the pod of a DaemonSet out of it.",
  NotSelected: "fence.nodeSelector does not select the node.",
  NotPaced: "The node's class leaves it out of pacing (nodeClasses[].paced).",
  PacingOff: "Pacing is off, only observing, or the fence is disabled.",
  Requested: "An operator asked for it (paceline release).",
} as const;

/** Why a fence was taken down. */
export type LiftReason = keyof typeof liftReasons;

/** Reasons for which a pod is allowed without being held. */
export const allowReasons = {
  PacingOff: "Pacing is off, or this lever is disabled.",
  Observing: "The policy only observes.",
  NotSynced: "This replica has not seen the whole cluster yet (fails open).",
  NoLeader: "No leader is alive to release what would be held (fails open).",
  Exempt: "The pod is exempt: its scheduler, namespace, priority or labels.",
  AlreadyBound: "The pod names its node already; the API server refuses gates on such pods.",
  AlreadyGated: "The pod carries the gate already.",
  NoNodeFits: "No node that exists has room for it: an autoscaler must see it.",
  SettledNodeFits: "A node that needs no pacing has room for it.",
  NodeSettled: "The node is neither young nor hot.",
  SlotFree: "The node has a slot free.",
  SlotReserved: "The leader reserved a slot on the node for this pod.",
  NodeUnknown: "This replica does not know the node (fails open).",
} as const;

/** Why a pod is allowed. */
export type AllowReason = keyof typeof allowReasons;
