/**
 * A node of the model that takes part in a real cluster: it registers, becomes Ready, runs the pods bound to it through
 * the modelled disk and kubelet, and serves node_exporter's metrics and the kubelet's configuration. It is the only
 * part of the model with I/O.
 */
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { isNotFound } from "../../src/kube/client/api-error.ts";
import type { Clock } from "../../src/kube/clock.ts";
import { systemClock } from "../../src/kube/clock.ts";
import type { KubeObject, RawTaint } from "../../src/kube/parse/kube-json.ts";
import type { Log } from "../../src/kube/log.ts";
import { silentLog } from "../../src/kube/log.ts";
import { startReflector } from "../../src/kube/watch/reflector.ts";
import type { Reflector } from "../../src/kube/watch/reflector.ts";
import type { Assumptions } from "../../src/simulate/model/constants.ts";
import { assumedDefaults, nodeDefaults, SECOND_MS } from "../../src/simulate/model/constants.ts";
import { imageSize } from "../../src/simulate/model/image-size.ts";
import { defaultDisk, deviceBytesPerSecond, NodeModel } from "../../src/simulate/model/node-model.ts";
import type { Random } from "../../src/simulate/model/random.ts";
import { seededRandom } from "../../src/simulate/model/random.ts";
import type { DiskSpec, ImageSpec, KubeletSpec, NodeCounters } from "../../src/simulate/model/types.ts";
import { startExporter } from "./exporter.ts";
import type { Exporter } from "./exporter.ts";
import { exposition } from "./exposition.ts";
import { type KubeletServer, startKubeletServer } from "./kubelet-server.ts";
import type { ModelClock } from "./model-clock.ts";
import { modelClock } from "./model-clock.ts";
import type { NodeIdentity } from "./node-object.ts";
import type { RunnerReport } from "./pod-runner.ts";
import { PodRunner } from "./pod-runner.ts";
import type { Registration } from "./registration.ts";
import { register } from "./registration.ts";
import type { Writer } from "./writer.ts";
import { createWriter } from "./writer.ts";

/** node_exporter's port. */
const METRICS_PORT = 9_100;

/** Options of a modelled node; only client and name have no default. */
export interface ModelledNodeOptions {
  /** Stays the caller's: `stop` does not close it. */
  readonly client: ApiClient;
  readonly name: string;
  /** Besides arch, os and `kubernetes.io/hostname`. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Taints with which the kubelet registers (startup taints). */
  readonly taints?: readonly RawTaint[] | undefined;
  /** From registration to Ready, in seconds of the model; default 0. */
  readonly joinSeconds?: number | undefined;
  /** It says that it has been Ready for this long already, in seconds; default 0. */
  readonly readyForSeconds?: number | undefined;
  /** Default: gp3, 125 MiB/s and 3,000 IOPS. */
  readonly disk?: DiskSpec | undefined;
  /** Default 4. */
  readonly cores?: number | undefined;
  /** Default 16 GiB; a fifth of it may be dirty. */
  readonly memoryBytes?: number | undefined;
  /** Default 110. */
  readonly maxPods?: number | undefined;
  readonly kubelet?: Partial<KubeletSpec> | undefined;
  /** The host's cgroup version, as the kubelet reports it; default 2. With 1 it reports no pressure. */
  readonly cgroupVersion?: 1 | 2 | undefined;
  /**
   * Where the kubelet's pages are served: on loopback (the default), or on another address of this machine, because
   * kube-apiserver does not proxy to loopback. In both cases only this machine is answered.
   */
  readonly kubeletReach?: "loopback" | "proxy" | undefined;
  readonly registryMibPerSecond?: number | undefined;
  /** Sizes of images; others get the assumed size. Names as in the pods. */
  readonly images?: readonly ImageSpec[] | undefined;
  /** Names of images that the node has from the start. */
  readonly presentImages?: readonly string[] | undefined;
  readonly assumptions?: Partial<Assumptions> | undefined;
  /** Model seconds per wall second; default 1. */
  readonly speed?: number | undefined;
  /** Default 9100, on the node's own address. */
  readonly metricsPort?: number | undefined;
  /** Seed of the model's chance; default: made from the name. */
  readonly seed?: number | undefined;
  /** Chance outside of the model: the address, jitter of retries. */
  readonly random?: Random | undefined;
  /** Default true: Events of type Normal (Pulling, Pulled, Created, Started), too. */
  readonly normalEvents?: boolean | undefined;
  readonly clock?: Clock | undefined;
  readonly log?: Log | undefined;
}

