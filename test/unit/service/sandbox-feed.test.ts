import { describe, expect, test } from "vitest";
import { createPacer } from "../../../src/core/pacer.ts";
import { createApiClient } from "../../../src/kube/client/api-client.ts";
import { systemClock } from "../../../src/kube/clock.ts";
import { type Log, silentLog } from "../../../src/kube/log.ts";
import { defaultPolicy } from "../../../src/policy/parse.ts";
import { startSandboxFeed } from "../../../src/service/sandbox-feed.ts";
import { aNode, aPod, bound, START_MS } from "../../support/core-facts.ts";
import { type Answer, json, refusal, startScriptedApi, stream } from "../../support/scripted-api.ts";

const event = (uid: string, message: string) => ({
  type: "ADDED",
  object: {
    metadata: { name: `e-${uid}`, namespace: "default", uid: `e-${uid}`, resourceVersion: "8" },
    involvedObject: { kind: "Pod", namespace: "default", name: "a", uid },
    reason: "FailedCreatePodSandBox",
    message,
    source: { component: "kubelet", host: "n1" },
  },
});
const NO_ADDRESS = "add cmd: failed to assign an IP address to container";

/** A feed into a pacer that knows one pod in startup, `a` on n1. */
async function feedWith(list: Answer, events: readonly object[] = []) {
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (_, message) => warnings.push(message) };
  const api = await startScriptedApi(({ query }) => (query.has("watch") ? stream(events, "silence") : list));
  const client = createApiClient({ url: api.url });
  const pacer = createPacer(defaultPolicy());
  pacer.upsertNode(aNode("n1"), START_MS);
  pacer.upsertPod(bound(aPod("a"), "n1"), START_MS);
  let changes = 0;
  const clock = { ...systemClock, now: () => START_MS };
  const onChange = () => (changes += 1);
  const feed = startSandboxFeed({ client, pacer, clock, random: () => 0.5, log, onChange });
  return {
    ...{ api, pacer, warnings },
    changes: () => changes,
    limitMove: () => pacer.status(START_MS).nodes[0]?.limitMove,
    async [Symbol.asyncDispose]() {
      await feed.stop();
      await client.close();
      await api[Symbol.asyncDispose]();
    },
  };
}

describe("the feed of failed sandboxes", () => {
  test("watches Events of that reason from now on, and tells the pacer", async () => {
    const none = json({ metadata: { resourceVersion: "7" }, items: [] });
    await using at = await feedWith(none, [event("uid-a", NO_ADDRESS)]);
    await expect.poll(() => at.limitMove()).toBe("cut to 16: no address was left for a");
    expect(at.changes()).toBe(1);
    const [list, watch] = at.api.requests;
    expect([list?.path, list?.query.get("limit")]).toEqual(["/api/v1/events", "1"]);
    expect(watch?.query.get("fieldSelector")).toBe("reason=FailedCreatePodSandBox");
    // An API server sends no bookmark of Events, so that a quiet watch must end before it counts as hung.
    expect(Number(watch?.query.get("timeoutSeconds"))).toBeLessThan(150);
  });

  test("wakes no plan for an Event that does not count", async () => {
    const none = json({ metadata: { resourceVersion: "7" }, items: [] });
    await using at = await feedWith(none, [event("uid-other", NO_ADDRESS), event("uid-a", "another reason")]);
    await expect.poll(() => at.pacer.takeFailedStarts()).toMatchObject([{ reason: "SandboxOther" }]);
    expect([at.changes(), at.limitMove()]).toEqual([1, "starts at 32: two for each core"]);
  });

  test("without the right goes on asking, and says so once", async () => {
    await using at = await feedWith(refusal(403, "Forbidden"));
    await expect.poll(() => at.api.requests.length).toBeGreaterThan(1);
    expect(at.warnings).toEqual(["list or watch failed"]);
    expect(at.limitMove()).toBe("starts at 32: two for each core");
  });
});
