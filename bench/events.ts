/**
 * `npm run bench:events`: how many Events 1,000 pods make that are held and released, by the audit log of the real API
 * server. Slots come free one by one, so that the last pod has seen many reasons.
 */
import { readFile } from "node:fs/promises";
import { startControlPlane } from "../dev/control-plane/control-plane.ts";
import { installAccess } from "../dev/install.ts";
import { startServiceProcess } from "../dev/service.ts";
import { COMPONENT } from "../src/api/names.ts";
import { eventually } from "../test/support/control-plane.ts";
import { fixedPolicy } from "../test/support/herd.ts";
import { createGatedHerd, createRoomyNode, witnessSlots } from "../test/support/slot-herd.ts";
import { printVerdict } from "./figures.ts";
import { withProgress } from "./progress.ts";

const PODS = 1_000;
const SLOTS = 10;
const START_MS = 400;
/** Fewer than this for each pod: why it waits, and that it goes. */
const MOST = 2;
const WITHIN_MS = 300_000;

interface AuditLine {
  readonly user?: { readonly username?: string };
  readonly objectRef?: { readonly resource?: string };
  readonly responseStatus?: { readonly code?: number };
  readonly requestObject?: { readonly reason?: string; readonly regarding?: { readonly uid?: string } };
}

await using plane = await startControlPlane({ controllerManager: false, auditEvents: true });
await installAccess(plane.client, fixedPolicy(SLOTS, { telemetry: { source: "none" } }));
const service = await startServiceProcess(plane);
await createRoomyNode(plane.client, "n1");
await using witness = witnessSlots(plane.client, "n1", START_MS);
await withProgress(`releasing ${PODS} pods`, async () => {
  await createGatedHerd(plane.client, "n1", PODS);
  await eventually("the whole herd has started", () => witness.started() === PODS, WITHIN_MS);
});

const dropped = async () =>
  Number(/^paceline_events_dropped_total (\d+)/m.exec((await service.get("/metrics")).text)?.[1]);
const written = async () => {
  const lines = (await readFile(plane.auditLogPath, "utf8")).trimEnd().split("\n");
  return lines
    .map((line) => JSON.parse(line) as AuditLine)
    .filter(({ objectRef, user }) => objectRef?.resource === "events" && user?.username?.endsWith(`:${COMPONENT}`))
    .filter(({ responseStatus }) => responseStatus?.code === 201);
};
// Events are written at 20 a second: wait until no more come.
let before = -1;
await eventually(
  "all Events are written",
  async () => {
    const now = (await written()).length;
    const isOver = now === before;
    before = now;
    if (!isOver) await new Promise((resolve) => setTimeout(resolve, 2_000));
    return isOver;
  },
  WITHIN_MS,
);

const events = await written();
const byPod = Map.groupBy(events, ({ requestObject }) => requestObject?.regarding?.uid ?? "");
const byReason = Object.entries(Object.groupBy(events, ({ requestObject }) => requestObject?.reason ?? "?"));
const note = `${byReason.map(([reason, some]) => `${some?.length ?? 0} ${reason}`).join(", ")}; ${await dropped()} dropped`;
const most = Math.max(...[...byPod.values()].map((some) => some.length));
process.exitCode = printVerdict([
  { what: "Events of 1,000 held and released pods", unit: "", measured: events.length, note },
  {
    ...{ what: "the most of one pod", unit: "", measured: most },
    budget: { kind: "at most", value: MOST },
  },
]);
