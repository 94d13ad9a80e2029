/** One round: a fresh control plane, disk and node. The herd waits, the node joins, and everything is removed again. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ControlPlane, startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { observe, type Observer } from "../../dev/demo/observer.ts";
import { installAccess, installWebhooks, type PolicyBody } from "../../dev/install.ts";
import { type RunningService, startServiceProcess } from "../../dev/service.ts";
import { cleanUp, rememberHost } from "./clean-up.ts";
import { type Disk, makeDisk } from "./disk.ts";
import { createHerd, createOldNode, NAMESPACE, nodeIsReady, releaseInBatches } from "./herd.ts";
import { NODE_NAME, RUN, run, until } from "./host.ts";
import { type BuiltImages, warm } from "./images.ts";
import { prepareNode, type RealNode } from "./node.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";
import type { Programs } from "./programs.ts";
import { keepRecording } from "./record.ts";
import { startSampler } from "./sampler.ts";
import type { Round } from "./rounds.ts";
import { batchSize, nodeClassOf, PODS, type Setting } from "./settings.ts";
import { type Decision, timeline } from "./timeline.ts";

export interface RoundOptions extends Round {
  readonly images: BuiltImages;
  readonly programs: Programs;
  /** Ends the round early. */
  readonly signal: AbortSignal;
  /** Where logs and a timeline are kept, if anywhere. */
  readonly logFolder: string | undefined;
  /** Where its recording is kept (`recordingOf`), if anywhere. */
  readonly recordTo: string | undefined;
  readonly say: (line: string) => void;
}

const JOIN_MS = 60_000;
/** Time between two requests for Paceline's status, in ms, if logs are kept. */
const STATUS_MS = 1_000;

export async function runRound(options: RoundOptions): Promise<Outcome> {
  await cleanUp();
  rememberHost();
  mkdirSync(RUN, { recursive: true });
  let cp: ControlPlane | undefined;
  try {
    cp = await startControlPlane({ auditLog: options.recordTo !== undefined });
    return await onControlPlane(cp, options);
  } finally {
    await cp?.stop();
    await cleanUp();
  }
}

async function onControlPlane(cp: ControlPlane, options: RoundOptions): Promise<Outcome> {
  const { setting, strategy, images, signal } = options;
  await warm(images);
  await run("sync"); // pages that were dirty before (new images) must not count as the node's
  signal.throwIfAborted();
  const disk = await makeDisk(setting);
  const node = await prepareNode({ cp, disk, ...options });
  await createOldNode(cp.client, setting, images);
  const service = strategy === "paceline" ? await startPaceline(cp, setting, disk, node) : undefined;
  const observer = observe(cp.client, NAMESPACE);
  try {
    await createHerd(cp.client, setting, batchSize(strategy) !== undefined);
    await until("all pods are seen", JOIN_MS, () => observer.pods.size === PODS);
    signal.throwIfAborted();
    return await stampede(cp, { disk, node, observer, service }, options);
  } finally {
    observer.stop();
  }
}

async function startPaceline(cp: ControlPlane, setting: Setting, disk: Disk, node: RealNode): Promise<RunningService> {
  await installAccess(cp.client, policyFor(setting, disk, node));
  const service = await startServiceProcess(cp);
  await installWebhooks(cp.client, { url: service.url, caBundle: cp.caCert });
  return service;
}

function policyFor(setting: Setting, disk: Disk, node: RealNode): PolicyBody {
  return {
    nodeClasses: [nodeClassOf(setting)],
    telemetry: { source: "node-exporter", port: node.exporterPort, device: disk.device },
  };
}

interface Stage {
  readonly disk: Disk;
  readonly node: RealNode;
  readonly observer: Observer;
  readonly service: RunningService | undefined;
}

