/**
 * Which notes of a release near the hold cap are believed. Anyone may write annotations, and times that move on with
 * the clock would keep a whole crowd until its cap. So this replica believes what it has planned itself, and of others'
 * what was over when it began to lead.
 */
import type { PodFacts } from "../facts.ts";
import type { PodUID } from "../ids.ts";
import { SECOND_MS } from "../measures.ts";

/** After so long without a plan, another replica may have led meanwhile, ms. Source: the Lease lasts as long. */
const MAY_HAVE_LED_MS = 15 * SECOND_MS;

/** Annotations tell whole milliseconds. */
const ROUNDED_MS = 1;

export class NearCapReleases {
  readonly #planned = new Map<PodUID, number>();
  #leadsSinceMs = -Infinity;
  #lastPlanMs = -Infinity;

  /** A plan begins. */
  begin(nowMs: number): void {
    if (nowMs >= this.#lastPlanMs + MAY_HAVE_LED_MS) this.#leadsSinceMs = nowMs;
    this.#lastPlanMs = nowMs;
  }

  /** The plan lets this pod go. Its note says so once that is written. */
  planned(uid: PodUID, atMs: number): void {
    this.#planned.set(uid, atMs);
  }

  /** When the pod went, epoch ms; undefined where its note is not believed. */
  believed({ uid, release }: Pick<PodFacts, "uid" | "release">): number | undefined {
    if (!release) return undefined;
    const { atMs } = release;
    const isOurs = atMs <= (this.#planned.get(uid) ?? -Infinity) + ROUNDED_MS;
    return isOurs || atMs <= this.#leadsSinceMs ? atMs : undefined;
  }

  /** Earlier ones are of no interest any more. */
  forgetBefore(atMs: number): void {
    for (const [uid, plannedMs] of this.#planned) if (plannedMs < atMs - ROUNDED_MS) this.#planned.delete(uid);
  }
}
