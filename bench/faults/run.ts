/** One run: a schedule under virtual time, with every invariant checked after every step. */
import { createHash } from "node:crypto";
import { capsInForce } from "../../src/cli/release.ts";
import type { AdmissionRequest, AdmissionResponse } from "../../src/api/admission-review.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { ApiError } from "../../src/kube/client/api-error.ts";
import { sweepAhead } from "../../src/release/sweep-ahead.ts";
import { isLeaderSeen } from "../../src/kube/leader/leader-seen.ts";
import { LEASE_TIMES } from "../../src/kube/leader/lease.ts";
import { recordOf, recordsOf, textMapOf, type KubeObject } from "../../src/kube/parse/kube-json.ts";
import { seededRandom } from "../../src/simulate/model/random.ts";
import { admitPolicy } from "../../src/webhooks/policy.ts";
import { createFakeApiServer, type FakeApiServer } from "./api-server/api-server.ts";
import type { Invariant } from "./invariant.ts";
import { invariants, JANITOR_AHEAD_MS, JANITOR_EVERY_MS } from "./invariants.ts";
import { ModelledCluster, specOf, STRICT_LABEL, STUBBORN_LABEL, TENANT } from "./modelled-cluster.ts";
import { NAMESPACE, Replica, type Seams } from "./replica.ts";
import { blinding, faultKinds, FAULTS_END_MS, REPLICAS, type Schedule, type Step } from "./steps.ts";
import { VirtualTime } from "./virtual-time.ts";
import { JANITOR, Witness } from "./witness.ts";

/** A deliberate bug: around production's seams, or in them until `undo` is called. */
export interface Bug {
  readonly name: string;
  readonly seams?: () => Seams;
  readonly install?: () => () => void;
  /** Only this invariant is checked: the bug shows that it can fail. Default: all. */
  readonly breaks?: string;
}

export interface Violation {
  readonly invariant: string;
  readonly sentence: string;
  readonly detail: string;
  /** Since the beginning of the run, ms. */
  readonly atMs: number;
}

export interface RunResult {
  readonly schedule: Schedule;
  readonly violation: Violation | undefined;
  readonly virtualMs: number;
  readonly faults: Readonly<Record<string, number>>;
  /** Of everything that the API server was told, so that two runs can be compared. */
  readonly digest: string;
  readonly trace: readonly string[];
}

/** The wall clock at the beginning; any will do. */
const START_MS = Date.parse("2026-01-01T00:00:00Z");

const DAY_MS = 86_400_000;

/**
 * Faults have ended, others have let the last pods go, everything held goes within the longest cap, and the fences
 * within theirs, ms.
 */
const END_MS = FAULTS_END_MS + 205_000;

/** Invariants that depend on time alone are checked this often, ms. */
const CHECK_EVERY_MS = 1_000;

export async function runSchedule(schedule: Schedule, bug?: Bug): Promise<RunResult> {
  const undo = bug?.install?.();
  try {
    return await new Run(schedule, bug?.seams?.() ?? {}, bug?.breaks).result();
  } finally {
    undo?.();
  }
}

function withoutDaemonSets(client: ApiClient): ApiClient {
  return {
    ...client,
    list: (path, ...rest) =>
      path.endsWith("/daemonsets")
        ? Promise.reject(new ApiError(403, "Forbidden", `${path}: Forbidden`))
        : client.list(path, ...rest),
  };
}

export class Run {
  readonly #schedule: Schedule;
  /** Settled nodes were created by then. */
  readonly #time = new VirtualTime(START_MS - DAY_MS);
  readonly server: FakeApiServer;
  readonly #replicas: readonly Replica[];
  readonly #cluster: ModelledCluster;
  readonly #witness: Witness;
  readonly #random: () => number;
  readonly #faults: Record<string, number> = {};
  readonly #digest = createHash("sha256");
  readonly #trace: string[] = [];
  readonly #checked: readonly Invariant[];

  /** @param checked the only invariant that is checked; default: all */
  constructor(schedule: Schedule, seams: Seams, checked?: string) {
    this.#checked = invariants.filter(({ name }) => checked === undefined || name === checked);
    this.#schedule = schedule;
    this.#random = seededRandom(schedule.seed * 7 + 3);
    this.server = createFakeApiServer({
      clock: this.#time,
      random: seededRandom(schedule.seed * 11 + 5),
      namespaces: [TENANT, NAMESPACE],
      priorityClasses: { urgent: 1_000 },
    });
    const replicas: Replica[] = [];
    this.#witness = new Witness(this.server, this.#time, replicas);
    this.#cluster = new ModelledCluster({
      ...{ server: this.#recorded(), time: this.#time, random: seededRandom(schedule.seed * 13 + 7) },
      policy: schedule.policy,
      askExtender: (args) => this.#answering()?.filter(args),
    });
    this.#cluster.settle(schedule.standby);
    this.#time.setTimer(() => undefined, DAY_MS);
    while (this.#time.step(START_MS));
    this.#cluster.begin();
    this.#notePolicy(true);
    for (let index = 0; index < REPLICAS; index++) {
      const name = `replica-${index}`;
      const client = this.#witness.client(name, (raw) => this.#wroteTo(raw));
      replicas.push(
        new Replica({
          ...{ name, time: this.#time, random: seededRandom(schedule.seed * 17 + index), seams },
          client: schedule.mayListDaemonSets ? client : withoutDaemonSets(client),
          onJudged: (judged) => this.#witness.judged.push(judged),
          onInternalError: (message, error) =>
            this.#witness.internalErrors.push(
              `${message}: ${error instanceof Error ? (error.stack ?? "") : String(error)}`,
            ),
        }),
      );
    }
    this.#replicas = replicas;
    this.server.webhooks = [
      (request) => this.#askOrIgnore(request, (one) => one.admitPod(request)),
      (request) => this.#askOrIgnore(request, (one) => one.admitNode(request)),
      admitPolicy,
      (request) => this.#otherWebhook(request),
    ];
  }

