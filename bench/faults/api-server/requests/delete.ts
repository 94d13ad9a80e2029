/** DELETE: at once, or for bound pods in two steps. */
import { recordOf, timeOf } from "../../../../src/kube/parse/kube-json.ts";
import type { KubeObject } from "../../../../src/kube/parse/kube-json.ts";
import { listOf } from "../json.ts";
import { conflict } from "../refusals.ts";
import type { Target } from "../paths.ts";
import { PODS, typed } from "../resources.ts";
import { wholeSeconds } from "../rules/metadata.ts";
import { existing, keyOf, type World } from "../world.ts";

/** The fields of DeleteOptions that the server heeds. */
export interface DeleteOptions {
  readonly gracePeriodSeconds?: number | undefined;
  readonly preconditions?:
    { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined } | undefined;
  readonly dryRun?: boolean | undefined;
}

/** How a deletion goes on: `grace` in s from `sinceMs`, with 0 for at once. */
type Way = { readonly kind: "at-once" } | { readonly kind: "pending" } | Marked;

interface Marked {
  readonly kind: "mark";
  /** deletionTimestamp, epoch ms. */
  readonly atMs: number;
  readonly graceSeconds: number;
}

export interface Removed {
  /** As it was last, or as it waits for its end. */
  readonly object: KubeObject;
  readonly isGone: boolean;
}

/** @throws Refusal 404, or 409 for preconditions */
export function remove(world: World, target: Target, options: DeleteOptions = {}): Removed {
  const { resource } = target;
  const object = existing(world, target);
  refuseUnmet(target, object, options);
  if (options.dryRun === true) return { object: typed(resource, object), isGone: false };
  const hasFinalizers = listOf(recordOf(object.metadata), "finalizers").length > 0;
  const way = wayOf(resource === PODS, object, options, world.now(), hasFinalizers);
  if (way.kind === "pending") return { object: typed(resource, object), isGone: false };
  const key = keyOf(target);
  const marked = way.kind === "mark" ? world.store.put(resource, key, withDeletion(object, way)) : object;
  const isGone = !hasFinalizers && (way.kind === "at-once" || way.graceSeconds === 0);
  const last = isGone ? (world.store.delete(resource, key) ?? marked) : marked;
  return { object: typed(resource, last), isGone };
}

function refuseUnmet(
  { resource, name }: Target,
  { metadata }: KubeObject,
  { preconditions = {} }: DeleteOptions,
): void {
  for (const field of ["uid", "resourceVersion"] as const) {
    const wanted = preconditions[field];
    if (wanted !== undefined && wanted !== metadata?.[field]) {
      throw conflict(resource, name, `the ${field} in the precondition does not match the ${field} in record`);
    }
  }
}

function wayOf(isPod: boolean, object: KubeObject, options: DeleteOptions, nowMs: number, hasFinalizers: boolean): Way {
  const isMarked = object.metadata?.deletionTimestamp !== undefined;
  if (isPod) return isMarked ? shortened(object, options, nowMs) : podWay(object, options, nowMs);
  if (!hasFinalizers) return { kind: "at-once" };
  return isMarked ? { kind: "pending" } : { kind: "mark", atMs: nowMs, graceSeconds: 0 };
}

/** Pods that no kubelet runs go at once. */
function podWay(pod: KubeObject, { gracePeriodSeconds }: DeleteOptions, nowMs: number): Marked {
  const { nodeName = "", terminationGracePeriodSeconds } = recordOf(pod["spec"]);
  const { phase } = recordOf(pod["status"]);
  const asked = gracePeriodSeconds ?? Number(terminationGracePeriodSeconds ?? 0);
  const isRun = nodeName !== "" && phase !== "Failed" && phase !== "Succeeded";
  const graceSeconds = !isRun ? 0 : asked < 0 ? 1 : asked;
  return { kind: "mark", atMs: nowMs + graceSeconds * 1_000, graceSeconds };
}

/** A second deletion may only shorten the time of the first. */
function shortened({ metadata }: KubeObject, { gracePeriodSeconds }: DeleteOptions, nowMs: number): Way {
  const grace = Number(metadata?.["deletionGracePeriodSeconds"] ?? 0);
  if (grace === 0) return { kind: "at-once" };
  if (gracePeriodSeconds === undefined) return { kind: "pending" };
  const asked = gracePeriodSeconds < 0 ? 1 : gracePeriodSeconds;
  if (asked >= grace) return { kind: "pending" };
  const atMs = (timeOf(metadata?.deletionTimestamp) ?? nowMs) + (asked - grace) * 1_000;
  if (atMs >= nowMs) return { kind: "mark", atMs, graceSeconds: asked };
  return { kind: "mark", atMs: nowMs, graceSeconds: asked === 0 ? 0 : 1 };
}

function withDeletion(object: KubeObject, { atMs, graceSeconds }: Marked): KubeObject {
  const metadata = object.metadata ?? {};
  const generation = Number(metadata["generation"] ?? 0);
  const isFirst = metadata.deletionTimestamp === undefined;
  return {
    ...object,
    metadata: {
      ...metadata,
      ...(generation > 0 && isFirst ? { generation: generation + 1 } : {}),
      deletionTimestamp: wholeSeconds(atMs),
      deletionGracePeriodSeconds: graceSeconds,
    },
  };
}
