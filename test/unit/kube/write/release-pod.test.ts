/** A release on the API server in memory of the fault harness. */
import { expect, it } from "vitest";
import { GATE } from "../../../../src/api/names.ts";
import { nodeName } from "../../../../src/core/ids.ts";
import type { ApiClient } from "../../../../src/kube/client/api-client.ts";
import { podFacts } from "../../../../src/kube/parse/facts.ts";
import { createShapeInterner } from "../../../../src/kube/parse/shape-interner.ts";
import { releasePod } from "../../../../src/kube/write/writes.ts";
import { newServer, pod, PODS } from "../../faults/api-server/support.ts";

const READ_TAKES_MS = 7_000;

it("a reservation is dated when it is sent, so that a slow read before it uses up none of its time", async () => {
  const { server } = newServer();
  const inner = server.client("writer");
  const seen = podFacts(server.create(PODS, pod("a", [GATE])), createShapeInterner());
  let nowMs = 1_000_000;
  const slow: ApiClient = {
    ...inner,
    get: async (...request) => {
      const answer = await inner.get(...request);
      nowMs += READ_TAKES_MS;
      return answer;
    },
  };
  const release = { pod: seen, node: nodeName("n1"), fence: "n1", reason: "SlotFree", message: "" } as const;
  const write = await releasePod(slow, release, { now: () => nowMs });
  if (!("object" in write)) throw new Error(write.kind);
  const after = podFacts(write.object, createShapeInterner());
  expect(after.reservation).toEqual({ node: "n1", atMs: 1_000_000 + READ_TAKES_MS });
});

it("a pod that has got a slot since the plan saw it gets no second one, though the watch is late (promise 7)", async () => {
  const { server } = newServer();
  const client = server.client("writer");
  const seen = podFacts(server.create(PODS, pod("a")), createShapeInterner());
  const to = (name: string) =>
    ({ pod: seen, node: nodeName(name), fence: name, reason: "SlotFree", message: "" }) as const;
  expect((await releasePod(client, to("n1"), { now: () => 1_000 })).kind).toBe("changed");
  const second = await releasePod(client, to("n2"), { now: () => 2_000 });
  expect(second.kind).toBe("unchanged");
  if (!("object" in second)) throw new Error(second.kind);
  expect(podFacts(second.object, createShapeInterner()).reservation).toEqual({ node: "n1", atMs: 1_000 });
});
