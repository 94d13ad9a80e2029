/**
 * Leader election with a Lease, by the rules of client-go. The replica that holds the Lease renews it every 1.5 s. If
 * it has not managed to for 7 s, it steps down. Another replica may take the Lease when it has seen it unchanged for 10
 * s. So a leader stops 3 s before another may start. Every write of the Lease is conditional, so there are never two
 * leaders.
 *
 * When the leader dies, its pods stay held until the next leader releases them, within 15 s. While no Lease is fresh,
 * the webhooks fail open, so that nothing new is held; with no replica at all, the janitor releases every pod that was
 * held for longer than the cap.
 */
import type { ApiClient } from "../client/api-client.ts";
import { isConflict, isForbidden, isNotFound } from "../client/api-error.ts";
import { pause } from "../clock.ts";
import type { Clock } from "../clock.ts";
import type { KubeObject } from "../parse/kube-json.ts";
import { heldLease, isFree, observe, parseLease, releasedLease } from "./lease-record.ts";
import type { Observation } from "./lease-record.ts";
import type { Log } from "../log.ts";

export interface LeaseTimes {
  /** Others may take the Lease when it was not renewed for this long. */
  readonly durationMs: number;
  /** The leader steps down when it could not renew for this long; less than durationMs. */
  readonly renewDeadlineMs: number;
  /** Time between two attempts, to renew or to acquire. */
  readonly retryMs: number;
}

/**
 * Two thirds of client-go's figures, so that a new leader begins within 15 s after the old one died. The other replicas
 * see the last renewal at most 1.8 s late (retryMs and a fifth of jitter). The Lease ends 10 s after that, and the next
 * look comes at most 1.8 s later: 13.6 s in all.
 */
export const LEASE_TIMES: LeaseTimes = { durationMs: 10_000, renewDeadlineMs: 7_000, retryMs: 1_500 };

/** One attempt must leave time for another before the renew deadline. */
const ATTEMPT_TIMEOUT_MS = 2_000;

/**
 * Share of the time between the renew deadline and the end of the Lease in which a write of the old leader may still be
 * on its way. The rest is for clocks that run at different speeds (a tenth each way).
 */
const SAFE_SHARE = 1 / 3;

export interface LeaderElectionOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  /** Name of the Lease. */
  readonly name: string;
  /** Unique among candidates, e.g. the pod's name. */
  readonly identity: string;
  /** A steady clock: a wall clock that jumps could make two leaders. */
  readonly clock: Clock;
  /** The times that the Lease shows to others, such as the janitor. Default: `clock`. */
  readonly wall?: Pick<Clock, "now"> | undefined;
  /** 0 to 1, for jitter. */
  readonly random: () => number;
  readonly log: Log;
  readonly times?: LeaseTimes | undefined;
  /** Only observes which replica leads, and is never a candidate. */
  readonly followOnly?: boolean | undefined;
  /** What the leader writes on the Lease for others to read; asked at each renewal. */
  readonly note?: (() => string) | undefined;
  /** While it is false, the candidate neither leads nor takes the Lease. Asked at each use. */
  readonly isFit?: (() => boolean) | undefined;
}

export interface LeaderElection {
  /** True if this candidate leads at this moment; false from the renew deadline on, even if nothing else ran. */
  readonly isLeader: boolean;
  /** The holder of the Lease as last seen; "" if there is none. */
  readonly holder: string;
  /** What the leader last wrote for others to read; "" if nothing. It may be an earlier leader's. */
  readonly note: string;
  /** When some replica was last asked about a pod, as the Lease says, epoch ms. */
  readonly askedMs: number | undefined;
  /** True if the Lease was renewed within its duration, by us or another replica: held pods will be released. */
  leaderAlive(): boolean;
  /**
   * How long a request that begins now may take, in ms, so that it ends before another replica may lead; 0 if this
   * candidate does not lead.
   */
  readonly mayWriteForMs: number;
  /** Calls the listener at every change. @returns a function that unsubscribes */
  onChange(listener: (isLeader: boolean) => void): () => void;
  /** Steps down and gives the Lease back if we hold it, so that the next candidate takes over at its next look. */
  stop(): Promise<void>;
}

