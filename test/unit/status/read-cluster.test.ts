/** The status without a service shows the leader's limits, and claims nothing that it has not asked. */
import { expect, test } from "vitest";
import { LEADER_FIGURES_ANNOTATION, LEADER_LEASE, POLICY_CONFIG_MAP, POLICY_KEY } from "../../../src/api/names.ts";
import { formatLeaderFigures } from "../../../src/kube/parse/leader-figures.ts";
import type { LeaderFigures } from "../../../src/core/leader-figures.ts";
import { readCluster } from "../../../src/status/read-cluster.ts";
import { statusText } from "../../../src/status/text.ts";
import { newServer, NODES, type Subject } from "../faults/api-server/support.ts";

const POLICY = `apiVersion: paceline.dev/v1alpha1
kind: PacingPolicy
nodeClasses: [{ name: default, slots: { initial: 6 } }]
telemetry: { source: SOURCE, staleSeconds: 5, absentSeconds: 30 }
`;

/** A cluster with the young nodes `a`, `b`, `c`, and eight pods that start on `a`. */
function cluster({ source = "nodeExporter", figures }: { source?: string; figures?: LeaderFigures }) {
  const subject = newServer();
  const { server, clock } = subject;
  const data = { [POLICY_KEY]: POLICY.replace("SOURCE", source) };
  server.create("/api/v1/namespaces/default/configmaps", { metadata: { name: POLICY_CONFIG_MAP }, data });
  for (const name of ["a", "b", "c"]) server.create(NODES, readyNode(name, clock.now()));
  for (let pod = 0; pod < 8; pod++) server.create("/api/v1/namespaces/default/pods", boundPod(`p${pod}`));
  if (figures) lead(subject, figures);
  return subject;
}

const readyNode = (name: string, nowMs: number) => ({
  metadata: { name },
  status: {
    conditions: [{ type: "Ready", status: "True", lastTransitionTime: new Date(nowMs).toISOString() }],
    allocatable: { cpu: "32", memory: "64Gi", pods: "110" },
  },
});

const boundPod = (name: string) => ({
  metadata: { name },
  spec: { nodeName: "a", containers: [{ name: "main", image: "app:1" }] },
});

function lead({ server, clock }: Subject, figures: LeaderFigures): void {
  const annotations = { [LEADER_FIGURES_ANNOTATION]: formatLeaderFigures(figures) };
  const renewTime = new Date(clock.now()).toISOString().replace("Z", "000Z");
  server.create("/apis/coordination.k8s.io/v1/namespaces/default/leases", {
    metadata: { name: LEADER_LEASE, annotations },
    spec: { holderIdentity: "leader", leaseDurationSeconds: 10, renewTime, acquireTime: renewTime },
  });
}

async function shown({ server, clock }: Subject, afterMs = 0) {
  const { answer } = await readCluster(server.client("cli"), "default", { now: () => clock.now() + afterMs });
  const text = statusText(answer, []).split("\n");
  const rows = answer.nodes.map(({ name, limit, sample }) => ({ name, limit, sample }));
  return { rows, summary: text[1], line: (node: string) => text.find((line) => line.startsWith(`${node} `)) };
}

test("limits and ages of telemetry are the leader's, not the class's initial figure", async () => {
  const now = newServer().clock.now();
  const figures = new Map([
    ["a", { limit: 8, sampledMs: now - 2_000 }],
    ["b", { limit: 14, sampledMs: now - 20_000 }],
  ]);
  const { rows, summary, line } = await shown(cluster({ figures }));
  expect(rows).toEqual([
    { name: "a", limit: 8, sample: "fresh" },
    { name: "b", limit: 14, sample: "stale" },
    { name: "c", limit: undefined, sample: "notAsked" },
  ]);
  expect(line("a")).toMatch(/ 8\/8 .* fresh$/);
  expect(line("c")).toMatch(/ 0\/\? .* not asked$/);
  expect(summary, "of how many is not known").toContain("8 slots held");
});

test("the sum of the slots is told where every limit is known", async () => {
  const figures = new Map(["a", "b", "c"].map((name) => [name, { limit: 8, sampledMs: undefined }]));
  const { rows, summary } = await shown(cluster({ figures }));
  expect(summary).toContain("8 of 24 slots held");
  expect(rows).toMatchObject([{ sample: "absent" }, { sample: "absent" }, { sample: "absent" }]);
});

test("without telemetry in the policy nothing is absent: it was not asked", async () => {
  const figures = new Map([["a", { limit: 8, sampledMs: undefined }]]);
  expect((await shown(cluster({ source: "none", figures }))).rows[0]).toEqual({
    name: "a",
    limit: 8,
    sample: "notAsked",
  });
});

test("what a leader published that is dead since counts no more, nor does anything without one", async () => {
  const unknown = { name: "a", limit: undefined, sample: "notAsked" };
  const figures = new Map([["a", { limit: 8, sampledMs: undefined }]]);
  expect((await shown(cluster({ figures }), 60_000)).rows[0]).toEqual(unknown);
  expect((await shown(cluster({}))).rows[0]).toEqual(unknown);
});
