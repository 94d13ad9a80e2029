/**
 * Measurements with a real control plane: from a free slot to the next release, memory, and first sync at full size.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type ControlPlane, startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { installAccess } from "../../dev/install.ts";
import { type RunningService, startServiceProcess } from "../../dev/service.ts";
import { eventually } from "../../test/support/control-plane.ts";
import { fixedPolicy } from "../../test/support/herd.ts";
import { createGatedHerd, createRoomyNode, witnessSlots } from "../../test/support/slot-herd.ts";
import { type Figure, percentile } from "../figures.ts";
import { withProgress } from "../progress.ts";
import { fill, type Filled } from "./fill.ts";
import { BUDGETS } from "./budgets.ts";
import { residentMemory } from "./memory.ts";
import type { ClusterSize } from "./objects.ts";

const SLOTS = 10;
const HERD = 300;
/** How long a pod of the herd takes to start, ms, so that slots come free one by one. */
const START_MS = 200;

/** Writing ends this long after the start, ms, so that the whole run takes at most 10 minutes. */
const FILL_MS = 420_000;
/** A first sync that takes longer is given up. */
const SYNC_WITHIN_MS = 180_000;
/** Memory is read this long after the sync, ms, so that garbage can have been collected. */
const REST_MS = 10_000;

/** Figures of one control plane: empty first, then at `size`. */
export async function benchCluster(size: ClusterSize): Promise<Figure[]> {
  await using plane = await startControlPlane({ controllerManager: false, auditLog: false });
  // bench:telemetry measures what scraping 5,000 exporters costs; here there are none.
  await installAccess(plane.client, fixedPolicy(SLOTS, { telemetry: { source: "none" } }));
  const small = await startServiceProcess(plane, { name: "small" });
  const released = await releases(plane, "small-cluster", "slot freed → next pod ungated p99");
  await small.stop();
  await plane.stopScheduler(); // its caches would take memory and cores
  const filled = await fill(plane.client, size, Date.now() + FILL_MS);
  return [released, ...(await atSize(plane, size, filled))];
}

async function atSize(plane: ControlPlane, size: ClusterSize, filled: Filled): Promise<Figure[]> {
  const beganMs = performance.now();
  const service = await withProgress("first sync", () =>
    startServiceProcess(plane, { name: "large", readyWithinMs: SYNC_WITHIN_MS }),
  );
  const seconds = (performance.now() - beganMs) / 1_000;
  const synced = await residentMemory(service.process.pid);
  await delay(REST_MS); // nothing announces that garbage was collected
  const resting = await residentMemory(service.process.pid);
  const where = `at ${size.nodes} nodes and ${filled.pods} pods`;
  await plane.startScheduler();
  const released = await releases(plane, "large-cluster", `… ${where}`);
  const end = await peakOf(service);
  const filling = `${filled.running} pods with a running status; made in ${filled.seconds.toFixed(0)} s`;
  const pods = { what: "pods created in time", unit: "", measured: filled.pods } as const;
  return [
    { ...pods, budget: { kind: "at least", value: size.pods } },
    released,
    {
      ...{
        what: `first sync ${where}`,
        unit: "s",
        measured: seconds,
        note: `from the process's start until /readyz; ${filling}`,
      },
      budget: { kind: "at most", value: BUDGETS.syncSeconds },
    },
    {
      what: `memory of serve, peak, ${where}`,
      unit: "MiB",
      measured: end,
      budget: { kind: "at most", value: BUDGETS.rssMib },
      note: `RSS; peak of the sync ${synced.peakMib.toFixed(0)}, ${REST_MS / 1_000} s after it ${resting.nowMib.toFixed(0)}`,
    },
  ];
}

const peakOf = async ({ process }: RunningService) => (await residentMemory(process.pid)).peakMib;

/** A gated herd for one young node, released slot by slot. Measured from outside, with the API server's part. */
async function releases(plane: ControlPlane, node: string, what: string): Promise<Figure> {
  await createRoomyNode(plane.client, node);
  await using witness = witnessSlots(plane.client, node, START_MS);
  await withProgress(`releasing ${HERD} pods to ${node}`, async () => {
    await createGatedHerd(plane.client, node, HERD);
    await eventually("the whole herd has started", () => witness.started() === HERD, 120_000);
  });
  const { delaysMs, peak } = witness;
  const note = `p50 ${percentile(delaysMs, 0.5).toFixed(0)} ms, of ${delaysMs.length}; ${peak} of ${SLOTS} slots used`;
  return {
    what,
    unit: "ms",
    measured: percentile(delaysMs, 0.99),
    budget: { kind: "at most", value: BUDGETS.releaseP99Ms },
    note,
  };
}
