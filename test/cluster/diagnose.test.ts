/**
 * `paceline diagnose` on the audit log that the real API server wrote during a herd. It must find exactly the
 * StartErrors that the modelled kubelets reported.
 */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { installAccess, installWebhooks } from "../../dev/install.ts";
import { MAIN, startServiceProcess } from "../../dev/service.ts";
import type { KubeObject } from "../../src/kube/parse/kube-json.ts";
import { MIB } from "../../src/simulate/model/constants.ts";
import type { ModelledNode, ModelledNodes } from "../../dev/modelled-node/modelled-node.ts";
import { startModelledNodes } from "../../dev/modelled-node/modelled-node.ts";
import { eventually, podNamed } from "../support/control-plane.ts";
import { isReady, limitOf } from "../support/paced-cluster.ts";

const PODS = "/api/v1/namespaces/default/pods";
const BIG = "example.com/big:1";
const SMALL = "example.com/here:1";
const BIG_MIB = 320;
const VICTIMS = 4;

let cp: ControlPlane;
beforeAll(async () => {
  cp = await startControlPlane();
});
afterAll(() => cp.stop());

interface Report {
  readonly query: {
    readonly bins: readonly { readonly start: string; readonly count: number }[];
    readonly total: number;
  };
  readonly failures: {
    readonly total: number;
    readonly byFingerprint: Readonly<Record<string, number>>;
    readonly byNode: Readonly<Record<string, number>>;
    readonly byHour: readonly { readonly start: string; readonly count: number }[];
  };
  readonly herds: readonly { readonly node: string; readonly nodeAgeSeconds: number | null }[];
}

function diagnose(file: string): Promise<{ code: number | null; report: Report }> {
  return new Promise((resolve) => {
    const args = [MAIN, "diagnose", "--json", file];
    const child = execFile(process.execPath, args, { maxBuffer: 1 << 24 }, (_error, stdout) =>
      resolve({ code: child.exitCode, report: JSON.parse(stdout) as Report }),
    );
  });
}

/** Nodes whose page cache is full while the large image is unpacked, so that other starts time out. */
async function joinNodes(...names: string[]) {
  const nodes = await startModelledNodes(
    names.map((name) => ({
      client: cp.client,
      name,
      speed: 8,
      memoryBytes: 100 * MIB,
      disk: { mibPerSecond: 4, iops: 3_000 },
      images: [{ name: BIG, mib: BIG_MIB, layers: 1, compressedRatio: 0.01 }],
      presentImages: [SMALL],
      assumptions: { shimIoMib: 16, sandboxSyncOps: 1 },
    })),
  );
  await nodes.ready;
  return nodes;
}

const create = (node: string, name: string, image: string) =>
  cp.client.create(
    PODS,
    podNamed(`${node}-${name}`, {
      nodeSelector: { "kubernetes.io/hostname": node },
      containers: [
        { name: "main", image, imagePullPolicy: "IfNotPresent", resources: { requests: { memory: "1Mi" } } },
      ],
    }),
  );

async function createVictims(node: string): Promise<void> {
  for (let index = 0; index < VICTIMS; index++) await create(node, `victim-${index}`, SMALL);
}

const allReady = (count: number) =>
  eventually(
    `${count} pods are Ready`,
    async () => {
      const { items } = await cp.client.list(PODS);
      return items.length === count && items.every((pod: KubeObject) => isReady(pod));
    },
    120_000,
  );

/** Writes the audit log from byte `from` on to a file. Resolves when the log contains everything that was done. */
async function auditLogSince(from: number, name: string): Promise<string> {
  await cp.client.create("/api/v1/namespaces/default/configmaps", { metadata: { name: `marker-${name}` } });
  const log = await eventually("the marker is logged", async () => {
    const bytes = await readFile(cp.auditLogPath);
    return bytes.includes(`marker-${name}`) && bytes.subarray(from);
  });
  const file = join(cp.folder, `${name}.audit.log`);
  await writeFile(file, log);
  return file;
}

const countBy = (keys: readonly string[]) =>
  Object.fromEntries([...Map.groupBy(keys, (key) => key)].map(([key, of]) => [key, of.length]));
const hourOf = (ms: number) => new Date(Math.floor(ms / 3_600_000) * 3_600_000).toISOString().replace(".000Z", "Z");
const timesOf = (nodes: readonly ModelledNode[]) =>
  nodes.flatMap((node) => node.report().startErrorsAtMs.map((atMs) => ({ node: node.name, atMs })));

