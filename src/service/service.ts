/**
 * Puts `paceline serve` together. There is one pacer. Reflectors, policy and telemetry feed it, webhooks and extender
 * ask it, and the release loop carries out its plans while this replica leads.
 */
import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import { formatHold } from "../kube/parse/annotations.ts";
import { createApiClient, type ApiClient } from "../kube/client/api-client.ts";
import { steadyClock, systemClock, type Clock } from "../kube/clock.ts";
import { createServerClock } from "../kube/server-clock.ts";
import { createEventRecorder, type EventRecorder } from "../kube/write/events.ts";
import { podFacts } from "../kube/parse/facts.ts";
import type { KubeObject } from "../kube/parse/kube-json.ts";
import { parseLeaderFigures } from "../kube/parse/leader-figures.ts";
import { startLeaderElection, type LeaderElection, type LeaseTimes } from "../kube/leader/lease.ts";
import { createShapeInterner, type ShapeInterner } from "../kube/parse/shape-interner.ts";
import type { CertificateSpan } from "../certificates/rotation.ts";
import { createPacer, type Pacer } from "../core/pacer.ts";
import { defaultPolicy } from "../policy/parse.ts";
import type { PacingPolicy } from "../policy/schema.ts";
import type { ReleaseHooks } from "../release/loop.ts";
import { buildApp, closeApp, untilUnused } from "../server/app.ts";
import { countRelease, createMetrics, type Metrics } from "../server/metrics.ts";
import { countReady, reportFailedStarts, reportLimitMoves } from "../server/reports.ts";
import type { ServiceState } from "../server/state.ts";
import type { TlsFiles, TlsMaterial } from "../server/tls.ts";
import { startAskedNote } from "./asked-note.ts";
import type { ClusterFeed } from "./cluster-feed.ts";
import { startPacing, type Pacing } from "./pacing.ts";
import { followPolicy, policyFromFile, type PolicyFeed } from "./policy-feed.ts";
import { createTelemetryFeed, type TelemetryFeed } from "./telemetry-feed.ts";
import { firstTls, startTlsFeed, type AutomaticCertificates, type TlsSource } from "./tls-feed.ts";
import { version } from "../api/version.ts";

export interface ServiceOptions {
  /** How to reach the API server: `loadCredentials(…)`, or `{ url, token, ca }`. */
  readonly access: Parameters<typeof createApiClient>[0];
  /** Namespace of the policy and the leader's Lease. */
  readonly namespace: string;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Without these and `certificates` the service speaks plain HTTP. */
  readonly tlsFiles?: TlsFiles | undefined;
  /** Instead of files: certificates that the service makes, keeps in a Secret and rotates. */
  readonly certificates?: AutomaticCertificates | undefined;
  /** The webhooks' routes demand a client certificate, too (needs a client CA). */
  readonly webhookClients?: boolean | undefined;
  /** Scheduler name that `/mutate/scheduler` gives to pods while that scheduler renews its Lease in our namespace. */
  readonly secondScheduler?: { readonly name: string; readonly lease: string } | undefined;
  /** A policy file that is read once, instead of following the ConfigMap. */
  readonly policyFile?: string | undefined;
  /** Unique among the replicas. */
  readonly identity: string;
  readonly log: FastifyBaseLogger;
  /** Default: client-go's. */
  readonly leaseTimes?: LeaseTimes | undefined;
  /** The replica never leads and only answers. */
  readonly followOnly?: boolean | undefined;
}

export interface Service {
  /** Base address, such as `https://127.0.0.1:8443`. */
  readonly url: string;
  /** Resolves when the caches are synced and a policy is in force; stays pending when stopped before. */
  readonly ready: Promise<void>;
  readonly pacer: Pacer;
  readonly app: FastifyInstance;
  readonly metrics: Metrics;
  /** This replica leads now. */
  readonly isLeader: boolean;
  /**
   * From now on every answer closes its connection, so callers use another replica and `stop` cuts none off. Resolves
   * when no connection is left, or after `withinMs`.
   */
  leave(withinMs: number): Promise<void>;
  /** Answers what is in flight, gives leadership back, ends everything. Calling it again does nothing. */
  stop(): Promise<void>;
}

/** Longest time that shutdown waits for one part, ms; Kubernetes kills the process after 30 s. */
const GRACE_MS = 8_000;

/** What all parts share. */
interface Base {
  readonly options: ServiceOptions;
  readonly client: ApiClient;
  readonly pacer: Pacer;
  readonly interner: ShapeInterner;
  readonly metrics: Metrics;
  readonly events: EventRecorder;
  /** The API server's time. */
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: FastifyBaseLogger;
  /** Resolves when the server shows a certificate that the API server trusts. */
  readonly certified: PromiseWithResolvers<undefined>;
  /** The validity of that certificate, if it is known. */
  readonly certificate: { span: CertificateSpan | undefined };
  /** True when the service is about to stop. */
  readonly leaving: { now: boolean };
}

