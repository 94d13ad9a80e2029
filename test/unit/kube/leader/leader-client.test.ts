import { describe, expect, it } from "vitest";
import type { ApiClient, RequestOptions } from "../../../../src/kube/client/api-client.ts";
import { leaderClient } from "../../../../src/kube/leader/leader-client.ts";

function recording() {
  const timeouts: (number | undefined)[] = [];
  const answer = (options: RequestOptions | undefined) => {
    timeouts.push(options?.timeoutMs);
    return Promise.resolve({});
  };
  const client = {
    get: (_path, _query, options) => answer(options),
    patch: (_path, _body, _kind, _query, options) => answer(options),
  } satisfies Pick<ApiClient, "get" | "patch"> as unknown as ApiClient;
  return { client, timeouts };
}

describe("the leader's client", () => {
  it("ends every request before another replica may lead, so that no late write spends a slot twice", async () => {
    const { client, timeouts } = recording();
    const election = { mayWriteForMs: 6_500 };
    await leaderClient(client, election).patch("/api/v1/nodes/n1", {}, "json");
    election.mayWriteForMs = 1_200;
    await leaderClient(client, election).get("/api/v1/nodes/n1", {}, { timeoutMs: 2_000 });
    expect(timeouts).toEqual([6_500, 1_200]);
  });

  it("begins no write after leadership is lost, not even one whose reading began before", async () => {
    const { client, timeouts } = recording();
    const election = { mayWriteForMs: 6_500 };
    const leading = leaderClient(client, election);
    await leading.get("/api/v1/nodes/n1");
    election.mayWriteForMs = 0;
    await expect(leading.patch("/api/v1/nodes/n1", {}, "json")).rejects.toMatchObject({ reason: "NotLeading" });
    expect(timeouts).toHaveLength(1);
  });
});
