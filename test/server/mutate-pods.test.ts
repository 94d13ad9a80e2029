/** `/mutate/pods`, with what a real API server sends. */
import fastJsonPatch from "fast-json-patch";
import { describe, expect, it } from "vitest";
import { GATE, HOLD_ANNOTATION } from "../../src/api/names.ts";
import { defaultPolicy } from "../../src/policy/parse.ts";
import { brokenPacer, recorded, testApp, type RecordedReview, type TestAppOptions } from "../support/app.ts";
import { aNode, anOldNode, START_MS } from "../support/core-facts.ts";

interface Answer {
  readonly response: {
    readonly uid: string;
    readonly allowed: boolean;
    readonly patch?: string;
    readonly patchType?: string;
    readonly warnings?: readonly string[];
  };
}

const youngNodes = [aNode("node-1"), aNode("node-2")];

async function ask(review: object, options: TestAppOptions = {}) {
  const { app, metrics, lines } = testApp({ nodes: youngNodes, ...options });
  const answer = await app.inject({ method: "POST", url: "/mutate/pods", payload: review });
  return { status: answer.statusCode, body: answer.json<Answer>(), metrics: await metrics.registry.metrics(), lines };
}

/** The pod as the API server would store it. */
function patched(review: RecordedReview, { response }: Answer) {
  const operations = JSON.parse(Buffer.from(response.patch ?? "", "base64").toString()) as fastJsonPatch.Operation[];
  return fastJsonPatch.applyPatch(structuredClone(review.request.object), operations, true)
    .newDocument as typeof review.request.object & {
    spec: { schedulingGates: { name: string }[] };
  };
}

