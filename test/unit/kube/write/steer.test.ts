/** The soft taint of young nodes, on the API server in memory. */
import { expect, it } from "vitest";
import { FENCE_TAINT_KEY, FENCED_AT_ANNOTATION, YOUNG_TAINT_KEY } from "../../../../src/api/names.ts";
import { nodeFacts } from "../../../../src/kube/parse/facts.ts";
import { recordOf, recordsOf } from "../../../../src/kube/parse/kube-json.ts";
import { liftFence, steerNode, unsteerNode } from "../../../../src/kube/write/nodes.ts";
import { CAPS_WITHOUT_POLICY } from "../../../../src/policy/caps.ts";
import { planSweep, sweep } from "../../../../src/release/sweep.ts";
import { newServer } from "../../faults/api-server/support.ts";

const NODE = "/api/v1/nodes/n1";
const OTHER = { key: "other", effect: "NoSchedule" };
const SOFT = { key: YOUNG_TAINT_KEY, value: "n1", effect: "PreferNoSchedule" };

function subject(...taints: object[]) {
  const { server } = newServer();
  const annotations = { [FENCED_AT_ANNOTATION]: "2026-01-01T00:00:00Z", own: "stays" };
  server.create("/api/v1/nodes", { metadata: { name: "n1", annotations }, spec: { taints: [...taints, OTHER] } });
  const raw = () => server.find(NODE) ?? {};
  return {
    server,
    client: server.client("writer"),
    facts: () => nodeFacts(raw()),
    taints: () =>
      recordsOf(recordOf(raw()["spec"])["taints"]).filter(({ key }) => key !== "node.kubernetes.io/not-ready"),
  };
}

it("takes the place of a fence in one write", async () => {
  const { server, client, facts, taints } = subject({ key: FENCE_TAINT_KEY, value: "n1", effect: "NoSchedule" });
  const before = server.version;
  expect((await liftFence(client, facts(), "n1")).kind).toBe("changed");
  expect(server.version).toBe(before + 1);
  expect(taints()).toEqual([OTHER, SOFT]);
  expect(facts()).toMatchObject({ fence: undefined, steered: true, taints: [{ key: "other" }, {}] });
});

it("comes and goes beside other taints; a repetition changes nothing", async () => {
  const { client, facts, taints } = subject();
  const steer = () => steerNode(client, { kind: "steer", node: facts(), value: "n1" });
  expect((await steer()).kind).toBe("changed");
  expect(taints()).toEqual([OTHER, SOFT]);
  expect((await steer()).kind).toBe("unchanged");
  expect((await unsteerNode(client, facts())).kind).toBe("changed");
  expect(taints()).toEqual([OTHER]);
  expect((await unsteerNode(client, facts())).kind).toBe("unchanged");
});

it("is not put beside a fence that has come in between", async () => {
  const { client, facts } = subject({ key: FENCE_TAINT_KEY, value: "n1", effect: "NoSchedule" });
  expect((await steerNode(client, { kind: "steer", node: facts(), value: "n1" })).kind).toBe("unchanged");
});

it("goes with `paceline release --all` (promise 9)", async () => {
  const { client, taints } = subject(SOFT);
  const nowMs = Date.parse("2026-01-01T00:01:00Z");
  const plan = await planSweep(client, { which: "all" }, CAPS_WITHOUT_POLICY, { nowMs });
  expect(await sweep(client, plan, nowMs)).toMatchObject([{ kind: "Node", name: "n1", outcome: "released" }]);
  expect(taints()).toEqual([OTHER]);
  const expired = await planSweep(subject(SOFT).client, { which: "expired" }, CAPS_WITHOUT_POLICY, { nowMs });
  expect(expired.nodes).toEqual([]); // it keeps nothing out, so that it has no cap
});
