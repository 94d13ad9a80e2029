/**
 * The service's HTTP app in a process of its own, with a cluster in which every node is young and pods are held. It
 * plans and takes samples as the service does, and tells its CPU time when asked.
 */
import { GATE } from "../../src/api/names.ts";
import { podFacts } from "../../src/kube/parse/facts.ts";
import type { KubeObject } from "../../src/kube/parse/kube-json.ts";
import { defaultPolicy } from "../../src/policy/parse.ts";
import { benchApp } from "../service/app.ts";
import { loadPacer, type LoadedPacer } from "../service/loaded-pacer.ts";
import { unboundPodObject } from "../service/objects.ts";
import { type PageOrder, type PageTold, PLAN_EVERY_MS, SAMPLE_EVERY_MS } from "./order.ts";

/** Of so many Deployments are the pods that wait. */
const WORKLOADS = 20;

const tell = (told: PageTold) => process.send?.(told);

/** Pods that wait, made over the last two minutes as a herd comes. */
function holdPods({ pacer, interner }: LoadedPacer, count: number): void {
  for (let index = 0; index < count; index += 1) {
    const { metadata, spec } = unboundPodObject(index % WORKLOADS);
    const atMs = Date.now() - Math.floor((index / count) * 120_000);
    const uid = `00000000-0000-4000-9000-${index.toString(16).padStart(12, "0")}`;
    const made = { uid, resourceVersion: String(10_000_000 + index), creationTimestamp: new Date(atMs).toISOString() };
    const pod: KubeObject = {
      metadata: { ...metadata, name: `held-${index}`, ...made },
      spec: { ...(spec as object), schedulingGates: [{ name: GATE }] },
      status: { phase: "Pending" },
    };
    pacer.upsertPod(podFacts(pod, interner), Date.now());
  }
}

async function serve({ nodes, pods, held }: PageOrder): Promise<void> {
  const policy = defaultPolicy({ maxHoldSeconds: 540 });
  const loaded = loadPacer({ nodes, pods }, policy);
  loaded.setAge({ name: "all young", youngShare: 1 });
  holdPods(loaded, held);
  const { app } = benchApp(loaded, policy);
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  // The plans are not carried out, so that as many pods go on waiting.
  setInterval(() => loaded.sampleYoung(), SAMPLE_EVERY_MS);
  setInterval(() => loaded.pacer.plan(Date.now()), PLAN_EVERY_MS);
  loaded.pacer.plan(Date.now());
  tell({ kind: "listening", url });
}

process.on("message", (order: PageOrder | "cpu") => {
  if (order === "cpu") tell({ kind: "cpu", ...process.cpuUsage() });
  else void serve(order);
});
process.on("disconnect", () => process.exit());
