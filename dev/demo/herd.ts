/** One run of the herd on its own control plane and nodes, with or without Paceline. */
import { setTimeout as delay } from "node:timers/promises";
import { type ControlPlane, startControlPlane } from "../control-plane/control-plane.ts";
import { installAccess, installWebhooks, type PolicyBody, type WebhookLever } from "../install.ts";
import { extenderOf, type RunningService, startServiceProcess } from "../service.ts";
import { type Tell, withProgress } from "../../src/cli/progress.ts";
import type { ModelledNode, ModelledNodes } from "../modelled-node/modelled-node.ts";
import { startModelledNodes } from "../modelled-node/modelled-node.ts";
import { gp3 } from "../../src/simulate/model/constants.ts";
import { NodeModel } from "../../src/simulate/model/node-model.ts";
import { seededRandom } from "../../src/simulate/model/random.ts";
import { record } from "./record.ts";
import { observe, type Observer, type PodRecord } from "./observer.ts";
import type { HerdResult } from "./table.ts";
import { type Herd, type HerdName, herdOf, KUBELET, NAMESPACE, NODE, NODES, START } from "./workload.ts";

/** Which levers pace; `undefined` for a run without Paceline. */
export interface Levers {
  readonly gate: boolean;
  readonly fence: boolean;
  readonly extender: boolean;
}

/** A herd that is not done by then is given up, so that the demo ends by itself. */
const GIVE_UP_MS = 240_000;
/** From the moment the nodes join until the scale-up. */
const SCALE_UP_AFTER_MS = 15_000;
const SAMPLE_EVERY_MS = 2_000;
/** From registration to Ready. */
const JOIN_SECONDS = 1;

export interface HerdRun {
  readonly result: HerdResult;
  readonly boundSeconds: number;
}

export interface HerdHooks {
  /** Folder for what `paceline replay` reads of the run. */
  readonly recordTo?: string | undefined;
  /** Paceline runs, and no pod has come yet. */
  readonly onService?: ((service: RunningService) => void) | undefined;
}

/**
 * Runs the herd, and says on stderr what it does.
 * @param title of the run, before the name of each step
 * @throws when it is not done in {@link GIVE_UP_MS}, with how far it came.
 */
export async function runHerd(
  title: string,
  name: HerdName,
  levers: Levers | undefined,
  { recordTo, onService }: HerdHooks = {},
): Promise<HerdRun> {
  const herd = herdOf(name);
  const step = <T>(name: string, work: (tell: Tell) => Promise<T>) => withProgress(`${title}: ${name}`, work);
  await using cp = await step("starting a control plane", () =>
    startControlPlane({ scheduler: levers?.extender ? false : {} }),
  );
  await using settled = await joinSettled(cp, herd);
  if (levers) {
    const service = await step("starting Paceline", () => startPacing(cp, levers));
    onService?.(service);
  }
  const observer = observe(cp.client, NAMESPACE);
  try {
    await step(`creating ${herd.waitingPods} pods before the nodes join`, async (tell) => {
      await herd.createDaemonSets(cp.client);
      await untilSeen(herd.settledDaemonPods, observer, tell);
      await herd.createWaiting(cp.client);
      await untilSeen(herd.settledDaemonPods + herd.waitingPods, observer, tell);
    });
    return await step("starting pods", (tell) => stampede({ cp, herd, settled, recordTo }, observer, tell));
  } finally {
    observer.stop();
  }
}

async function startPacing(cp: ControlPlane, levers: Levers): Promise<RunningService> {
  await installAccess(cp.client, policyFor(levers));
  const service = await startServiceProcess(cp);
  const webhooks: WebhookLever[] = ["policyValidation"];
  if (levers.gate) webhooks.push("gate");
  if (levers.fence) webhooks.push("fence");
  await installWebhooks(cp.client, { url: service.url, caBundle: cp.caCert, levers: webhooks });
  if (levers.extender) await cp.startScheduler(await extenderOf(cp, service));
  return service;
}

/** Every figure has its default, so the demo shows what a user gets. */
const policyFor = ({ gate, fence, extender }: Levers): PolicyBody => ({
  gate: { enabled: gate },
  fence: { enabled: fence },
  extender: { enabled: extender },
});

/** Nodes that have been there for long, before anything else is. */
async function joinSettled({ client }: ControlPlane, { images, settled }: Herd): Promise<ModelledNodes | undefined> {
  const { count, ...rest } = settled;
  if (count === 0) return undefined;
  const shape = { client, images, kubelet: KUBELET, ...NODE, ...rest };
  const fleet = await startModelledNodes(
    Array.from({ length: count }, (_, index) => ({ name: `settled-${index + 1}`, seed: NODES + index, ...shape })),
  );
  await fleet.ready;
  return fleet;
}

/** So many pods are bound or held, or the scheduler has found no room for them: the herd that waits for a node. */
async function untilSeen(pods: number, observer: Observer, tell: Tell): Promise<void> {
  const isSeen = (pod: PodRecord) => pod.tried || pod.gated || pod.node !== undefined;
  const seen = () => [...observer.pods.values()].filter(isSeen).length;
  for (let count = seen(); count < pods; count = seen()) {
    tell(`${count} of them are bound, held or refused`);
    await delay(50);
  }
}

interface Scene {
  readonly cp: ControlPlane;
  readonly herd: Herd;
  readonly settled: ModelledNodes | undefined;
  readonly recordTo: string | undefined;
}

