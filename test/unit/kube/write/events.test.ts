import { describe, expect, it } from "vitest";
import { createApiClient } from "../../../../src/kube/client/api-client.ts";
import { createEventRecorder, EVENT_LIMITS } from "../../../../src/kube/write/events.ts";
import type { EventToEmit } from "../../../../src/kube/write/events.ts";
import { silentLog } from "../../../../src/kube/log.ts";
import { fakeClock } from "../../../support/fake-clock.ts";
import { json, startScriptedApi } from "../../../support/scripted-api.ts";
import type { Answer } from "../../../support/scripted-api.ts";

const event = (uid: string, note = "why"): EventToEmit => ({
  regarding: { apiVersion: "v1", kind: "Pod", namespace: "shop", name: "web", uid },
  type: "Normal",
  reason: "Held",
  action: "Hold",
  note,
});

async function scene(answer: Answer, limits = EVENT_LIMITS) {
  const api = await startScriptedApi(() => answer);
  const client = createApiClient({ url: api.url });
  const clock = fakeClock();
  const events = createEventRecorder({ client, instance: "paceline-0", clock, log: silentLog, limits });
  return {
    api,
    clock,
    events,
    async [Symbol.asyncDispose]() {
      await client.close();
      await events.stop();
      await api[Symbol.asyncDispose]();
    },
  };
}

describe("the event recorder", () => {
  it("writes what the API server requires of an Event", async () => {
    await using at = await scene(json({}, 201));
    at.events.emit(event("1", "x".repeat(1_023) + "öö"));
    await expect.poll(() => at.events.counts.written).toBe(1);
    expect(at.api.requests[0]?.path).toBe("/apis/events.k8s.io/v1/namespaces/shop/events");
    const body = JSON.parse(at.api.requests[0]?.body ?? "{}") as Record<string, string>;
    expect(body["eventTime"]).toMatch(/\.\d{6}Z$/);
    expect(Buffer.byteLength(body["note"] ?? "")).toBeLessThanOrEqual(1_024);
    expect(body["note"]?.endsWith("x…")).toBe(true);
  });

  it("repeats the same message about the same object once a minute at most", async () => {
    await using at = await scene(json({}, 201));
    at.events.emit(event("1"));
    at.events.emit(event("1"));
    at.events.emit(event("2"));
    expect(at.events.counts.repeated).toBe(1);
    await at.clock.advance(EVENT_LIMITS.repeatAfterMs);
    at.events.emit(event("1"));
    await expect.poll(() => at.events.counts.written).toBe(3);
  });

  it("keeps to its rate, and drops what the queue cannot hold", async () => {
    const limits = { queue: 10, perSecond: 5, burst: 2, repeatAfterMs: 60_000 };
    await using at = await scene(json({}, 201), limits);
    for (let index = 0; index < 20; index++) at.events.emit(event(String(index)));
    expect(at.events.counts.dropped).toBe(8);
    await expect.poll(() => at.events.counts.written).toBe(2);
    for (let written = 3; written <= 12; written++) {
      await at.clock.advance(200);
      await expect.poll(() => at.events.counts.written).toBe(written);
    }
  });

  it("never waits and never throws, even if the API server fails", async () => {
    await using at = await scene(() => undefined);
    for (let index = 0; index < 5_000; index++) at.events.emit(event(String(index)));
    expect(at.events.counts.dropped).toBeGreaterThan(3_000);
    await expect.poll(() => at.api.requests.length).toBe(4);
  });
});