/** All parts, running. */
interface Parts extends Pacing {
  readonly telemetry: TelemetryFeed;
  /** Follows the Lease of the second scheduler. */
  readonly secondScheduler: LeaderElection | undefined;
  readonly endAskedNote: () => Promise<void>;
}

/**
 * Starts the service. Resolves when it listens, which is before it is ready.
 * @throws UsageError for an unusable policy file; an error that names the file for unusable certificates
 */
export async function startService(options: ServiceOptions): Promise<Service> {
  const source = tlsSource(options);
  const tls = source && (await firstTls(source, systemClock.now()));
  const base = makeBase(options);
  try {
    const parts = await startParts(base);
    const app = buildApp({
      ...base,
      now: () => base.clock.now(),
      version,
      tls,
      webhookClients: options.webhookClients,
      secondScheduler: redirection(options, parts),
      isLeaving: () => base.leaving.now,
      formatHold,
      toPodFacts: toPodFacts(base),
      state: serviceState(base, parts),
    });
    return await listen(base, parts, app, tls);
  } catch (error) {
    await base.client.close();
    throw error;
  }
}

function makeBase(options: ServiceOptions): Base {
  const { identity, log } = options;
  const metrics = createMetrics();
  const clock = createServerClock({
    wall: systemClock,
    steady: steadyClock,
    onOff: (seconds) => log.warn({ seconds }, "this machine's clock is off; the API server's time counts"),
  });
  const onAnswer = (method: string, code: number) => metrics.apiRequests.inc({ method, code });
  const client = createApiClient(options.access, { clock, onAnswer });
  return {
    options,
    client,
    clock,
    log,
    // Until a policy has been read, nothing is held.
    pacer: createPacer(defaultPolicy({ mode: "off" })),
    interner: createShapeInterner(),
    metrics,
    events: createEventRecorder({ client, instance: identity, clock, log }),
    random: Math.random,
    certified: Promise.withResolvers<undefined>(),
    certificate: { span: undefined },
    leaving: { now: false },
  };
}

async function startParts(base: Base): Promise<Parts> {
  const { options, metrics, pacer, log } = base;
  // Telemetry starts before the parts that it asks, so it gets them later.
  const later: { pacing?: Pacing } = {};
  const telemetry = startTelemetry(
    base,
    () => later.pacing?.cluster.addresses ?? new Map(),
    () => later.pacing?.changed(),
  );
  const pacing = (later.pacing = await startPacing({
    ...base,
    ...options,
    steady: steadyClock,
    startPolicy: (onPolicy) => startPolicy(base, onPolicy),
    onPolicy: (inForce) => telemetry.use(inForce.telemetry),
    onChange() {
      reportFailedStarts(pacer.takeFailedStarts(), metrics, log);
      reportLimitMoves(pacer.takeMoves(), metrics, log);
      countReady(pacer.takeReady(), metrics);
    },
    hooks: releaseHooks(base),
  }));
  const endAskedNote = startAskedNote({ ...base, ...options, election: pacing.election });
  return { ...pacing, telemetry, secondScheduler: followSecondScheduler(base), endAskedNote };
}

function followSecondScheduler({ options, client, random, log }: Base): LeaderElection | undefined {
  const { secondScheduler, namespace, identity } = options;
  if (secondScheduler === undefined) return undefined;
  const { lease: name } = secondScheduler;
  return startLeaderElection({ client, namespace, name, identity, clock: steadyClock, random, log, followOnly: true });
}

function redirection({ secondScheduler }: ServiceOptions, parts: Parts) {
  const isAlive = () => parts.secondScheduler?.leaderAlive() ?? false;
  return secondScheduler && { schedulerName: secondScheduler.name, isAlive };
}

function startPolicy(base: Base, onPolicy: (policy: PacingPolicy) => void): Promise<PolicyFeed> | PolicyFeed {
  const { policyFile, namespace } = base.options;
  return policyFile === undefined
    ? followPolicy({ ...base, namespace, onPolicy })
    : policyFromFile(policyFile, onPolicy);
}

function startTelemetry(
  { pacer, metrics, clock, log, client, random }: Base,
  addresses: () => ClusterFeed["addresses"],
  onChange: () => void,
): TelemetryFeed {
  const now = () => clock.now();
  return createTelemetryFeed({
    clock,
    log,
    client,
    random,
    targets() {
      const paced = new Set(pacer.watchedNodes(now()));
      const nodes = [...addresses()].filter(([name]) => !pacer.isLeftOut(name));
      return nodes.map(([name, address]) => ({ name, address, paced: paced.has(name) }));
    },
    onSample(node, sample) {
      pacer.observeSample(node, sample, now());
      onChange();
    },
    onFailure: ({ kind }) => metrics.telemetryFailures.inc({ kind }),
    onRound: ({ durationMs }) => metrics.telemetryRounds.observe(durationMs / 1_000),
  });
}

