/** What may happen in one run, as data: the world's events and the faults, each with its time. */
import type { NetworkFault } from "./network.ts";

/** Fields of the policy that vary. Times in seconds. */
export interface PolicyDraft {
  readonly mode: "enforce" | "observe" | "off";
  readonly maxHoldSeconds: number;
  readonly youngForSeconds: number;
  readonly slots: number;
  readonly fenceEnabled: boolean;
  readonly fenceMaxSeconds: number;
  readonly gateEnabled: boolean;
  readonly extenderEnabled: boolean;
}

/**
 * `gpu` needs an extended resource, `huge` more cores than any node has. `theirs` are of another scheduler, `kueue` are
 * gated by others as well, the pods of one step of `gang` are one.
 */
export type PodKind =
  "plain" | "daemon" | "exempt" | "critical" | "urgent" | "gpu" | "huge" | "theirs" | "kueue" | "gang";

/** What keeps pods out of a node until it opens. */
export type Closing = "cordon" | "taint";

/** Annotations of Paceline's that a tenant creates a pod with. */
export type ForgedAtCreation = "futureReservation" | "hugeReservation" | "pastHold";

/** `atMs` counts from the beginning of the run; nodes and replicas go by number. */
export type Step = { readonly atMs: number } & (
  | {
      readonly kind: "pods";
      readonly what: PodKind;
      readonly count: number;
      readonly node: number;
      readonly startMs: number;
      /** From the first to the last of them. */
      readonly spreadMs: number;
      readonly forged?: ForgedAtCreation;
      /** When others take their gate off, ms after its creation. */
      readonly letGoMs?: number;
    }
  /** Another program's webhook refuses every update of so many new pods with this code; they are deleted at its end. */
  | {
      readonly kind: "stubbornPods";
      readonly count: number;
      readonly node: number;
      readonly code: number;
      readonly forMs: number;
    }
  /** Another program's webhook refuses every update, with this code, that gives so many new pods tolerations. */
  | { readonly kind: "strictPods"; readonly count: number; readonly node: number; readonly code: number }
  /** So many pods of a new tag come, and each replaces one. */
  | { readonly kind: "rollout"; readonly count: number; readonly startMs: number; readonly spreadMs: number }
  | { readonly kind: "deletePods"; readonly which: "gated" | "pending" | "bound"; readonly count: number }
  /** The next pods that Paceline writes to are deleted, each so long after the write. */
  | { readonly kind: "deleteWritten"; readonly count: number; readonly afterMs: number }
  /** The next node that Paceline writes to within 30 s leaves, so long after the write. */
  | { readonly kind: "leaveWritten"; readonly afterMs: number; readonly backAfterMs: number }
  | {
      readonly kind: "forge";
      readonly what: "laterHold" | "earlierHold" | "garbage" | "reservation";
      readonly count: number;
    }
  | {
      readonly kind: "join";
      readonly node: number;
      readonly readyMs: number;
      readonly foreignFence: boolean;
      /** It joins closed, and opens so long after. */
      readonly closed?: Closing;
      readonly forMs?: number;
    }
  | { readonly kind: "close"; readonly node: number; readonly how: Closing; readonly forMs: number }
  /** Cordoned, down, and so long after Ready with another boot; uncordoned after `forMs`. */
  | { readonly kind: "reboot"; readonly node: number; readonly downMs: number; readonly forMs: number }
  /** Its driver reports an extended resource from now on. */
  | { readonly kind: "resource"; readonly node: number }
  | { readonly kind: "flap"; readonly node: number; readonly forMs: number }
  | { readonly kind: "leave"; readonly node: number; readonly backAfterMs: number }
  | { readonly kind: "pullTrouble"; readonly node: number; readonly forMs: number }
  | { readonly kind: "policy"; readonly set: Partial<PolicyDraft> }
  | { readonly kind: "badPolicy" }
  | { readonly kind: "otherWebhookRefuses"; readonly forMs: number }
  | { readonly kind: "network"; readonly replica: number; readonly forMs: number; readonly fault: NetworkFault }
  | { readonly kind: "cutWatches"; readonly replica: number }
  | { readonly kind: "compact" }
  | { readonly kind: "kill"; readonly replica: number; readonly downMs: number }
  | { readonly kind: "suspend"; readonly replica: number; readonly forMs: number }
  | { readonly kind: "jump"; readonly replica: number; readonly byMs: number }
  | { readonly kind: "drift"; readonly replica: number; readonly rate: number }
);

export interface Schedule {
  readonly seed: number;
  readonly policy: PolicyDraft;
  /** False: Paceline's role lacks the right. */
  readonly mayListDaemonSets: boolean;
  /** Settled nodes with images and with room, beside the small ones. */
  readonly standby: number;
  readonly steps: readonly Step[];
}

/** Steps of these kinds are faults; the others are ordinary life. */
export const faultKinds: ReadonlySet<Step["kind"]> = new Set<Step["kind"]>([
  ...(["forge", "flap", "leave", "pullTrouble", "policy", "badPolicy", "otherWebhookRefuses", "network"] as const),
  ...(["cutWatches", "compact", "kill", "suspend", "jump", "drift", "deletePods"] as const),
  ...(["deleteWritten", "leaveWritten", "stubbornPods", "strictPods"] as const),
]);

/** Of these, such as hit Paceline itself and not the world around it. */
export const blinding: ReadonlySet<Step["kind"]> = new Set<Step["kind"]>([
  ...(["network", "cutWatches", "compact", "kill", "suspend", "jump", "drift"] as const),
  ...(["policy", "badPolicy", "otherWebhookRefuses", "forge"] as const),
]);

/** Nearly all steps begin within this time, ms. */
export const CHAOS_MS = 150_000;
/** Every fault has ended by then, ms. */
export const FAULTS_END_MS = 200_000;
/** Nodes by number: the first are there and settled from the beginning. */
export const SETTLED_NODES = 1;
export const NODES = 4;
export const REPLICAS = 2;
