/** The answers of the core. Every edge passes them on as they are; none keeps a verdict of its own. */
import type { AllowReason, HoldReason, LiftReason, ReleaseReason } from "../api/reasons.ts";
import type { NodeFacts, NodeSample, OpenedNote, PodFacts, SandboxCause } from "./facts.ts";
import type { NodeName, PodUID } from "./ids.ts";

/** The pod may go on. */
export interface Allow {
  readonly kind: "allow";
  readonly reason: AllowReason;
  /** In observe mode: what would have been held. */
  readonly would?: Hold;
}

/** The pod waits. */
export interface Hold {
  readonly kind: "hold";
  readonly reason: HoldReason;
  /** One sentence a person can act on, with the node's figures. */
  readonly message: string;
  /** The node it waits for; undefined where any of several would do. */
  readonly node: NodeName | undefined;
}

export type Verdict = Allow | Hold;

/** In the place of a fence's value: the pod passes every fence, those of later nodes included. */
export const EVERY_FENCE = "*";

/** A node that a released pod may take instead of the first one; a slot is reserved there, too. */
export interface Opening {
  readonly node: NodeName;
  /** As {@link Release.fence}. */
  readonly fence: string | undefined;
  /** As {@link Release.steered}. */
  readonly steered?: boolean;
}

/** A held pod that is released now. */
export interface Release {
  readonly pod: PodFacts;
  /** Node whose slot is reserved for it; undefined when it needs none. */
  readonly node: NodeName | undefined;
  /** Value of the fence that the pod must tolerate, or {@link EVERY_FENCE}; undefined: it needs no toleration. */
  readonly fence: string | undefined;
  /** The node has the soft taint of young nodes, which the pod must tolerate, or it goes elsewhere. */
  readonly steered?: boolean;
  /** Undefined where `node` is the only one. */
  readonly others?: readonly Opening[];
  /** What the release leaves on the pod ({@link PodFacts.release}); undefined where no fence matters any more. */
  readonly note?: PodFacts["release"];
  /** When the pod has been held for the most that the policy allows, epoch ms; undefined: not Paceline's plan. */
  readonly capMs?: number;
  /** It goes though no slot is free for it. */
  readonly overLimit?: boolean;
  readonly reason: ReleaseReason;
  readonly message: string;
}

/** A held pod that stays held, with today's reason. */
export interface Held {
  readonly pod: PodFacts;
  readonly hold: Hold;
}

/** What happens to a fence, or to what is noted on a node. */
export type FenceAction =
  | { readonly kind: "adopt"; readonly node: NodeFacts; readonly value: string }
  /** `steer`: value of the soft taint that takes the fence's place; undefined: none does. */
  | {
      readonly kind: "lift";
      readonly node: NodeFacts;
      readonly reason: LiftReason;
      readonly steer?: string | undefined;
    }
  /** A young node without a fence gets the soft taint. */
  | { readonly kind: "steer"; readonly node: NodeFacts; readonly value: string }
  /** The soft taint goes: the node has settled. */
  | { readonly kind: "unsteer"; readonly node: NodeFacts }
  /** On a node that is closed, so that it is up before the node opens. */
  | { readonly kind: "raise"; readonly node: NodeFacts; readonly value: string }
  /** A cordon takes the place of the fence, in one write, so that DaemonSet pods are created. */
  | { readonly kind: "beginRollCall"; readonly node: NodeFacts; readonly value: string }
  /** And the other way round. */
  | { readonly kind: "endRollCall"; readonly node: NodeFacts; readonly value: string }
  /** When the node opened, for the next leader. */
  | { readonly kind: "note"; readonly node: NodeFacts; readonly note: OpenedNote };

/**
 * Pods that take no part in a plan, each with why its last write failed; "" where another client was changing it. They
 * are tried again in moments, and a slot that they were given until then would be lost to others.
 */
export interface SetAside extends ReadonlyMap<PodUID, string> {
  /** Pods whose release is refused again and again, also while it is tried once more. */
  readonly refused?: ReadonlySet<PodUID>;
}

/** What the leader has to do now. Applying it twice changes nothing. */
export interface Plan {
  readonly releases: readonly Release[];
  readonly fences: readonly FenceAction[];
  /** Every pod that stays gated. */
  readonly held: readonly Held[];
  /** When the plan changes by the mere passing of time (epoch ms); undefined: only events change it. */
  readonly wakeAtMs: number | undefined;
}