export interface ModelledNode extends AsyncDisposable {
  readonly name: string;
  /** The node's own address, 127.x.y.z: its InternalIP, and where its metrics are. */
  readonly address: string;
  readonly metricsUrl: string;
  /** Resolves when the node has been reported Ready (never, if it is stopped before). */
  readonly ready: Promise<void>;
  /** Present counters of the modelled kernel. */
  readonly counters: () => NodeCounters;
  readonly report: () => ModelledNodeReport;
  /** Ends everything: no socket, timer or renewal is left. With `deregister` the Node object is deleted, too. */
  readonly stop: (options?: { readonly deregister?: boolean }) => Promise<void>;
}

export interface ModelledNodeReport extends RunnerReport {
  /** Time that the disk alone needs for images that the node did not have: blobs and unpacked layers ÷ device rate. */
  readonly diskBoundSeconds: number;
}

/**
 * Starts one node. Resolves when it is registered (not Ready yet: see {@link ModelledNode.ready}).
 * @throws ApiError when the API server refuses the Node
 */
export async function startModelledNode(options: ModelledNodeOptions): Promise<ModelledNode> {
  const parts = modelParts(options);
  const exporter = await startExporter(
    () => exposition(parts.counters()),
    options.metricsPort ?? METRICS_PORT,
    parts.random,
  );
  const servers: { stop(): Promise<void> }[] = [exporter];
  try {
    const kubelet = await startKubeletServer({
      kubelet: options.kubelet,
      maxPods: options.maxPods ?? nodeDefaults.pods,
      cgroupVersion: options.cgroupVersion ?? 2,
      reach: options.kubeletReach ?? "loopback",
      counters: parts.counters,
      loopback: exporter.address,
      nowMs: () => parts.time.nowMs(),
    });
    servers.push(kubelet);
    return await enrol(options, parts, { exporter, kubelet });
  } catch (error) {
    await Promise.all([parts.writer.stop(), ...servers.map((server) => server.stop())]);
    throw error;
  }
}

interface Servers {
  readonly exporter: Exporter;
  readonly kubelet: KubeletServer;
}

/** Starts several nodes at once: all of them, or none. */
export async function startModelledNodes(all: readonly ModelledNodeOptions[]): Promise<ModelledNodes> {
  const outcomes = await Promise.allSettled(all.map(startModelledNode));
  const nodes = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  const stop: ModelledNode["stop"] = async (how) => {
    await Promise.all(nodes.map((node) => node.stop(how)));
  };
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) {
    await stop({ deregister: true });
    throw failed.reason;
  }
  const ready = Promise.all(nodes.map((node) => node.ready)).then(() => undefined);
  return { nodes, ready, stop, [Symbol.asyncDispose]: () => stop() };
}

export interface ModelledNodes extends AsyncDisposable {
  readonly nodes: readonly ModelledNode[];
  /** Resolves when all are Ready. */
  readonly ready: Promise<void>;
  readonly stop: ModelledNode["stop"];
}

interface Parts {
  readonly clock: Clock;
  readonly time: ModelClock;
  readonly random: Random;
  readonly model: NodeModel;
  readonly writer: Writer;
  readonly counters: () => NodeCounters;
}

function modelParts(options: ModelledNodeOptions): Parts {
  const clock = options.clock ?? systemClock;
  const time = modelClock(clock, options.speed ?? 1);
  const random = options.random ?? Math.random;
  const model = new NodeModel({
    startMs: time.nowMs(),
    random: seededRandom(options.seed ?? seedOf(options.name)),
    disk: options.disk ?? defaultDisk,
    cores: options.cores,
    memoryBytes: options.memoryBytes,
    registryMibPerSecond: options.registryMibPerSecond,
    kubelet: options.kubelet,
    images: options.images,
    present: options.presentImages,
    assumptions: options.assumptions,
    normalEvents: options.normalEvents,
  });
  const counters = () => model.counters(time.nowMs());
  return { clock, time, random, model, writer: createWriter(clock, random), counters };
}

