/**
 * Decides which held pods get a new note why they wait: in their annotation, and the first of them in an Event. Another
 * Event tells that a write failed, because that is to be mended; reasons that come and go are no news.
 */
import type { HoldReason } from "../api/reasons.ts";
import type { PodUID } from "../core/ids.ts";
import { heldSinceMs } from "../core/state/held-since.ts";
import { lacksFreedNote } from "../core/state/freed.ts";
import type { Held } from "../core/verdict.ts";

/** A pod that is released within this time, in ms, gets no note. Assumed: people look after seconds, not before. */
const FIRST_NOTE_MS = 1_000;

/** Shortest time between two notes for a pod, ms. Reasons may change with every start; people read slower. Assumed. */
const RENOTE_MS = 5_000;

/**
 * Notes that may begin per second, so that 5,000 held pods cost the API server no more than a few. Assumed. A note that
 * dates the hold of a pod that others gated is not one of them: the next leader would count from anew.
 */
const NOTES_PER_SECOND = 20;

/** A note for one pod. */
export interface Note {
  readonly held: Held;
  /** The annotation has another content. */
  readonly annotate: boolean;
  /** In an Event as well. */
  readonly announce: boolean;
}

export interface DueNotes {
  readonly notes: readonly Note[];
  /** When the next notes are due if nothing else changes; undefined: never. */
  readonly wakeAtMs: number | undefined;
}

interface Told {
  readonly reason: HoldReason;
  readonly atMs: number;
  /** Reasons of which an Event has told. */
  readonly inEvents: readonly HoldReason[];
}

export class HoldNotes {
  #told = new Map<PodUID, Told>();
  #tokens = NOTES_PER_SECOND;
  #refilledMs: number | undefined;

  /** Takes the notes that are due now. Forgets pods that are no longer held. */
  due(held: readonly Held[], nowMs: number): DueNotes {
    this.#refill(nowMs);
    const told = new Map<PodUID, Told>();
    const notes: Note[] = [];
    let wakeAtMs = Infinity;
    for (const one of held) {
      const { uid } = one.pod;
      const last = this.#told.get(uid);
      if (last !== undefined) told.set(uid, last);
      const note = noteFor(one, last);
      if (note === undefined) continue;
      const begins = lacksFreedNote(one.pod);
      const dueMs = last && !begins ? last.atMs + RENOTE_MS : heldSinceMs(one.pod) + FIRST_NOTE_MS;
      if (nowMs < dueMs) wakeAtMs = Math.min(wakeAtMs, dueMs);
      else if (this.#tokens < 1 && !begins) wakeAtMs = Math.min(wakeAtMs, nowMs + 1_000);
      else {
        if (!begins) this.#tokens--;
        const { reason } = one.hold;
        const before = last?.inEvents ?? [];
        told.set(uid, { reason, atMs: nowMs, inEvents: note.announce ? [...before, reason] : before });
        notes.push(note);
      }
    }
    this.#told = told;
    return { notes, wakeAtMs: wakeAtMs === Infinity ? undefined : wakeAtMs };
  }

  #refill(nowMs: number): void {
    const earned = ((nowMs - (this.#refilledMs ?? nowMs)) / 1_000) * NOTES_PER_SECOND;
    this.#tokens = Math.min(NOTES_PER_SECOND, this.#tokens + Math.max(earned, 0));
    this.#refilledMs = nowMs;
  }
}

function noteFor(held: Held, last: Told | undefined): Note | undefined {
  const { pod, hold } = held;
  const annotate = pod.hold?.reason !== hold.reason || pod.hold.node !== hold.node;
  // Other gates hold it for hours, and it is theirs to say why.
  const announce = isNews(hold.reason, last?.inEvents ?? []);
  return annotate || announce ? { held, annotate, announce } : undefined;
}

function isNews(reason: HoldReason, inEvents: readonly HoldReason[]): boolean {
  if (reason === "OtherGates") return false;
  return inEvents.length === 0 || (reason === "WriteFailed" && !inEvents.includes(reason));
}