  async result(): Promise<RunResult> {
    for (const step of this.#schedule.steps) this.#time.setTimer(() => this.#carryOut(step), step.atMs);
    this.#time.setTimer(() => this.#healAll(), FAULTS_END_MS);
    this.#sweepForEver();
    this.#tick();
    const violation = await this.#drive();
    this.#cluster.stop();
    for (const replica of this.#replicas) replica.kill();
    return {
      schedule: this.#schedule,
      violation,
      virtualMs: this.#time.now() - START_MS,
      faults: this.#faults,
      digest: this.#digest.digest("hex"),
      trace: this.#trace,
    };
  }

  /** Lets promises settle, checks, and goes to the next timer. */
  async #drive(): Promise<Violation | undefined> {
    const endMs = START_MS + END_MS;
    let version = -1;
    let checkedMs = -Infinity;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.server.version !== version || this.#time.now() >= checkedMs + CHECK_EVERY_MS) {
        version = this.server.version;
        checkedMs = this.#time.now();
        const violation = this.#check();
        if (violation) return violation;
      }
      if (this.#time.step(endMs)) continue;
      this.#witness.ended = true;
      return this.#check();
    }
  }

  #check(): Violation | undefined {
    const witness = this.#witness;
    witness.update();
    for (const { name, sentence, check } of this.#checked) {
      const detail = check(witness);
      if (detail !== undefined) return { invariant: name, sentence, detail, atMs: this.#time.now() - START_MS };
    }
    for (const change of witness.fresh) this.#log(change.actor, change.path, change.after?.metadata?.resourceVersion);
    witness.forgetFresh();
    return undefined;
  }