/** Starts at once as a candidate. */
export function startLeaderElection(options: LeaderElectionOptions): LeaderElection {
  return new Candidate(options);
}

class Candidate implements LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #times: LeaseTimes;
  readonly #path: string;
  readonly #listeners = new Set<(isLeader: boolean) => void>();
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #seen: Observation | undefined;
  /** When the last successful write began: from then on other replicas count the duration. */
  #renewedMs: number | undefined;
  /** The API server no longer holds the Lease as we saw it last. */
  #mustLook = false;
  /** When a read first did not find the Lease; undefined while it is there. */
  #missingSinceMs: number | undefined;
  /** The last value that the listeners got. */
  #announced = false;
  #cancelDeadline: () => void = () => undefined;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#times = options.times ?? LEASE_TIMES;
    this.#path = `/apis/coordination.k8s.io/v1/namespaces/${options.namespace}/leases`;
    this.#running = this.#run();
  }

  get isLeader(): boolean {
    return (
      !this.#stopping.signal.aborted &&
      this.#isFit() &&
      this.#renewedMs !== undefined &&
      this.#options.clock.now() < this.#renewedMs + this.#times.renewDeadlineMs
    );
  }

  get holder(): string {
    return this.#seen?.record.holder ?? "";
  }

  get note(): string {
    return this.#seen?.record.note ?? "";
  }

  get askedMs(): number | undefined {
    return this.#seen?.record.askedMs;
  }

  leaderAlive(): boolean {
    if (this.isLeader) return true;
    const seen = this.#seen;
    return seen?.renewalSeen === true && !isFree(seen, this.#options.clock.now());
  }

  get mayWriteForMs(): number {
    if (!this.isLeader || this.#renewedMs === undefined) return 0;
    const { durationMs, renewDeadlineMs } = this.#times;
    const untilMs = this.#renewedMs + renewDeadlineMs + (durationMs - renewDeadlineMs) * SAFE_SHARE;
    return untilMs - this.#options.clock.now();
  }

  onChange(listener: (isLeader: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#cancelDeadline();
    this.#announce();
    await this.#running;
    await this.#giveBack();
  }

  async #run(): Promise<void> {
    const { clock, random, log, name } = this.#options;
    let wasForbidden = false;
    while (!this.#stopping.signal.aborted) {
      try {
        await this.#attempt();
        wasForbidden = false;
      } catch (error) {
        // A conflict may come from our own write whose answer was lost, and the Lease may be gone: read it at once.
        if ((isConflict(error) || isNotFound(error)) && !this.#mustLook) {
          this.#mustLook = true;
          continue;
        }
        // A right is missing until a person grants it; at an uninstall it goes before the replica does.
        const level = isForbidden(error) && wasForbidden ? "debug" : "warn";
        wasForbidden = isForbidden(error);
        log[level]({ err: error, lease: name }, "the leader Lease could not be read or written");
      }
      const jitterMs = this.isLeader ? 0 : this.#times.retryMs * 0.2 * random();
      await pause(clock, this.#times.retryMs + jitterMs, this.#stopping.signal);
    }
  }

  /** As leader, renews with one write. Otherwise reads first, and takes the Lease only if it is free. */
  async #attempt(): Promise<void> {
    if (this.isLeader && this.#seen !== undefined && !this.#mustLook) return this.#write(this.#seen);
    const raw = await this.#read();
    this.#mustLook = false;
    if (raw === undefined) return this.#mayMake() ? this.#write(undefined) : undefined;
    this.#see(raw);
    if (this.#options.followOnly) return;
    const seen = this.#seen;
    if (!this.#isFit()) this.#withdraw();
    if (!this.#isFit() || seen === undefined) return;
    const isOurs = seen.record.holder === this.#options.identity;
    if (isOurs || isFree(seen, this.#options.clock.now())) await this.#write(seen);
    else this.#lose();
  }

  /**
   * The Lease is missing: never applied (Argo CD leaves Leases out), or deleted. Where we have seen it before, another
   * may still lead by it, until it has been missing for its whole duration.
   */
  #mayMake(): boolean {
    const { followOnly, clock } = this.#options;
    if (followOnly || !this.#isFit()) return false;
    this.#missingSinceMs ??= clock.now();
    const isOver = clock.now() >= this.#missingSinceMs + this.#times.durationMs;
    return this.#seen === undefined || this.isLeader || isOver;
  }

  async #read(): Promise<KubeObject | undefined> {
    try {
      return await this.#options.client.get(`${this.#path}/${this.#options.name}`, {}, this.#request());
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async #write(seen: Observation | undefined): Promise<void> {
    const { client, clock, wall = clock, identity, name } = this.#options;
    const begunMs = clock.now();
    const lease = heldLease(this.#where(), identity, this.#times.durationMs, seen?.record, wall.now(), this.#noteNow());
    const answer =
      seen === undefined
        ? await client.create(this.#path, lease, {}, this.#request())
        : await client.patch(`${this.#path}/${name}`, lease, "merge", {}, this.#request());
    this.#see(answer);
    this.#renewedMs = begunMs;
    this.#announce();
    this.#watchDeadline();
  }

  /** To lead does not depend on it. */
  #noteNow(): string | undefined {
    try {
      return this.#options.note?.();
    } catch (error) {
      this.#options.log.error({ err: error }, "the note on the Lease could not be made");
      return undefined;
    }
  }

  /** Informs the listeners at the deadline if no renewal succeeds until then. */
  #watchDeadline(): void {
    this.#cancelDeadline();
    this.#cancelDeadline = this.#options.clock.setTimer(() => this.#announce(), this.#times.renewDeadlineMs);
  }

  #see(raw: KubeObject): void {
    this.#missingSinceMs = undefined;
    this.#seen = observe(this.#seen, parseLease(raw, this.#times.durationMs), this.#options.clock.now());
  }

  #isFit(): boolean {
    return this.#options.isFit?.() ?? true;
  }

  /** The Lease is not given back: our last writes may still be on their way. It ends by itself. */
  #withdraw(): void {
    const { identity, log, name } = this.#options;
    if (this.#announced) log.warn({ identity, lease: name }, "not fit to lead any more: leaves the Lease to others");
    this.#lose();
  }

  #lose(): void {
    this.#renewedMs = undefined;
    this.#announce();
  }

  #announce(): void {
    const isLeader = this.isLeader;
    if (isLeader === this.#announced) return;
    this.#announced = isLeader;
    const { log, identity } = this.#options;
    log.info({ identity }, isLeader ? "leading" : "not leading any more");
    for (const listener of this.#listeners) {
      try {
        listener(isLeader);
      } catch (error) {
        log.error({ err: error }, "a listener of leadership changes failed");
      }
    }
  }

  async #giveBack(): Promise<void> {
    const { client, clock, wall = clock, log, name } = this.#options;
    const record = this.#seen?.record;
    if (record?.holder !== this.#options.identity) return;
    try {
      const released = releasedLease(this.#where(), record, wall.now());
      await client.patch(`${this.#path}/${name}`, released, "merge", {}, this.#request());
    } catch (error) {
      const level = isForbidden(error) ? "info" : "warn";
      log[level]({ err: error }, "the leader Lease could not be given back; the next leader waits for its end");
    }
  }

  #where(): { namespace: string; name: string } {
    return { namespace: this.#options.namespace, name: this.#options.name };
  }

  /** Stop does not abort this: to give the Lease back, we must know whether the write succeeded. */
  #request(): { timeoutMs: number } {
    return { timeoutMs: ATTEMPT_TIMEOUT_MS };
  }
}
