/**
 * One replica of Paceline: production's parts on virtual clocks and a network with faults. It may die and come again.
 */
import { LEASE_TIMES, type LeaseTimes } from "../../src/kube/leader/lease.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import type { Log } from "../../src/kube/log.ts";
import { formatHold } from "../../src/kube/parse/annotations.ts";
import { podFacts } from "../../src/kube/parse/facts.ts";
import type { KubeObject } from "../../src/kube/parse/kube-json.ts";
import { createShapeInterner } from "../../src/kube/parse/shape-interner.ts";
import { createServerClock, type ServerClock } from "../../src/kube/server-clock.ts";
import { createEventRecorder } from "../../src/kube/write/events.ts";
import { Ledger } from "../../src/core/state/ledger.ts";
import type { PodFacts } from "../../src/core/facts.ts";
import { createPacer, type Pacer } from "../../src/core/pacer.ts";
import type { Verdict } from "../../src/core/verdict.ts";
import { schedulerFilter } from "../../src/extender/filter.ts";
import { defaultPolicy } from "../../src/policy/parse.ts";
import { startPacing, type Pacing } from "../../src/service/pacing.ts";
import { followPolicy } from "../../src/service/policy-feed.ts";
import { nodeAdmission } from "../../src/webhooks/nodes.ts";
import { podAdmission, type PodAdmissionReport } from "../../src/webhooks/pods.ts";
import type { AdmissionRequest, AdmissionResponse } from "../../src/api/admission-review.ts";
import type { ExtenderArgs, ExtenderFilterResult } from "../../src/api/extender.ts";
import { Network } from "./network.ts";
import { ProcessClocks, type VirtualTime } from "./virtual-time.ts";

/** Where a deliberate bug takes hold: around production's seams. */
export interface Seams {
  readonly client?: (client: ApiClient) => ApiClient;
  readonly pacer?: (pacer: Pacer) => Pacer;
  readonly leaseTimes?: LeaseTimes;
  readonly alwaysSeesALeader?: boolean;
}

/** An answer of admission. */
export interface Judged {
  readonly replica: string;
  readonly pod: PodFacts;
  readonly verdict: Verdict;
}

export interface ReplicaOptions {
  readonly name: string;
  readonly time: VirtualTime;
  readonly random: () => number;
  /** The API server, for this caller, without a network. */
  readonly client: ApiClient;
  readonly seams: Seams;
  /** An error that production logs as its own: a bug. */
  readonly onJudged: (judged: Judged) => void;
  readonly onInternalError: (message: string, error: unknown) => void;
}

/** Namespace of policy and Lease. */
export const NAMESPACE = "paceline";

/** The replica of an identity in the Lease: every process has one of its own. */
export const replicaOf = (identity: string) => identity.split("_")[0] ?? "";

/** What a process of a replica consists of. */
interface Process {
  readonly clocks: ProcessClocks;
  readonly clock: ServerClock;
  readonly network: Network;
  readonly pacer: Pacer;
  readonly ledger: Ledger;
  readonly admitPod: (request: AdmissionRequest) => AdmissionResponse;
  readonly admitNode: (request: AdmissionRequest) => AdmissionResponse;
  readonly filter: (args: ExtenderArgs) => ExtenderFilterResult;
  pacing: Pacing | undefined;
}

export class Replica {
  readonly name: string;
  readonly #options: ReplicaOptions;
  #process: Process;
  #processes = 0;

  constructor(options: ReplicaOptions) {
    this.name = options.name;
    this.#options = options;
    this.#process = this.#start(undefined);
  }

  get clocks(): ProcessClocks {
    return this.#process.clocks;
  }

  /** The API server's time, as it knows it. */
  get clock(): ServerClock {
    return this.#process.clock;
  }

  get network(): Network {
    return this.#process.network;
  }

  get pacer(): Pacer {
    return this.#process.pacer;
  }

  /** What it knows, recorded a second time beside its pacer, which keeps its own to itself. */
  get ledger(): Ledger {
    return this.#process.ledger;
  }

  get pacing(): Pacing | undefined {
    return this.#process.pacing;
  }

  /** Callers reach its handlers. */
  get answers(): boolean {
    return this.clocks.isRunning && !this.network.isPartitioned;
  }

  /** It believes to lead. */
  get leads(): boolean {
    return this.clocks.isRunning && this.pacing?.election.isLeader === true;
  }

