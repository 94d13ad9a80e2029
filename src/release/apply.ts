/** Writes one decision to the API server and returns the facts of the object as it is now. */
import type { HoldNote, NodeFacts, PodFacts } from "../core/facts.ts";
import type { FenceAction, Release } from "../core/verdict.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import type { Clock } from "../kube/clock.ts";
import { nodeFacts, podFacts } from "../kube/parse/facts.ts";
import type { KubeObject } from "../kube/parse/kube-json.ts";
import type { ShapeInterner } from "../kube/parse/shape-interner.ts";
import { noteOpening, raiseFence } from "../kube/write/late-openings.ts";
import type { Write } from "../kube/write/conditional.ts";
import { adoptFence, beginRollCall, endRollCall, liftFence, steerNode, unsteerNode } from "../kube/write/nodes.ts";
import { annotateHold, lookAtPod, releasePod } from "../kube/write/pods.ts";

/** The result; `facts` are those of the object as it is now. */
export type Outcome<Facts> =
  | { readonly kind: "changed"; readonly facts: Facts }
  | { readonly kind: "unchanged"; readonly facts: Facts }
  | { readonly kind: "gone" }
  | { readonly kind: "conflict" };

/** Every method may reject. Then nothing is known, and the loop tries again later. */
export interface Apply {
  release(release: Release, clock: Pick<Clock, "now">): Promise<Outcome<PodFacts>>;
  annotateHold(pod: PodFacts, hold: HoldNote): Promise<Outcome<PodFacts>>;
  fence(action: FenceAction, nowMs: number): Promise<Outcome<NodeFacts>>;
  /** Reads a pod: what has become of it, where a write got no answer. */
  look(pod: PodFacts): Promise<Outcome<PodFacts>>;
}

function changeFence(client: ApiClient, action: FenceAction, nowMs: number): Promise<Write> {
  switch (action.kind) {
    case "adopt":
      return adoptFence(client, action);
    case "raise":
      return raiseFence(client, action, nowMs);
    case "beginRollCall":
      return beginRollCall(client, action, nowMs);
    case "endRollCall":
      return endRollCall(client, action);
    case "lift":
      return liftFence(client, action.node, action.steer);
    case "steer":
      return steerNode(client, action);
    case "unsteer":
      return unsteerNode(client, action.node);
    case "note":
      return noteOpening(client, action);
  }
}

/** Writes to a real cluster. */
export function createApply(client: ApiClient, interner: ShapeInterner): Apply {
  const asPod = (raw: KubeObject) => podFacts(raw, interner);
  const asNode = (raw: KubeObject) => nodeFacts(raw, interner);
  return {
    release: async (release, clock) => outcome(await releasePod(client, release, clock), asPod),
    annotateHold: async (pod, hold) => outcome(await annotateHold(client, pod, hold), asPod),
    fence: async (action, nowMs) => outcome(await changeFence(client, action, nowMs), asNode),
    look: async (pod) => outcome(await lookAtPod(client, pod), asPod),
  };
}

function outcome<Facts>(write: Write, parse: (raw: KubeObject) => Facts): Outcome<Facts> {
  return "object" in write ? { kind: write.kind, facts: parse(write.object) } : write;
}
