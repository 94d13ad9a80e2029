/** One run of the herd on its own control plane and nodes, with or without Paceline. */
import { setTimeout as delay } from "node:timers/promises";
import { type ControlPlane, startControlPlane } from "../control-plane/control-plane.ts";
import { installAccess, installWebhooks, type PolicyDraft, type WebhookLever } from "../install.ts";
import { extenderOf, startServiceProcess } from "../service.ts";
import type { ModelledNode } from "../modelled-node/modelled-node.ts";
import { startModelledNodes } from "../modelled-node/modelled-node.ts";
import { gp3 } from "../../src/simulate/model/constants.ts";
import { NodeModel } from "../../src/simulate/model/node-model.ts";
import { seededRandom } from "../../src/simulate/model/random.ts";
import { observe, type Observer, type PodRecord } from "./observer.ts";
import type { HerdResult } from "./table.ts";
import * as workload from "./workload.ts";

/** Which levers pace; `undefined` for a run without Paceline. */
export interface Levers {
  readonly gate: boolean;
  readonly fence: boolean;
  readonly extender: boolean;
}

/** Reports of a run while it runs. */
export type Progress = (line: string) => void;

/** A herd that takes longer is given up, ms, so that the demo ends by itself. */
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

/** Runs the herd. @throws when it is not done in {@link GIVE_UP_MS}; the message has its progress */
export async function runHerd(levers: Levers | undefined, progress: Progress): Promise<HerdRun> {
  progress("starting a control plane");
  await using cp = await startControlPlane({ scheduler: levers?.extender ? false : {} });
  if (levers) await startPacing(cp, levers);
  const observer = observe(cp.client, workload.NAMESPACE);
  try {
    await workload.createWaiting(cp.client);
    await untilWaiting(observer);
    return await stampede(cp, observer, progress);
  } finally {
    observer.stop();
  }
}

async function startPacing(cp: ControlPlane, levers: Levers): Promise<void> {
  await installAccess(cp.client, policyFor(levers));
  const service = await startServiceProcess(cp);
  const webhooks: WebhookLever[] = ["policyValidation"];
  if (levers.gate) webhooks.push("gate");
  if (levers.fence) webhooks.push("fence");
  await installWebhooks(cp.client, { url: service.url, caBundle: cp.caCert, levers: webhooks });
  if (levers.extender) await cp.startScheduler(await extenderOf(cp, service));
}

/** Every figure has its default, so the demo shows what a user gets. */
const policyFor = ({ gate, fence, extender }: Levers): PolicyDraft => ({
  gate: { enabled: gate },
  fence: { enabled: fence },
  extender: { enabled: extender },
});

/** Waits until the scheduler has tried every pending pod: they are the herd that waits for a node. */
async function untilWaiting(observer: Observer): Promise<void> {
  const tried = () => [...observer.pods.values()].filter((pod) => pod.tried).length;
  while (tried() < workload.WAITING_PODS) await delay(50);
}

async function stampede(cp: ControlPlane, observer: Observer, progress: Progress): Promise<HerdRun> {
  const names = Array.from({ length: workload.NODES }, (_, index) => `young-${index + 1}`);
  const shape = { images: workload.images, kubelet: workload.KUBELET, ...workload.NODE };
  const fleet = await startModelledNodes(
    names.map((name, index) => ({ client: cp.client, name, seed: index, joinSeconds: JOIN_SECONDS, ...shape })),
  );
  await fleet.ready;
  const readyMs = Date.now();
  const ending = new AbortController();
  const sampler = sampleAwait(fleet.nodes, ending.signal, () => progress(progressLine(observer, readyMs)));
  try {
    const late = delay(SCALE_UP_AFTER_MS, undefined, { signal: ending.signal }).then(() => workload.scaleUp(cp.client));
    const done = observer
      .allReady(() => workload.ALL_PODS, AbortSignal.timeout(GIVE_UP_MS))
      .catch(() => {
        throw new Error(`the herd was not done after ${GIVE_UP_MS / 1000} s: ${progressLine(observer, readyMs)}`);
      });
    await Promise.all([late, done]);
    const makespanMs = Date.now() - readyMs;
    ending.abort();
    return summary(observer, fleet.nodes, { readyMs, makespanMs, peakAwaitMs: await sampler });
  } finally {
    ending.abort();
    await fleet.stop();
  }
}

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

function progressLine(observer: Observer, readyMs: number): string {
  const pods = [...observer.pods.values()];
  const ready = pods.filter((pod) => pod.ready).length;
  const starting = pods.filter((pod) => pod.node !== undefined && pod.startedAtMs === undefined).length;
  const failed = Object.values(observer.failures()).reduce((sum, count) => sum + count, 0);
  const seconds = Math.round((Date.now() - readyMs) / 1000);
  return `${seconds} s: ${ready} of ${workload.ALL_PODS} pods Ready, ${starting} in startup, ${failed} failed starts`;
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
    peakAwaitMs: times.peakAwaitMs,
    longestHoldSeconds: Math.max(...pods.map((pod) => seconds(pod, pod.boundAtMs))),
  };
  return { result, boundSeconds };
}

/** How long the last pod's own start takes on an idle node that has its image. */
function ownStartSeconds(): number {
  const image = "present";
  const model = new NodeModel({ startMs: 0, random: seededRandom(1), disk: gp3, present: [image], ...workload.NODE });
  const pod = { uid: "own", namespace: workload.NAMESPACE, name: "own", containers: [{ name: "main", image }] };
  model.addPod({ ...pod, ...workload.START }, 0);
  for (let atMs = model.nextEventMs(); atMs !== undefined; atMs = model.nextEventMs()) {
    const isReady = model.advanceTo(atMs).some((event) => event.kind === "status" && event.status.ready);
    if (isReady) return atMs / 1000;
  }
  throw new Error("the modelled pod never became Ready");
}