  get admitPod() {
    return this.#process.admitPod;
  }

  get admitNode() {
    return this.#process.admitNode;
  }

  get filter() {
    return this.#process.filter;
  }

  /** None of its continuations runs any more; requests that it has sent still arrive. */
  kill(): void {
    this.clocks.kill();
  }

  /** With an empty memory, on the same machine: its clock is as wrong as before, and its network, too. */
  restart(): void {
    this.#process = this.#start(this.#process);
  }

  #start(before: Process | undefined): Process {
    const { time, random, client: direct, seams } = this.#options;
    const clocks = new ProcessClocks(time);
    clocks.jump(before?.clocks.wallOffMs ?? 0);
    const clock = createServerClock(clocks);
    const network = new Network({ client: direct, time, clocks, random, clock });
    const client = seams.client?.(network.client()) ?? network.client();
    const log = this.#log();
    const interner = createShapeInterner();
    const fresh = createPacer(defaultPolicy({ mode: "off" }));
    const ledger = new Ledger("ContainersStarted");
    const pacer = seams.pacer?.(mirrored(fresh, ledger)) ?? mirrored(fresh, ledger);
    const events = createEventRecorder({ client, instance: this.name, clock, log });
    const now = () => clock.now();
    const toPodFacts = (raw: unknown, { namespace }: { readonly namespace: string }) =>
      podFacts(raw as KubeObject, interner, { namespace, createdAtMs: now() });
    const started: { pacing?: Pacing } = {};
    const replica = () => {
      const state = started.pacing?.replica() ?? { synced: false, leaderAlive: false };
      return seams.alwaysSeesALeader === true ? { ...state, leaderAlive: true } : state;
    };
    const report = ({ kind, ...rest }: { readonly kind: string; readonly error?: unknown }) => {
      if (kind === "failure") this.#options.onInternalError("a handler failed", rest.error);
    };
    const noted = (one: PodAdmissionReport) => {
      if (one.kind === "verdict") this.#options.onJudged({ replica: this.name, pod: one.pod, verdict: one.verdict });
      else report(one);
    };
    const process: Process = {
      clocks,
      clock,
      network,
      pacer,
      ledger,
      pacing: undefined,
      admitPod: podAdmission({ pacer, toPodFacts, formatHold, replica, now, report: noted }),
      admitNode: nodeAdmission({ policy: () => process.pacing?.policy.current, replica, now, report }),
      filter: schedulerFilter({ pacer, toPodFacts, replica, now, report }),
    };
    void startPacing({
      ...{ client, pacer, interner, events, random, log, namespace: NAMESPACE },
      identity: `${this.name}_${this.#processes++}`,
      clock,
      steady: clocks.steady,
      leaseTimes: seams.leaseTimes ?? LEASE_TIMES,
      startPolicy: (onPolicy) => followPolicy({ client, namespace: NAMESPACE, clock, random, log, events, onPolicy }),
    }).then((pacing) => {
      process.pacing = pacing;
      started.pacing = pacing;
    });
    return process;
  }

  #log(): Log {
    const nothing = () => undefined;
    return {
      debug: nothing,
      info: nothing,
      warn: nothing,
      error: (fields, message) => {
        if (message.startsWith("the policy has errors")) return;
        this.#options.onInternalError(message, (fields as { err?: unknown }).err);
      },
    };
  }
}

/** The pacer, with every fact that reaches it recorded in `ledger`, too. */
function mirrored(pacer: Pacer, ledger: Ledger): Pacer {
  const upsertPod = pacer.upsertPod.bind(pacer);
  const deletePod = pacer.deletePod.bind(pacer);
  const upsertNode = pacer.upsertNode.bind(pacer);
  const deleteNode = pacer.deleteNode.bind(pacer);
  pacer.upsertPod = (pod, nowMs) => {
    ledger.upsertPod(pod);
    upsertPod(pod, nowMs);
  };
  pacer.deletePod = (uid, nowMs) => {
    ledger.deletePod(uid);
    deletePod(uid, nowMs);
  };
  pacer.upsertNode = (node, nowMs) => {
    upsertNode(node, nowMs); // it may delete a node of that name first
    ledger.upsertNode(node, nowMs);
  };
  pacer.deleteNode = (name, nowMs) => {
    ledger.deleteNode(name);
    deleteNode(name, nowMs);
  };
  return pacer;
}