async function enrol(options: ModelledNodeOptions, parts: Parts, servers: Servers): Promise<ModelledNode> {
  const { client, name } = options;
  const { exporter } = servers;
  const { clock, model, writer, time } = parts;
  const node = identity(options, model, servers);
  const registration = await register({
    client,
    clock,
    writer,
    node,
    images: () => model.images(),
    speed: options.speed ?? 1,
  });
  const runner = new PodRunner({
    client,
    model,
    clock: time,
    writer,
    node: name,
    address: exporter.address,
    imagesChanged: () => registration.imagesChanged(),
  });
  const reflector = watchPods(options, parts, runner);
  const joined = Promise.withResolvers<undefined>();
  const cancelJoin = time.setTimer(
    () => {
      runner.join();
      registration.becomeReady(() => joined.resolve(undefined), (options.readyForSeconds ?? 0) * SECOND_MS);
    },
    time.nowMs() + (options.joinSeconds ?? 0) * SECOND_MS,
  );
  const stop = stopOnce(options, { registration, runner, reflector, writer, servers, cancelJoin });
  return {
    name,
    address: exporter.address,
    metricsUrl: `http://${exporter.address}:${exporter.port}/metrics`,
    ready: joined.promise.then(() => undefined),
    counters: parts.counters,
    report: () => ({ ...runner.report(), diskBoundSeconds: diskBoundSeconds(options, runner.report().imagesUsed) }),
    stop,
    [Symbol.asyncDispose]: () => stop(),
  };
}

interface RunningParts {
  readonly registration: Registration;
  readonly runner: PodRunner;
  readonly reflector: Reflector;
  readonly writer: Writer;
  readonly servers: Servers;
  readonly cancelJoin: () => void;
}

function stopOnce({ client, name }: ModelledNodeOptions, parts: RunningParts): ModelledNode["stop"] {
  let ending: Promise<void> | undefined;
  const end = async (deregister: boolean) => {
    parts.cancelJoin();
    parts.runner.stop();
    parts.registration.stop();
    const { exporter, kubelet } = parts.servers;
    await Promise.all([parts.reflector.stop(), parts.writer.stop(), exporter.stop(), kubelet.stop()]);
    if (deregister) await client.remove(`/api/v1/nodes/${name}`).catch(ignoreMissing);
  };
  return (how) => (ending ??= end(how?.deregister ?? false));
}

function ignoreMissing(error: unknown): void {
  if (!isNotFound(error)) throw error;
}

function watchPods(options: ModelledNodeOptions, { clock, random }: Parts, runner: PodRunner): Reflector {
  return startReflector<KubeObject>({
    client: options.client,
    path: "/api/v1/pods",
    query: { fieldSelector: `spec.nodeName=${options.name}` },
    parse: (raw) => raw,
    onUpsert: (raw) => runner.upsert(raw),
    onDelete: (uid) => runner.forget(uid),
    clock,
    random,
    log: options.log ?? silentLog,
  });
}

function identity(options: ModelledNodeOptions, model: NodeModel, { exporter, kubelet }: Servers): NodeIdentity {
  return {
    name: options.name,
    labels: options.labels ?? {},
    taints: options.taints ?? [],
    address: exporter.address,
    kubelet,
    cores: model.cores,
    memoryBytes: model.memoryBytes,
    maxPods: options.maxPods ?? nodeDefaults.pods,
  };
}

/** Time that the disk alone needs for images that were used and not present from the start. */
function diskBoundSeconds(options: ModelledNodeOptions, imagesUsed: ReadonlySet<string>): number {
  const assumptions = { ...assumedDefaults, ...options.assumptions };
  const catalogue = new Map((options.images ?? []).map((image) => [image.name, image]));
  const present = new Set(options.presentImages);
  const missing = [...imagesUsed].filter((image) => !present.has(image));
  const bytes = missing.reduce((sum, image) => sum + imageSize(catalogue.get(image), assumptions).diskBytes, 0);
  return bytes / deviceBytesPerSecond(options.disk ?? defaultDisk, assumptions);
}

/** A seed from a name (FNV-1a), so that nodes differ and runs repeat. */
function seedOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const char of name) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return hash >>> 0;
}