async function stampede({ cp, herd, settled, recordTo }: Scene, observer: Observer, tell: Tell): Promise<HerdRun> {
  const names = Array.from({ length: NODES }, (_, index) => `young-${index + 1}`);
  const shape = { images: herd.images, kubelet: KUBELET, ...NODE };
  const fleet = await startModelledNodes(
    names.map((name, index) => ({ client: cp.client, name, seed: index, joinSeconds: JOIN_SECONDS, ...shape })),
  );
  tell(`${NODES} young nodes join`);
  await fleet.ready;
  const readyMs = Date.now();
  const ending = new AbortController();
  const nodes = [...fleet.nodes, ...(settled?.nodes ?? [])];
  const sampler = sampleAwait(nodes, ending.signal, () => tell(progressLine(herd, observer)));
  try {
    const late = delay(SCALE_UP_AFTER_MS, undefined, { signal: ending.signal }).then(() => herd.scaleUp(cp.client));
    const done = observer
      .allReady(() => herd.allPods, AbortSignal.timeout(GIVE_UP_MS))
      .catch(() => {
        throw new Error(`the herd was not done after ${GIVE_UP_MS / 1000} s: ${progressLine(herd, observer)}`);
      });
    await Promise.all([late, done]);
    const makespanMs = Date.now() - readyMs;
    ending.abort();
    if (recordTo !== undefined) await record(cp, recordTo, usedImages(observer));
    return summary(observer, nodes, { readyMs, makespanMs, peakAwaitMs: await sampler });
  } finally {
    ending.abort();
    await fleet.stop();
  }
}

const usedImages = (observer: Observer) => [...new Set([...observer.pods.values()].flatMap(({ images }) => images))];

/** Highest await of any node between two looks, as node_exporter's counters give it. */
async function sampleAwait(nodes: readonly ModelledNode[], signal: AbortSignal, look: () => void): Promise<number> {
  let peak = 0;
  let before = nodes.map((node) => node.counters().disk);
  while (!signal.aborted) {
    await delay(SAMPLE_EVERY_MS, undefined, { signal }).catch(() => undefined);
    const now = nodes.map((node) => node.counters().disk);
    for (const [index, disk] of now.entries()) {
      const last = before[index] ?? disk;
      const done = disk.readsCompleted + disk.writesCompleted - last.readsCompleted - last.writesCompleted;
      if (done > 0) peak = Math.max(peak, (disk.readMs + disk.writeMs - last.readMs - last.writeMs) / done);
    }
    before = now;
    look();
  }
  return peak;
}

function progressLine({ allPods }: Herd, observer: Observer): string {
  const pods = [...observer.pods.values()];
  const ready = pods.filter((pod) => pod.ready).length;
  const starting = pods.filter((pod) => pod.node !== undefined && pod.startedAtMs === undefined).length;
  const failed = Object.values(observer.failures()).reduce((sum, count) => sum + count, 0);
  return `${ready} of ${allPods} pods Ready, ${starting} in startup, ${failed} failed starts`;
}

interface Times {
  readonly readyMs: number;
  readonly makespanMs: number;
  readonly peakAwaitMs: number;
}

function summary(observer: Observer, nodes: readonly ModelledNode[], times: Times): HerdRun {
  const pods = [...observer.pods.values()];
  const byFingerprint = observer.failures();
  const boundSeconds = Math.max(...nodes.map((node) => node.report().diskBoundSeconds)) + ownStartSeconds();
  const since = (pod: PodRecord) => Math.max(pod.createdAtMs, times.readyMs);
  const seconds = (pod: PodRecord, atMs: number | undefined) => Math.max(0, (atMs ?? 0) - since(pod)) / 1000;
  const makespanSeconds = times.makespanMs / 1000;
  const result: HerdResult = {
    startErrors: Object.values(byFingerprint).reduce((sum, count) => sum + count, 0),
    byFingerprint,
    restarts: pods.reduce((sum, pod) => sum + pod.restarts, 0),
    makespanSeconds,
    ratioToBound: makespanSeconds / boundSeconds,
    meanReadySeconds: pods.reduce((sum, pod) => sum + seconds(pod, pod.readyAtMs), 0) / pods.length,
    peakInStartup: observer.peakInStartup(),
    peakInStartupSettled: observer.peakInStartup((node) => node.startsWith("settled-")),
    peakAwaitMs: times.peakAwaitMs,
    longestHoldSeconds: Math.max(...pods.map((pod) => seconds(pod, pod.boundAtMs))),
    readySeconds: readyCourse(pods, times.readyMs),
  };
  return { result, boundSeconds };
}

/** When each pod became Ready, as a picture shows it; to a tenth of a second, as pods are watched no closer. */
function readyCourse(pods: readonly PodRecord[], fromMs: number): number[] {
  return pods
    .flatMap(({ readyAtMs }) =>
      readyAtMs === undefined ? [] : [Math.max(0, Math.round((readyAtMs - fromMs) / 100) / 10)],
    )
    .sort((one, other) => one - other);
}

/** How long the last pod's own start takes on an idle node that has its image. */
function ownStartSeconds(): number {
  const image = "present";
  const model = new NodeModel({ startMs: 0, random: seededRandom(1), disk: gp3, present: [image], ...NODE });
  const pod = { uid: "own", namespace: NAMESPACE, name: "own", containers: [{ name: "main", image }] };
  model.addPod({ ...pod, ...START }, 0);
  for (let atMs = model.nextEventMs(); atMs !== undefined; atMs = model.nextEventMs()) {
    const isReady = model.advanceTo(atMs).some((event) => event.kind === "status" && event.status.ready);
    if (isReady) return atMs / 1000;
  }
  throw new Error("the modelled pod never became Ready");
}
