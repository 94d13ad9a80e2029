/**
 * Deliberate bugs, a check of the checker: each is a mistake that one could make in Paceline, put around production's
 * seams. The harness must find each of them.
 */
import { Dispatcher } from "../../src/release/dispatcher.ts";
import type { ApiClient, PatchKind } from "../../src/kube/client/api-client.ts";
import { ApiError } from "../../src/kube/client/api-error.ts";
import { formatReservation } from "../../src/kube/parse/annotations.ts";
import { OPENED_ANNOTATION, RESERVATION_ANNOTATION } from "../../src/api/names.ts";
import { recordOf } from "../../src/kube/parse/kube-json.ts";
import type { NodeFacts, PodFacts } from "../../src/core/facts.ts";
import { podUID, type NodeName, type PodUID } from "../../src/core/ids.ts";
import type { Pacer } from "../../src/core/pacer.ts";
import type { Bug } from "./run.ts";

/** A pacer whose calls go through `changes`. */
function around(pacer: Pacer, changes: Partial<Pacer>): Pacer {
  return new Proxy(pacer, {
    get(target, property) {
      const changed: unknown = Reflect.get(changes, property);
      if (changed !== undefined) return changed;
      const value: unknown = Reflect.get(target, property);
      return typeof value === "function" ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}

/** Pods are changed on their way to the pacer. */
const seeingPods = (change: (pod: PodFacts) => PodFacts) => (pacer: Pacer) =>
  around(pacer, { upsertPod: (pod, nowMs) => pacer.upsertPod(change(pod), nowMs) });

const seeingNodes = (change: (node: NodeFacts) => NodeFacts) => (pacer: Pacer) =>
  around(pacer, { upsertNode: (node, nowMs) => pacer.upsertNode(change(node), nowMs) });

/** Each Ready counts as that of a boot of its own. */
const rebootingAtFlaps = (node: NodeFacts): NodeFacts =>
  node.readySinceMs === undefined ? node : { ...node, bootID: `${node.bootID ?? ""} ${node.readySinceMs}` };

/** Neither boots nor cordons, nor taints, nor extended resources, nor what was noted of them. */
function firstReadyOnly(node: NodeFacts): NodeFacts {
  const { bootID: _, openedNote: _note, ...rest } = node;
  const resources = Object.entries(node.allocatable).filter(([name]) => !name.includes("/"));
  return { ...rest, unschedulable: false, taints: [], allocatable: Object.fromEntries(resources) };
}

/** What is noted of openings never reaches the API server. */
function withoutOpened(body: unknown, kind: PatchKind): unknown {
  if (kind !== "json") return body;
  const key = OPENED_ANNOTATION.replace("/", "~1");
  return (body as { path: string; value?: unknown }[])
    .filter(({ path }) => !path.endsWith(key))
    .map((one) => {
      if (one.path !== "/metadata/annotations") return one;
      const { [OPENED_ANNOTATION]: _, ...value } = recordOf(one.value);
      return { ...one, value };
    });
}

const patching =
  (change: (body: unknown, kind: PatchKind) => unknown) =>
  (client: ApiClient): ApiClient => ({
    ...client,
    patch: (path, body, kind, ...rest) => client.patch(path, change(body, kind), kind, ...rest),
  });

/** Without the conditions on uid and resourceVersion. */
function unconditional(body: unknown, kind: PatchKind): unknown {
  if (kind === "json") return (body as { op: string }[]).filter(({ op }) => op !== "test");
  const { metadata, ...rest } = recordOf(body);
  const { resourceVersion: _, ...others } = recordOf(metadata);
  return { ...rest, metadata: others };
}

/** The fence comes back, or goes, and the cordon stays. */
function withoutUncordoning(body: unknown, kind: PatchKind): unknown {
  if (kind !== "json") return body;
  return (body as { path: string; value?: unknown }[]).filter(
    ({ path, value }) => path !== "/spec/unschedulable" || value === true,
  );
}

/** Deleted pods come back when a late answer names them. */
function withoutTombstones(pacer: Pacer): Pacer {
  const gone = new Set<PodUID>();
  return around(pacer, {
    deletePod(uid, nowMs) {
      gone.add(uid);
      pacer.deletePod(uid, nowMs);
    },
    upsertPod: (pod, nowMs) =>
      pacer.upsertPod(gone.has(pod.uid) ? { ...pod, uid: podUID(`${pod.uid} again`) } : pod, nowMs),
  });
}

/** The same for nodes. */
function withoutNodeTombstones(pacer: Pacer): Pacer {
  const gone = new Set<string>();
  const uids = new Map<NodeName, string>();
  return around(pacer, {
    deleteNode(name, nowMs) {
      gone.add(uids.get(name) ?? "");
      pacer.deleteNode(name, nowMs);
    },
    upsertNode(node, nowMs) {
      uids.set(node.name, node.uid);
      pacer.upsertNode(gone.has(node.uid) ? { ...node, uid: `${node.uid} again` } : node, nowMs);
    },
  });
}

/** A write without an answer counts as one that was not done. */
function refusing(client: ApiClient): ApiClient {
  const refused = async <Answer>(path: string, answer: Promise<Answer>): Promise<Answer> => {
    try {
      return await answer;
    } catch (error) {
      const isLost = path.includes("/pods/") && (error as { status?: number }).status === 0;
      throw isLost ? new ApiError(429, "TooManyRequests", path) : error;
    }
  };
  return {
    ...client,
    get: (path, ...rest) => refused(path, client.get(path, ...rest)),
    patch: (path, ...rest) => refused(path, client.patch(path, ...rest)),
  };
}

/** After a request without an answer, writes again what it wanted, with a slot of its own and without looking first. */
function writingTwice(client: ApiClient): ApiClient {
  return {
    ...client,
    async patch(path, body, kind, ...rest) {
      try {
        return await client.patch(path, body, kind, ...rest);
      } catch (error) {
        const reserved = JSON.stringify(body).includes(RESERVATION_ANNOTATION);
        if (!reserved || (error as { status?: number }).status !== 0) throw error;
        const annotations = { [RESERVATION_ANNOTATION]: formatReservation("n1" as NodeName, Date.UTC(2026, 0, 1)) };
        return client.patch(path, { metadata: { annotations } }, "merge");
      }
    },
  };
}

/** The dispatcher forgets a write as soon as it has begun. */
function forgettingWrites(): () => void {
  const next = Object.getOwnPropertyDescriptor(Dispatcher.prototype, "next");
  const original = next?.value as (this: Dispatcher) => ReturnType<Dispatcher["next"]>;
  Dispatcher.prototype.next = function (this: Dispatcher) {
    const work = original.call(this);
    if (work) this.ended(work, { kind: "changed" }, this.lookAtMs === Infinity ? 0 : this.lookAtMs);
    return work;
  };
  return () => {
    if (next) Object.defineProperty(Dispatcher.prototype, "next", next);
  };
}

export const bugs: readonly Bug[] = [
  { name: "drop a tombstone", seams: () => ({ pacer: withoutTombstones }) },
  { name: "drop a node's tombstone", seams: () => ({ pacer: withoutNodeTombstones }) },
  { name: "take a lost answer for a refusal", seams: () => ({ client: refusing }) },
  { name: "forget writes on their way", install: forgettingWrites },
  { name: "skip the conflict check", seams: () => ({ client: patching(unconditional) }) },
  {
    name: "lead on a stale Lease",
    seams: () => ({ leaseTimes: { durationMs: 10_000, renewDeadlineMs: 60_000, retryMs: 1_500 } }),
  },
  { name: "lose a deleted pod", seams: () => ({ pacer: (pacer) => around(pacer, { deletePod: () => undefined }) }) },
  { name: "lose a deleted node", seams: () => ({ pacer: (pacer) => around(pacer, { deleteNode: () => undefined }) }) },
  { name: "ignore resourceVersions", seams: () => ({ pacer: seeingPods((pod) => ({ ...pod, resourceVersion: "" })) }) },
  { name: "write again after an error", seams: () => ({ client: writingTwice }) },
  { name: "gate without a leader", seams: () => ({ alwaysSeesALeader: true }) },
  { name: "forget reservations", seams: () => ({ pacer: seeingPods((pod) => ({ ...pod, reservation: undefined })) }) },
  {
    name: "hold exempt pods",
    seams: () => ({
      pacer: (pacer) =>
        around(pacer, {
          admit: (pod, ...rest) =>
            pacer.admit(
              { ...pod, shape: { ...pod.shape, namespace: "team", priority: 0, priorityClassName: "" } },
              ...rest,
            ),
        }),
    }),
  },
  {
    name: "keep a reservation for ever",
    seams: () => ({
      pacer: (pacer) =>
        around(pacer, {
          setPolicy: (policy, nowMs) =>
            pacer.setPolicy({ ...policy, fence: { ...policy.fence, bindSeconds: 3_600 } }, nowMs),
        }),
    }),
  },
  {
    name: "count no pod in startup",
    seams: () => ({ pacer: seeingPods((pod) => (pod.node === undefined ? pod : { ...pod, containersStarted: true })) }),
  },
  {
    name: "never end a roll call",
    seams: () => ({
      pacer: (pacer) =>
        around(pacer, {
          plan(nowMs, aside) {
            const plan = pacer.plan(nowMs, aside);
            return { ...plan, fences: plan.fences.filter(({ kind }) => kind !== "endRollCall") };
          },
        }),
    }),
  },
  {
    name: "take a flap for an opening",
    breaks: "aFlapChangesNothing",
    seams: () => ({ pacer: seeingNodes(rebootingAtFlaps) }),
  },
  { name: "miss late openings", breaks: "aLateOpeningIsPaced", seams: () => ({ pacer: seeingNodes(firstReadyOnly) }) },
  {
    name: "count nothing at admission",
    breaks: "admissionGivesWhatIsThere",
    seams: () => ({
      pacer: (pacer) => around(pacer, { admit: (pod, state, nowMs) => pacer.admit(pod, state, nowMs, true) }),
    }),
  },
  {
    name: "count nothing on settled nodes",
    breaks: "aLimitIsALimit",
    seams: () => ({
      pacer: (pacer) =>
        around(pacer, { setPolicy: (policy, nowMs) => pacer.setPolicy({ ...policy, settledNodes: "observe" }, nowMs) }),
    }),
  },
  {
    name: "let gangs go in pieces",
    breaks: "aGangIsWhole",
    seams: () => ({ pacer: seeingPods((pod) => ({ ...pod, gang: undefined })) }),
  },
  { name: "note no opening", breaks: "aNewLeaderAgrees", seams: () => ({ client: patching(withoutOpened) }) },
  {
    name: "never let a pinned pod go",
    breaks: "aFreeSlotIsGiven",
    seams: () => ({
      pacer: (pacer) =>
        around(pacer, {
          plan(nowMs, aside) {
            const plan = pacer.plan(nowMs, aside);
            return { ...plan, releases: plan.releases.filter(({ pod }) => pod.pinnedTo === undefined) };
          },
        }),
    }),
  },
  { name: "leave the cordon behind", seams: () => ({ client: patching(withoutUncordoning) }) },
  {
    name: "never lift a fence",
    seams: () => ({
      pacer: (pacer) => around(pacer, { plan: (nowMs, aside) => ({ ...pacer.plan(nowMs, aside), fences: [] }) }),
    }),
  },
];