async function stampede(cp: ControlPlane, stage: Stage, options: RoundOptions): Promise<Outcome> {
  const { disk, node, observer, service } = stage;
  const { setting, strategy, round, say } = options;
  disk.throttle(setting);
  await node.join();
  await until("the node is Ready", JOIN_MS, () => nodeIsReady(cp.client));
  const readyMs = Date.now();
  const ending = AbortSignal.any([options.signal, AbortSignal.timeout(setting.giveUpSeconds * 1_000)]);
  const sampler = startSampler(disk.device, () => counts(observer));
  const decisions = watchDecisions(service, options.logFolder, readyMs);
  const telling = setInterval(() => {
    const { ready, inStartup } = counts(observer);
    const second = Math.round((Date.now() - readyMs) / 1_000);
    say(
      `${setting.name} ${strategy} ${String(round)}: ${String(second)} s, ${String(ready)} Ready, ${String(inStartup)} in startup, ${JSON.stringify(observer.failures())}`,
    );
  }, 10_000);
  try {
    const size = batchSize(strategy);
    const released = size === undefined ? undefined : releaseInBatches(cp.client, observer, size, ending);
    options.signal.throwIfAborted(); // the observer notices an end only while it listens
    await observer.allReady(() => PODS, ending).catch(() => options.signal.throwIfAborted());
    await released;
  } finally {
    clearInterval(telling);
    sampler.stop();
    decisions.stop();
    if (options.recordTo !== undefined && !options.signal.aborted) await keepRecording(cp, options.recordTo, options);
    keepLogs(stage, options, timeline(sampler.looks, decisions.seen));
  }
  return outcomeOf({
    setting: setting.name,
    strategy,
    round,
    pods: PODS,
    readySeconds: readySeconds(observer, readyMs),
    byFingerprint: observer.failures(),
    containerdLog: node.containerdLog(),
    restarts: [...observer.pods.values()].reduce((sum, pod) => sum + pod.restarts, 0),
    peakInStartup: observer.peakInStartup(),
    looks: sampler.looks,
  });
}

function counts(observer: Observer): { ready: number; inStartup: number } {
  const pods = [...observer.pods.values()];
  const inStartup = pods.filter((pod) => pod.node !== undefined && pod.startedAtMs === undefined).length;
  return { ready: pods.filter((pod) => pod.ready).length, inStartup };
}

function readySeconds(observer: Observer, readyMs: number): number[] {
  return [...observer.pods.values()].flatMap(({ readyAtMs }) =>
    readyAtMs === undefined ? [] : [Math.max(0, readyAtMs - readyMs) / 1_000],
  );
}

interface Decisions {
  readonly seen: readonly Decision[];
  stop(): void;
}

/** Records Paceline's own view over time, if logs are kept. */
function watchDecisions(service: RunningService | undefined, folder: string | undefined, readyMs: number): Decisions {
  if (!service || folder === undefined) return { seen: [], stop: () => undefined };
  const seen: Decision[] = [];
  const look = async () => {
    const { text } = await service.get("/status.json");
    const { nodes } = JSON.parse(text) as { nodes: (Decision & { name: string })[] };
    const node = nodes.find(({ name }) => name === NODE_NAME);
    if (node) seen.push({ ...node, second: (Date.now() - readyMs) / 1_000 });
  };
  const timer = setInterval(() => void look().catch(() => undefined), STATUS_MS);
  return { seen, stop: () => clearInterval(timer) };
}

function keepLogs(stage: Stage, { logFolder, strategy, round, setting }: RoundOptions, seconds: string): void {
  const { node, service, observer } = stage;
  if (logFolder === undefined) return;
  mkdirSync(logFolder, { recursive: true });
  const name = (what: string) => join(logFolder, `${setting.name}-${strategy}-${String(round)}.${what}`);
  writeFileSync(name("containerd.log"), node.containerdLog());
  writeFileSync(name("kubelet.log"), node.kubeletLog());
  writeFileSync(name("timeline.tsv"), seconds);
  writeFileSync(name("pods.json"), JSON.stringify([...observer.pods.values()], null, 1));
  if (service) writeFileSync(name("paceline.log"), service.process.logTail(100_000));
}
