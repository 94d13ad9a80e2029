/**
 * `npm run bench:plans`: how long the leader plans for 80 young nodes and 5,000 waiting pods, where all carry the same
 * labels and where each has some of its own. Prints one table; exit code 1 when a ratio misses its budget.
 */
import { defaultPolicy } from "../src/policy/parse.ts";
import { FENCE_TAINT_KEY, GATE } from "../src/api/names.ts";
import { createPacer, type Pacer } from "../src/core/pacer.ts";
import { nodeFacts, podFacts } from "../src/kube/parse/facts.ts";
import { createShapeInterner } from "../src/kube/parse/shape-interner.ts";
import { type Figure, percentile, printVerdict } from "./figures.ts";

const NODES = 80;
const PODS = 5_000;
const ROUNDS = 15;
/** Source: issue 20. */
const MOST_TIMES_ALIKE = 2;

type Labels = (index: number) => Readonly<Record<string, string>>;

interface Kind {
  readonly what: string;
  readonly labels: Labels;
  /** Of the owner. */
  readonly owner: string;
  /** Rules about other pods. */
  readonly affinity?: object;
}

const antiAffinity = {
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [
      { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app: "db" } } },
    ],
  },
};
const kinds: readonly Kind[] = [
  {
    what: "an Indexed Job",
    owner: "Job",
    labels: (at) => ({ "batch.kubernetes.io/job-completion-index": String(at) }),
  },
  {
    what: "a StatefulSet",
    owner: "StatefulSet",
    labels: (at) => ({ "apps.kubernetes.io/pod-index": String(at), "statefulset.kubernetes.io/pod-name": `db-${at}` }),
  },
  {
    what: "a StatefulSet with anti-affinity",
    owner: "StatefulSet",
    affinity: antiAffinity,
    labels: (at) => ({ "apps.kubernetes.io/pod-index": String(at), "statefulset.kubernetes.io/pod-name": `db-${at}` }),
  },
];

function pod({ owner, affinity }: Kind, index: number, labels: Labels, gated: boolean, nowMs: number) {
  const requests = { cpu: "100m", memory: "64Mi" };
  const scheduled = { type: "PodScheduled", status: "False", reason: "Unschedulable" };
  return {
    metadata: {
      uid: `uid-${index}`,
      name: `db-${index}`,
      namespace: "default",
      resourceVersion: String(index + 1_000),
      creationTimestamp: new Date(nowMs - 10_000).toISOString(),
      labels: { app: "db", ...labels(index) },
      ownerReferences: [{ controller: true, kind: owner, name: "db" }],
    },
    spec: {
      ...(gated && { schedulingGates: [{ name: GATE }] }),
      affinity,
      containers: [{ name: "app", image: "registry/db:1", resources: { requests } }],
    },
    status: gated ? {} : { conditions: [scheduled] },
  };
}

function node(index: number, nowMs: number) {
  const name = `node-${index}`;
  const allocatable = { cpu: "16", memory: "64Gi", pods: "110" };
  const lastTransitionTime = new Date(nowMs - 1_000).toISOString();
  return {
    metadata: {
      uid: name,
      name,
      resourceVersion: String(index + 1),
      creationTimestamp: new Date(nowMs - 5_000).toISOString(),
      labels: { "kubernetes.io/hostname": name },
    },
    spec: { taints: [{ key: FENCE_TAINT_KEY, value: name, effect: "NoSchedule" }] },
    status: { allocatable, conditions: [{ type: "Ready", status: "True", lastTransitionTime }] },
  };
}

function loaded(kind: Kind, labels: Labels, gated: boolean, nowMs: number): Pacer {
  const pacer = createPacer(defaultPolicy({ fence: { rollCall: false } }));
  const interner = createShapeInterner();
  for (let at = 0; at < NODES; at += 1) pacer.upsertNode(nodeFacts(node(at, nowMs), interner), nowMs);
  for (let at = 0; at < PODS; at += 1) {
    pacer.upsertPod(podFacts(pod(kind, at, labels, gated, nowMs), interner), nowMs);
  }
  pacer.daemonSetsListed();
  return pacer;
}

/** ms; the median of some rounds, after one that fills the caches. */
function planMs(pacer: Pacer, nowMs: number): { readonly ms: number; readonly releases: number } {
  let { releases } = pacer.plan(nowMs);
  const tookMs: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const beganMs = performance.now();
    ({ releases } = pacer.plan(nowMs + round));
    tookMs.push(performance.now() - beganMs);
  }
  return { ms: percentile(tookMs, 0.5), releases: releases.length };
}

const nowMs = Date.now();
const figures = [true, false].flatMap((gated) =>
  kinds.flatMap((kind): Figure[] => {
    const alike = planMs(
      loaded(kind, () => ({}), gated, nowMs),
      nowMs,
    );
    const distinct = planMs(loaded(kind, kind.labels, gated, nowMs), nowMs);
    const what = `${gated ? "gated" : "kept out by fences"}: ${kind.what}`;
    return [
      { what: `${what}, alike`, measured: alike.ms, unit: "ms", note: `${alike.releases} releases` },
      {
        what: `${what}, labels of their own`,
        measured: distinct.ms,
        unit: "ms",
        note: `${distinct.releases} releases`,
      },
      {
        what: `${what}: labels of their own ÷ alike`,
        measured: distinct.ms / alike.ms,
        unit: "",
        budget: { kind: "at most", value: MOST_TIMES_ALIKE },
      },
    ];
  }),
);
console.log(`${NODES} young nodes, ${PODS} pods of one owner`);
process.exitCode = printVerdict(figures);
