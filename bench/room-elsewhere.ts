/**
 * `npm run bench:room-elsewhere`: a herd that an ordinary cluster has room for, on the real control plane and modelled
 * nodes, with and without Paceline (docs/adr/0012). Settled nodes have room for a part of the herd, and young nodes
 * stand open. Herds: many Deployments, one Deployment, many with preferred anti-affinity by host, many on several young
 * nodes, and many that are spread over zones. Exit 1 when a budget is missed, 2 for wrong flags.
 */
import { setTimeout as delay } from "node:timers/promises";
import { startControlPlane } from "../dev/control-plane/control-plane.ts";
import { observe, type Observer } from "../dev/demo/observer.ts";
import { installAccess, installWebhooks } from "../dev/install.ts";
import { startModelledNodes } from "../dev/modelled-node/modelled-node.ts";
import { modelAnnotations } from "../dev/modelled-node/pod-order.ts";
import { startServiceProcess } from "../dev/service.ts";
import { withProgress } from "../src/cli/progress.ts";
import type { ApiClient } from "../src/kube/client/api-client.ts";
import { GIB } from "../src/simulate/model/constants.ts";
import { type Figure, printVerdict } from "./figures.ts";
import { chosenOf, flagsOf } from "./flags.ts";

const NAMESPACE = "shop";
const ZONE_LABEL = "topology.kubernetes.io/zone";
const HERD = 60;
/** So short that a node settles within the run, and so long that a young one is young until the herd has started. */
const YOUNG_SECONDS = 60;
/** The young node's fence is down by then. */
const OPEN_AFTER_SECONDS = 10;
const herds = ["deployments", "single", "anti-affinity", "young-nodes", "zones"] as const;
type Herd = (typeof herds)[number];

interface Place {
  readonly zone: string;
  /** How many pods it takes. */
  readonly room: number;
}

/** The nodes of a herd's cluster. All settled nodes together have room for 40 of 60 pods. */
interface Layout {
  readonly settled: readonly Place[];
  readonly young: readonly Place[];
}

const place = (zone: string, room = 110): Place => ({ zone, room });
const onePair: Layout = { settled: [place("a", 40)], young: [place("a")] };
const layouts: Readonly<Record<Herd, Layout>> = {
  deployments: onePair,
  single: onePair,
  "anti-affinity": onePair,
  "young-nodes": { settled: [place("a", 20), place("a", 20)], young: [place("a"), place("a"), place("a")] },
  zones: { settled: [place("a", 20), place("b", 20)], young: [place("a"), place("b"), place("c")] },
};

const { herd: asked } = flagsOf({ herd: { type: "string" } });
const chosen = chosenOf("herd", herds, asked);

const imageOf = (index: number) => `registry.example/app-${index}:1`;
/** Every third is large, in unpacked MiB. */
const images = Array.from({ length: 30 }, (_, index) => ({
  name: imageOf(index),
  mib: index % 3 === 0 ? 280 : 70,
  layers: 2,
}));

function deployment(name: string, image: number, replicas: number, rules?: object): object {
  const labels = { app: name };
  const resources = { requests: { cpu: "50m", memory: "40Mi" } };
  const annotations = { [modelAnnotations.startCpuSeconds]: "0.5", [modelAnnotations.readySeconds]: "0.5" };
  const containers = [{ name: "main", image: imageOf(image), imagePullPolicy: "IfNotPresent", resources }];
  const template = { metadata: { labels, annotations }, spec: { containers, ...rules } };
  return { kind: "Deployment", metadata: { name }, spec: { replicas, selector: { matchLabels: labels }, template } };
}

function antiAffinity(app: string): object {
  const podAffinityTerm = { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app } } };
  const preferredDuringSchedulingIgnoredDuringExecution = [{ weight: 100, podAffinityTerm }];
  return { affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution } } };
}

function zoneSpread(app: string): object {
  const labelSelector = { matchLabels: { app } };
  const rule = { maxSkew: 1, topologyKey: ZONE_LABEL, whenUnsatisfiable: "ScheduleAnyway", labelSelector };
  return { topologySpreadConstraints: [rule] };
}