describe("a pod that fits only young nodes", () => {
  it.each(["review-pod-daemonset", "review-pod-replicaset", "review-pod-naked"])(
    "is gated with its reason: %s",
    async (name) => {
      const review = recorded<RecordedReview>(name);
      const { body, status } = await ask(review);
      expect(status).toBe(200);
      expect(body.response).toMatchObject({ uid: review.request.uid, allowed: true, patchType: "JSONPatch" });
      const pod = patched(review, body);
      expect(pod.spec.schedulingGates).toEqual([{ name: GATE }]);
      const note = JSON.parse(pod.metadata.annotations?.[HOLD_ANNOTATION] ?? "") as Record<string, string>;
      expect(note).toMatchObject({ reason: "AwaitingRelease", since: new Date(START_MS).toISOString() });
      expect(pod.metadata.annotations).toMatchObject(review.request.object.metadata.annotations ?? {});
    },
  );

  it("loses gate and reason again if a later webhook gives it to a scheduler that is not paced", async () => {
    const review = recorded<RecordedReview>("review-pod-naked");
    Object.assign(review.request.object["spec"] as object, { schedulingGates: [{ name: "example.com/quota" }] });
    const gated = patched(review, (await ask(review)).body);
    const again = { ...review, request: { ...review.request, object: gated } } as RecordedReview;
    expect((await ask(again)).body.response).not.toHaveProperty("patch");
    Object.assign(gated["spec"] as object, { schedulerName: "yunikorn" });
    const pod = patched(again, (await ask(again)).body);
    expect(pod.spec.schedulingGates).toEqual([{ name: "example.com/quota" }]);
    expect(pod.metadata.annotations ?? {}).not.toHaveProperty([HOLD_ANNOTATION]);
  });

  it("names the node that a DaemonSet's pod waits for", async () => {
    const review = recorded<RecordedReview>("review-pod-daemonset");
    const { body } = await ask(review);
    const note = patched(review, body).metadata.annotations?.[HOLD_ANNOTATION] ?? "";
    expect(JSON.parse(note)).toHaveProperty("node", expect.stringMatching(/^node-[12]$/));
  });

  it("is warned of annotations that cannot be read; they are ignored, and the log names them", async () => {
    const review = recorded<RecordedReview>("review-pod-naked");
    const annotations = { "paceline.dev/max-hold-seconds": "1m", "paceline.dev/order": "front" };
    Object.assign(review.request.object.metadata, { annotations });
    const { body, lines } = await ask(review);
    const warnings = [
      'paceline.dev/max-hold-seconds: "1m" is ignored; write whole seconds, "1" to "540"',
      'paceline.dev/order: "front" is ignored; write first, normal or last',
    ];
    expect(body.response.warnings).toEqual(warnings);
    expect(patched(review, body).spec.schedulingGates).toEqual([{ name: GATE }]);
    expect(lines.find(({ msg }) => msg === "held")).toMatchObject({ ignored: warnings });
    const settled = await ask(review, { nodes: [anOldNode("old")] });
    expect(settled.body.response).toMatchObject({ allowed: true, warnings });
    Object.assign(review.request.object.metadata, { annotations: { "paceline.dev/max-hold-seconds": "60" } });
    expect((await ask(review)).body.response).not.toHaveProperty("warnings");
  });

  it("keeps other gates in front of its own", async () => {
    const review = recorded<RecordedReview>("review-pod-naked");
    Object.assign(review.request.object["spec"] as object, { schedulingGates: [{ name: "example.com/quota" }] });
    const { body } = await ask(review);
    expect(patched(review, body).spec.schedulingGates).toEqual([{ name: "example.com/quota" }, { name: GATE }]);
  });

  it("gets the same answer in a dry run, which counts nothing", async () => {
    const { body, metrics } = await ask(recorded("review-pod-naked-dry-run"));
    expect(body.response.patch).toBeDefined();
    expect(metrics).not.toMatch(/paceline_holds_total\{/);
  });

  it("writes one log line at info, and counts once by reason", async () => {
    const { metrics, lines } = await ask(recorded("review-pod-naked"));
    expect(metrics).toContain('paceline_holds_total{lever="gate",reason="AwaitingRelease"} 1');
    expect(lines.filter(({ level }) => level >= 30)).toMatchObject([{ msg: "held", pod: "default/naked" }]);
  });
});

describe("a pod is let through untouched", () => {
  const untouched = async (review: object, options: TestAppOptions = {}) => {
    const { body } = await ask(review, options);
    expect(body.response.allowed).toBe(true);
    expect(body.response.patch).toBeUndefined();
  };
  const pod = () => recorded<RecordedReview>("review-pod-naked");

  it("when a settled node has room", () => untouched(pod(), { nodes: [anOldNode("node-1")] }));
  it("when no node exists at all, so that an autoscaler sees it", () => untouched(pod(), { nodes: [] }));
  it("when no leader is alive to release it", () =>
    untouched(pod(), { state: { replica: () => ({ synced: true, leaderAlive: false }) } }));
  it("before the caches are synced", () =>
    untouched(pod(), { state: { replica: () => ({ synced: false, leaderAlive: true }) } }));
  it("in observe mode", () => untouched(pod(), { policy: defaultPolicy({ mode: "observe" }) }));
  it("when it already names its node", () => {
    const review = pod();
    Object.assign(review.request.object["spec"] as object, { nodeName: "node-1" });
    return untouched(review);
  });
  it("when it is in an exempt namespace", () => {
    const review = pod();
    const request = { ...review.request, namespace: "kube-system" };
    Object.assign(request.object.metadata, { namespace: "kube-system" });
    return untouched({ ...review, request });
  });
  it("when the request is not a creation", () => {
    const review = pod();
    return untouched({ ...review, request: { ...review.request, operation: "UPDATE" } });
  });
  it("when it is a subresource", () => {
    const review = pod();
    return untouched({ ...review, request: { ...review.request, subResource: "binding" } });
  });
});

describe("fails open", () => {
  it("when the core throws: allowed, counted, logged", async () => {
    const review = recorded<RecordedReview>("review-pod-naked");
    const { status, body, metrics, lines } = await ask(review, { pacer: brokenPacer() });
    expect(status).toBe(200);
    expect(body.response).toEqual({ uid: review.request.uid, allowed: true });
    expect(metrics).toContain('paceline_handler_failures_total{handler="mutate-pods"} 1');
    expect(lines.some(({ level, msg }) => level === 50 && msg.includes("failed inside"))).toBe(true);
  });

  it.each([
    ["no object", null],
    ["a pod without metadata and spec", {}],
    [
      "a pod whose fields have wrong types",
      { metadata: 7, spec: { containers: "none", schedulingGates: 5, tolerations: { a: 1 } } },
    ],
  ])("with %s inside", async (_name, object) => {
    const review = recorded<RecordedReview>("review-pod-naked");
    const { status, body } = await ask({ ...review, request: { ...review.request, object } });
    expect(status).toBe(200);
    expect(body.response).toMatchObject({ uid: review.request.uid, allowed: true });
  });
});