/** The extender's answer for one pod. */
export interface Offer {
  readonly accepted: readonly string[];
  readonly refused: ReadonlyMap<string, Hold>;
  readonly reason: AllowReason | HoldReason;
}

/** What a node carries now, for the status page, the metrics and the messages. */
export interface NodeStatus {
  readonly name: NodeName;
  /**
   * `settled`: fenced though neither young nor hot. `saturated`: settled, and given all the slots that it has.
   * `cordoned`: by others than Paceline; it is young once that ends.
   */
  readonly state: "young" | "hot" | "settled" | "saturated" | "cordoned";
  /** When it stops being young, epoch ms; undefined: it is not young, or it is not open yet. */
  readonly youngUntilMs: number | undefined;
  readonly nodeClass: string;
  readonly inStartup: number;
  readonly reserved: number;
  readonly offered: number;
  /** Bound and not started, but they need nothing of the node now: they use no slot. */
  readonly waiting: number;
  readonly stuck: number;
  readonly limit: number;
  /** Why the limit last moved. */
  readonly limitMove: string;
  readonly bytesInFlight: number;
  readonly drainSeconds: number | undefined;
  /** `drainSeconds` of the node's class: the most that its disk may owe. */
  readonly drainTargetSeconds: number;
  /** The disk of the figures below; `holdsImages` is false where the busiest is taken or the policy names it. */
  readonly device: NodeSample["device"];
  readonly iops: number | undefined;
  /** What the disk is given, as the node's class says; undefined: it says nothing. */
  readonly diskIOPS: number | undefined;
  readonly diskMiBPerSecond: number | undefined;
  readonly awaitMs: number | undefined;
  readonly utilisation: number | undefined;
  readonly readBytesPerSecond: number | undefined;
  readonly writeBytesPerSecond: number | undefined;
  /** What the page cache still has to write, what is being written included. */
  readonly dirtyBytes: number | undefined;
  /** Shares of time, 0 to 1 (PSI some). */
  readonly ioPressure: number | undefined;
  readonly cpuPressure: number | undefined;
  readonly load1: number | undefined;
  readonly cores: number | undefined;
  readonly fenced: boolean;
  /** The soft taint of young nodes is there. */
  readonly steered: boolean;
  /** A cordon of ours stands in for the fence, so that DaemonSet pods are created. */
  readonly inRollCall: boolean;
  /** `notAsked`: the policy has no source of telemetry, or the program that shows this has asked none. */
  readonly sample: "fresh" | "stale" | "absent" | "notAsked";
}

/** A node's limit has moved. */
export interface LimitMove {
  readonly node: NodeName;
  readonly from: number;
  readonly to: number;
  /** In words. */
  readonly why: string;
}

/** A start that failed as far as status or Events tell. */
export interface FailedStart {
  readonly node: NodeName;
  /** `namespace/name`. */
  readonly pod: string;
  /** A container, or the sandbox and why. */
  readonly reason: "Container" | `Sandbox${SandboxCause}`;
}

/** A bound pod is Ready for the first time. */
export interface ReadyPod {
  /** What its node is then. */
  readonly state: "young" | "hot" | "settled";
  /** Since the pod was there, and its node open. */
  readonly tookMs: number;
}

/** The whole answer of `/status.json`. */
export interface ClusterStatus {
  readonly mode: "enforce" | "observe" | "off";
  /** Paced nodes (young, hot or fenced), and saturated ones. */
  readonly nodes: readonly NodeStatus[];
  readonly settledNodes: number;
  /** Nodes that the policy does not pace at all. */
  readonly leftOutNodes: number;
  /** Gated pods, and those that nothing but a fence keeps out (the first few hundred). */
  readonly held: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly node: NodeName | undefined;
    readonly reason: HoldReason;
    readonly message: string;
    readonly heldSeconds: number;
    /** When it goes at the latest, epoch ms; undefined: gates of others hold it as well, and the time begins later. */
    readonly untilMs: number | undefined;
  }[];
}

/** What an edge knows of this replica when it asks. */
export interface ReplicaState {
  /** The caches have been listed in full. */
  readonly synced: boolean;
  /** Some replica's Lease is fresh, so that what is held will be released. */
  readonly leaderAlive: boolean;
}