function deployments(herd: Herd): object[] {
  if (herd === "single") return [deployment("web", 0, HERD)];
  const rulesOf = { "anti-affinity": antiAffinity, zones: zoneSpread }[herd as string];
  return images.map((_, index) => {
    const name = `app-${index}`;
    return deployment(name, index, HERD / images.length, rulesOf?.(name));
  });
}

interface Run {
  readonly failedStarts: number;
  readonly allReadySeconds: number;
  readonly meanSeconds: number;
  readonly onYoung: number;
}

async function installPaceline(plane: Awaited<ReturnType<typeof startControlPlane>>): Promise<void> {
  await installAccess(plane.client, { youngForSeconds: YOUNG_SECONDS });
  const service = await startServiceProcess(plane);
  await installWebhooks(plane.client, { url: service.url, caBundle: plane.caCert });
}

/** Nodes `kind-0`, `kind-1`, … */
function startNodes(client: ApiClient, kind: string, places: readonly Place[]) {
  return startModelledNodes(
    places.map(({ zone, room }, index) => ({
      client,
      name: `${kind}-${index}`,
      images,
      cores: 4,
      memoryBytes: 4 * GIB,
      maxPods: room,
      labels: { [ZONE_LABEL]: zone },
      kubelet: { serializeImagePulls: false },
    })),
  );
}

async function run(herd: Herd, paced: boolean): Promise<Run> {
  await using plane = await startControlPlane();
  const { client } = plane;
  if (paced) await installPaceline(plane);
  await using settled = await startNodes(client, "settled", layouts[herd].settled);
  await settled.ready;
  if (paced) await delay(YOUNG_SECONDS * 1_000); // the passing of time itself: it settles
  await using young = await startNodes(client, "young", layouts[herd].young);
  await young.ready;
  await delay(OPEN_AFTER_SECONDS * 1_000); // nothing is pending meanwhile
  await client.create("/api/v1/namespaces", { metadata: { name: NAMESPACE } });
  const seen = observe(client, NAMESPACE);
  try {
    const beganMs = Date.now();
    const path = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments`;
    await Promise.all(deployments(herd).map((body) => client.create(path, body)));
    await seen.allReady(() => HERD, AbortSignal.timeout(240_000));
    return summary(seen, beganMs);
  } finally {
    seen.stop();
  }
}

function summary(seen: Observer, beganMs: number): Run {
  const pods = [...seen.pods.values()];
  const seconds = pods.map(({ readyAtMs = NaN }) => (readyAtMs - beganMs) / 1_000);
  return {
    failedStarts: Object.values(seen.failures()).reduce((sum, count) => sum + count, 0),
    allReadySeconds: Math.max(...seconds),
    meanSeconds: seconds.reduce((sum, one) => sum + one, 0) / pods.length,
    onYoung: pods.filter((pod) => pod.node?.startsWith("young")).length,
  };
}

function figures(herd: Herd, without: Run, paceline: Run): Figure[] {
  const note = (one: "allReadySeconds" | "meanSeconds") =>
    `${paceline[one].toFixed(1)} s and ${without[one].toFixed(1)} s`;
  const ratio = (one: "allReadySeconds" | "meanSeconds") => paceline[one] / without[one];
  const most = (value: number) => ({ kind: "at most", value }) as const;
  return [
    {
      what: `${herd}: failed starts with Paceline`,
      unit: "",
      measured: paceline.failedStarts,
      note: `${without.failedStarts} without; on young nodes ${paceline.onYoung}, without ${without.onYoung}`,
      budget: most(0),
    },
    {
      what: `${herd}: all Ready ÷ without`,
      unit: "",
      measured: ratio("allReadySeconds"),
      note: note("allReadySeconds"),
      budget: most(1.05),
    },
    {
      what: `${herd}: mean to Ready ÷ without`,
      unit: "",
      measured: ratio("meanSeconds"),
      note: note("meanSeconds"),
      budget: most(herd === "deployments" ? 0.85 : 1),
    },
  ];
}

const all: Figure[] = [];
for (const herd of chosen) {
  const without = await withProgress(`${herd}, without Paceline`, () => run(herd, false));
  const paceline = await withProgress(`${herd}, with Paceline`, () => run(herd, true));
  all.push(...figures(herd, without, paceline));
}
process.exitCode = printVerdict(all);
