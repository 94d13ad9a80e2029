/**
 * Leader election by Lease, by the same rules as client-go's: whoever holds the Lease renews it every 1.5 s; who has not
 * managed to for 7 s steps down; the others may take it when they have seen it unchanged for 10 s. Since a leader stops
 * 3 s before anybody else may start, and every write of the Lease is conditional, there are never two.
 */
import type { ApiClient } from "../client/api-client.ts";
import { isConflict, isNotFound } from "../client/api-error.ts";
import { pause } from "../clock.ts";
import type { Clock } from "../clock.ts";
import type { KubeObject } from "../parse/kube-json.ts";
import { heldLease, isFree, observe, parseLease, releasedLease } from "./lease-record.ts";
import type { Observation } from "./lease-record.ts";
import type { Log } from "../log.ts";

export interface LeaseTimes {
  /** Others may take the Lease when it was not renewed for so long. */
  readonly durationMs: number;
  /** The leader steps down when it could not renew for so long; below durationMs. */
  readonly renewDeadlineMs: number;
  /** Between attempts, to renew as to acquire. */
  readonly retryMs: number;
}

/**
 * Two thirds of client-go's figures, so that a new leader has begun within 15 s whenever the old one dies: it was seen to
 * renew 1.8 s later at worst (retryMs and a fifth of jitter), its Lease ends 10 s after that, and the next look comes 1.8 s
 * later at worst, 13.6 s in all.
 */
export const LEASE_TIMES: LeaseTimes = { durationMs: 10_000, renewDeadlineMs: 7_000, retryMs: 1_500 };

/** One attempt must leave time for another before the renew deadline. */
const ATTEMPT_TIMEOUT_MS = 2_000;

export interface LeaderElectionOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  /** Name of the Lease. */
  readonly name: string;
  /** Unique among candidates, e.g. the pod's name. */
  readonly identity: string;
  /** A steady one: a wall clock that jumps could make two leaders. */
  readonly clock: Clock;
  /** 0 to 1, for jitter. */
  readonly random: () => number;
  readonly log: Log;
  readonly times?: LeaseTimes | undefined;
  /** Only looks who leads, and never stands for it. */
  readonly followOnly?: boolean | undefined;
}

export interface LeaderElection {
  /** Whether this candidate leads at this very moment; false from the renew deadline on, even if nothing else ran. */
  readonly isLeader: boolean;
  /** Whoever holds the Lease as far as seen; "" for nobody. */
  readonly holder: string;
  /** Somebody was seen to renew the Lease (or we did) within its duration: what is held will be released. */
  leaderAlive(): boolean;
  /** Calls the listener at every change; the answer unsubscribes. */
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
  /** When the last successful write was begun: from then on others count. */
  #renewedMs: number | undefined;
  /** What we saw last is not what the API server holds. */
  #mustLook = false;
  /** What the listeners were told last. */
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
      this.#renewedMs !== undefined &&
      this.#options.clock.now() < this.#renewedMs + this.#times.renewDeadlineMs
    );
  }

  get holder(): string {
    return this.#seen?.record.holder ?? "";
  }

  leaderAlive(): boolean {
    if (this.isLeader) return true;
    const seen = this.#seen;
    return seen?.renewalSeen === true && !isFree(seen, this.#options.clock.now());
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
    while (!this.#stopping.signal.aborted) {
      try {
        await this.#attempt();
      } catch (error) {
        // A conflict may stem from a write of our own whose answer was lost: look who holds it, at once.
        if (isConflict(error) && !this.#mustLook) {
          this.#mustLook = true;
          continue;
        }
        log.warn({ err: error, lease: name }, "the leader Lease could not be read or written");
      }
      const jitterMs = this.isLeader ? 0 : this.#times.retryMs * 0.2 * random();
      await pause(clock, this.#times.retryMs + jitterMs, this.#stopping.signal);
    }
  }

  /** Renews as leader by one write; otherwise looks first, and takes the Lease only where it is free. */
  async #attempt(): Promise<void> {
    if (this.isLeader && this.#seen !== undefined && !this.#mustLook) return this.#write(this.#seen);
    const raw = await this.#read();
    this.#mustLook = false;
    if (raw === undefined) return this.#options.followOnly ? undefined : this.#write(undefined);
    this.#see(raw);
    if (this.#options.followOnly) return;
    const seen = this.#seen;
    if (seen === undefined) return;
    const isOurs = seen.record.holder === this.#options.identity;
    if (isOurs || isFree(seen, this.#options.clock.now())) await this.#write(seen);
    else this.#lose();
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
    const { client, clock, identity, name } = this.#options;
    const begunMs = clock.now();
    const lease = heldLease(this.#where(), identity, this.#times.durationMs, seen?.record, begunMs);
    const answer =
      seen === undefined
        ? await client.create(this.#path, lease, {}, this.#request())
        : await client.patch(`${this.#path}/${name}`, lease, "merge", {}, this.#request());
    this.#see(answer);
    this.#renewedMs = begunMs;
    this.#announce();
    this.#watchDeadline();
  }

  /** Tells the listeners at the deadline, should no renewal succeed until then. */
  #watchDeadline(): void {
    this.#cancelDeadline();
    this.#cancelDeadline = this.#options.clock.setTimer(() => this.#announce(), this.#times.renewDeadlineMs);
  }

  #see(raw: KubeObject): void {
    this.#seen = observe(this.#seen, parseLease(raw, this.#times.durationMs), this.#options.clock.now());
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
    const { client, clock, log, name } = this.#options;
    const record = this.#seen?.record;
    if (record?.holder !== this.#options.identity) return;
    try {
      const released = releasedLease(this.#where(), record, clock.now());
      await client.patch(`${this.#path}/${name}`, released, "merge", {}, this.#request());
    } catch (error) {
      log.warn({ err: error }, "the leader Lease could not be given back; the next leader waits for its end");
    }
  }

  #where(): { namespace: string; name: string } {
    return { namespace: this.#options.namespace, name: this.#options.name };
  }

  /** Not aborted by stop: whether a write got through must be known to give the Lease back. */
  #request(): { timeoutMs: number } {
    return { timeoutMs: ATTEMPT_TIMEOUT_MS };
  }
}