const releaseHooks = ({ metrics }: Base): ReleaseHooks => ({
  onPlan: (_plan, durationMs) => metrics.planSeconds.observe(durationMs / 1_000),
  onReleased: (release, heldMs) => countRelease(metrics, release, heldMs),
  onFence(action) {
    if (action.kind === "lift") metrics.fencesLifted.inc({ reason: action.reason });
    if (action.kind === "beginRollCall") metrics.rollCalls.inc();
  },
  onWriteFailed: (kind) => metrics.writeFailures.inc({ kind }),
});

/** Pods under admission have no creation time yet: they get the present time. */
function toPodFacts({ interner, clock }: Base) {
  return (raw: unknown, { namespace }: { readonly namespace: string }) =>
    podFacts(raw as KubeObject, interner, { namespace, createdAtMs: clock.now() });
}

function tlsSource({ tlsFiles, certificates }: ServiceOptions): TlsSource | undefined {
  if (certificates !== undefined) return { kind: "automatic", automatic: certificates };
  return tlsFiles && { kind: "files", files: tlsFiles };
}

/** The state that the HTTP server asks for. */
function serviceState(
  { events, certificate, options }: Base,
  { cluster, policy, telemetry, election, replica }: Parts,
): ServiceState {
  const showsNone = tlsSource(options) === undefined;
  return {
    ...(!showsNone && { certificateSpan: () => certificate.span }),
    replica,
    leader: () => ({
      holder: election.holder === "" ? undefined : election.holder,
      alive: election.leaderAlive(),
      leading: election.isLeader,
    }),
    leaderFigures: () => (election.leaderAlive() ? parseLeaderFigures(election.note) : undefined),
    policy: () => policy.current,
    policyValid: () => policy.isValid,
    watchAgesMs(nowMs) {
      const { lastContactMs } = policy;
      const policyAge = lastContactMs !== undefined && { configmaps: Math.max(0, nowMs - lastContactMs) };
      return { ...cluster.watchAgesMs(), ...policyAge };
    },
    telemetryAgesMs: (nowMs) => telemetry.agesMs(nowMs),
    eventsDropped: () => events.counts.dropped + events.counts.failed,
  };
}

async function listen(base: Base, parts: Parts, app: FastifyInstance, tls: TlsMaterial | undefined): Promise<Service> {
  const { host, port, namespace } = base.options;
  let endTls: () => Promise<void> = () => Promise.resolve();
  const stop = () => stopAll(base, parts, app, () => endTls());
  let url: string;
  try {
    url = await app.listen({ host, port });
  } catch (error) {
    await stop();
    throw error;
  }
  const source = tlsSource(base.options);
  if (tls && source) {
    const server = app.server as unknown as Parameters<typeof startTlsFeed>[0]["server"];
    const isLeader = () => parts.election.isLeader;
    const onLeadership = (listener: () => void) => parts.election.onChange(listener);
    const onCertified = (span: CertificateSpan) => {
      base.certificate.span = span;
      base.certified.resolve(undefined);
    };
    endTls = startTlsFeed({ ...base, namespace, source, current: tls, server, isLeader, onLeadership, onCertified });
  } else base.certified.resolve(undefined);
  const ready = Promise.all([parts.cluster.synced, parts.policy.loaded, base.certified.promise]).then(() => {
    base.log.info({ url }, "ready");
  });
  let stopped: Promise<void> | undefined;
  return {
    url,
    ready,
    app,
    pacer: base.pacer,
    metrics: base.metrics,
    get isLeader() {
      return parts.election.isLeader;
    },
    leave(withinMs) {
      base.leaving.now = true;
      return untilUnused(app, withinMs);
    },
    stop: () => (stopped ??= stop()),
  };
}

/** Stops in order: first new requests and releases, then leadership, which others may take, then the feeds. */
async function stopAll({ client, events, log }: Base, parts: Parts, app: FastifyInstance, endTls: () => Promise<void>) {
  const { cluster, policy, telemetry, election, secondScheduler, loop, endAskedNote } = parts;
  const graceful = async () => {
    await Promise.all([endTls(), closeApp(app), loop.stop(), telemetry.stop(), endAskedNote()]);
    await Promise.all([election.stop(), secondScheduler?.stop()]);
    await Promise.all([cluster.stop(), policy.stop(), events.stop()]);
  };
  const ended = graceful().then(() => true);
  const inTime = await Promise.race([
    ended,
    new Promise<false>((resolve) => setTimeout(resolve, GRACE_MS, false).unref()),
  ]);
  if (!inTime) log.warn("not everything ended in time; dropping what is left");
  await client.close();
}