  #log(actor: string, path: string, version: string | undefined): void {
    const line = `${((this.#time.now() - START_MS) / 1_000).toFixed(3)} ${actor} ${path} ${version ?? "gone"}`;
    this.#digest.update(line);
    this.#trace.push(line);
  }

  /** The API server for actors of the world, with every write on record. */
  #recorded(): FakeApiServer {
    const server = this.server;
    const witness = this.#witness;
    const noted = <Answer>(path: string, act: () => Answer): Answer => {
      const before = server.find(path);
      const answer = act();
      witness.note("tenant", path, before, server.find(path));
      return answer;
    };
    const recorded: Pick<FakeApiServer, "create" | "patch" | "delete" | "bind"> = {
      create: (path, body) => {
        const made = server.create(path, body);
        witness.note("tenant", `${path}/${made.metadata?.name ?? ""}`, undefined, made);
        return made;
      },
      patch: (path, ...rest) => noted(path, () => server.patch(path, ...rest)),
      delete: (path, ...rest) => noted(path, () => server.delete(path, ...rest)),
      bind: (path, node) => noted(path, () => server.bind(path, node)),
    };
    return new Proxy(server, {
      get: (target, property) => Reflect.get(property in recorded ? recorded : target, property) as unknown,
    });
  }

  // Admission and extender

  /** A replica that the Service sends a request to; undefined if that one does not answer. */
  #answering(): Replica | undefined {
    const replica = this.#replicas[Math.floor(this.#random() * this.#replicas.length)];
    return replica?.answers === true ? replica : undefined;
  }

  #askOrIgnore(request: AdmissionRequest, ask: (replica: Replica) => AdmissionResponse): AdmissionResponse {
    if (request.operation !== "CREATE") return { uid: request.uid, allowed: true };
    const replica = this.#answering();
    return replica ? ask(replica) : { uid: request.uid, allowed: true }; // failurePolicy Ignore
  }

  #otherWebhook({ uid, operation, resource, subResource, object, oldObject }: AdmissionRequest): AdmissionResponse {
    const asks = operation === "UPDATE" && resource.resource === "pods" && (subResource ?? "") === "";
    const labels = textMapOf((object as KubeObject | undefined)?.metadata?.labels);
    const isGiven = tolerationsOf(object) > tolerationsOf(oldObject);
    const code = Number(labels[STUBBORN_LABEL] ?? (isGiven ? labels[STRICT_LABEL] : undefined) ?? 0);
    if (asks && code > 0)
      return { uid, allowed: false, status: { code, reason: "Forbidden", message: "not this pod" } };
    if (!asks || this.#cluster.refusesUpdates === 0) return { uid, allowed: true };
    return { uid, allowed: false, status: { code: 500, reason: "InternalError", message: "another webhook failed" } };
  }

  // The janitor, in a failure domain of its own

  #sweepForEver(): void {
    this.#time.setTimer(() => {
      void this.#sweepOnce();
      this.#sweepForEver();
    }, JANITOR_EVERY_MS);
  }

  async #sweepOnce(): Promise<void> {
    const client = this.#witness.client(JANITOR);
    try {
      const caps = await capsInForce(client, NAMESPACE);
      const leaderless = !(await isLeaderSeen(client, NAMESPACE, this.#time));
      const clock = {
        now: () => this.#time.now(),
        wait: (ms: number) => new Promise<void>((resolve) => void this.#time.setTimer(resolve, ms)),
      };
      await sweepAhead(client, { which: "expired" }, caps, { aheadMs: JANITOR_AHEAD_MS, leaderless }, clock);
    } catch {
      // The next one tries again.
    }
  }

  // Steps

  #carryOut(step: Step): void {
    if (faultKinds.has(step.kind)) {
      const kind = step.kind === "network" ? step.fault.kind : step.kind;
      this.#faults[kind] = (this.#faults[kind] ?? 0) + 1;
    }
    this.#trace.push(`${(step.atMs / 1_000).toFixed(3)} ${JSON.stringify(step)}`);
    this.#busyFor(this.#lasts(step));
    if (blinding.has(step.kind)) {
      this.#witness.blindUntilMs = Math.max(this.#witness.blindUntilMs, this.#time.now() + this.#lasts(step));
    }
    if (step.kind === "otherWebhookRefuses") this.#witness.refusedUntilMs = this.#time.now() + step.forMs;
    if (this.#cluster.act(step)) {
      if (step.kind === "policy" || step.kind === "badPolicy") this.#notePolicy(step.kind === "policy");
    } else this.#strike(step);
  }

  #lasts(step: Step): number {
    if ("forMs" in step) return step.forMs;
    if (step.kind === "pods") return step.spreadMs;
    if (step.kind === "kill") return step.downMs;
    if (step.kind === "leave") return (Number.isFinite(step.backAfterMs) ? step.backAfterMs : 0) + 6_000;
    return step.kind === "join" ? step.readyMs : 0;
  }

  #strike(step: Step): void {
    if (!("replica" in step)) {
      if (step.kind === "compact") this.server.compact(this.server.version);
      return;
    }
    const replica = this.#replicas[step.replica];
    if (replica === undefined) return;
    const { network, clocks } = replica;
    switch (step.kind) {
      case "network":
        network.begin(step.fault);
        this.#time.setTimer(() => network.end(step.fault), step.forMs);
        return;
      case "cutWatches":
        network.cutWatches();
        return;
      case "kill":
        if (!clocks.isAlive) return;
        replica.kill();
        this.#time.setTimer(() => !replica.clocks.isAlive && replica.restart(), step.downMs);
        return;
      case "suspend":
        clocks.suspend();
        this.#witness.stoodStillUntilMs = Infinity;
        this.#time.setTimer(() => this.#resume(replica), step.forMs);
        return;
      case "jump":
        clocks.jump(step.byMs);
        return;
      case "drift":
        clocks.drift(step.rate);
        return;
    }
  }

  /** What it may have begun while it led is over within the Lease's duration. */
  #resume(replica: Replica): void {
    replica.clocks.resume();
    const isLast = !this.#replicas.some(({ clocks }) => clocks.isSuspended);
    if (isLast) this.#witness.stoodStillUntilMs = this.#time.now() + LEASE_TIMES.durationMs;
  }

  /** The world answers to a write of Paceline. */
  #wroteTo(raw: KubeObject): void {
    this.#cluster.wroteTo(raw);
  }

  /** The end of all faults: clocks run right again, and the policy is a good one. */
  #healAll(): void {
    for (const { clocks } of this.#replicas) {
      clocks.drift(1);
      clocks.jump(-clocks.wallOffMs);
    }
    this.#cluster.repairPolicy();
    this.#notePolicy(true);
    this.#witness.blindUntilMs = this.#time.now();
    this.#busyFor(0);
  }

  #notePolicy(valid: boolean): void {
    const { policy: draft } = this.#cluster;
    this.#witness.policies.push({ sinceMs: this.#time.now(), draft, valid });
  }

  #busyFor(ms: number): void {
    this.#witness.busyUntilMs = Math.max(this.#witness.busyUntilMs, this.#time.now() + ms);
  }

  /** So that time passes in small steps, and invariants of time are checked. */
  #tick(): void {
    this.#time.setTimer(() => this.#tick(), CHECK_EVERY_MS);
  }
}

const tolerationsOf = (pod: unknown): number => recordsOf(specOf(recordOf(pod))["tolerations"]).length;