/** The audit log of the unpaced herd and of its deletion. The answers to deletions report the failures again. */
let unpacedBytes = 0;

async function endHerd(fleet: ModelledNodes): Promise<void> {
  const { items } = await cp.client.list(PODS);
  await Promise.all(items.map(({ metadata }) => remove(`${PODS}/${metadata?.name ?? ""}`)));
  await eventually("no pod is left", async () => (await cp.client.list(PODS)).items.length === 0);
  await fleet.stop({ deregister: true });
  await auditLogSince(0, `ended-${unpacedBytes}`);
  unpacedBytes = (await readFile(cp.auditLogPath)).length;
}

/** Attempts. A machine that stalls may miss the seconds during which the page caches are full. */
const ROUNDS = 3;

/** Creates pods that start while the large image is unpacked, or after it if that moment was missed. */
async function stampedeOn(node: ModelledNode): Promise<void> {
  await create(node.name, "big", BIG);
  await eventually("the page cache is full", () => {
    const { memory, disk } = node.counters();
    return memory.dirtyBytes > 15 * MIB || disk.writtenBytes > (BIG_MIB - 20) * MIB;
  });
  await createVictims(node.name);
}

/** A herd on two nodes; resolves when all of it runs. */
async function stampede(round: number): Promise<ModelledNodes> {
  const fleet = await joinNodes(`young-${round}-1`, `young-${round}-2`);
  onTestFinished(() => fleet.stop());
  await Promise.all(fleet.nodes.map(stampedeOn));
  await allReady(2 * (VICTIMS + 1));
  return fleet;
}

test("unpaced: exactly the StartErrors that the kubelets reported, by node and by hour; exit 1", async () => {
  let fleet = await stampede(1);
  for (let round = 2; timesOf(fleet.nodes).length === 0 && round <= ROUNDS; round++) {
    await endHerd(fleet);
    fleet = await stampede(round);
  }
  const told = timesOf(fleet.nodes);
  expect(told.length).toBeGreaterThan(0);
  for (const node of fleet.nodes) {
    const { failures, startErrorsAtMs } = node.report();
    expect(failures).toEqual(startErrorsAtMs.length === 0 ? {} : { StartError: startErrorsAtMs.length });
  }

  const file = await auditLogSince(0, "unpaced");
  const { code, report } = await diagnose(file);
  expect(report.failures.byNode).toEqual(countBy(told.map(({ node }) => node)));
  expect(Object.fromEntries(report.failures.byHour.map(({ start, count }) => [start, count]))).toEqual(
    countBy(told.map(({ atMs }) => hourOf(atMs))),
  );
  expect(report.failures.total).toBe(told.length);
  expect(report.query.total).toBe(await queriedIn(file));
  expect(report.herds.map(({ node }) => node)).toEqual(expect.arrayContaining(Object.keys(report.failures.byNode)));
  expect(code).toBe(1);
  await endHerd(fleet);
});

test("paced: nothing to report; exit 0", async () => {
  await installAccess(cp.client, limitOf(1));
  const service = await startServiceProcess(cp);
  await installWebhooks(cp.client, { url: service.url, caBundle: cp.caCert, levers: ["gate", "fence"] });
  await eventually("a leader leads", async () => {
    const { spec } = await cp.client.get("/apis/coordination.k8s.io/v1/namespaces/paceline/leases/paceline-leader");
    return (spec as { holderIdentity?: string }).holderIdentity === "serve";
  });
  await using fleet = await joinNodes("paced-1");
  await create("paced-1", "big", BIG);
  await createVictims("paced-1");
  await allReady(VICTIMS + 1);
  expect(fleet.nodes.map((node) => node.report().failures)).toEqual([{}]);
  const { code, report } = await diagnose(await auditLogSince(unpacedBytes, "paced"));
  expect(report.failures.total).toBe(0);
  expect(code).toBe(0);
});

/** A short version of the thread's query. */
async function queriedIn(file: string): Promise<number> {
  const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
  type Status = { lastState?: { terminated?: { reason?: string } } };
  const events = lines.map(
    (line) => JSON.parse(line) as { requestObject?: { status?: { containerStatuses?: Status[] } } },
  );
  return events.filter(
    ({ requestObject }) =>
      requestObject?.status?.containerStatuses?.[0]?.lastState?.terminated?.reason === "StartError",
  ).length;
}

const remove = (path: string) => cp.client.remove(path, {}, { gracePeriodSeconds: 0 });
