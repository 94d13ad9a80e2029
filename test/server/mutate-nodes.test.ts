/** `/mutate/nodes`: a node gets its fence at creation, and only if a leader will lift it. */
import fastJsonPatch from "fast-json-patch";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FENCE_TAINT_KEY, FENCED_AT_ANNOTATION } from "../../src/api/names.ts";
import { fenceValue } from "../../src/core/rules/node-fence.ts";
import { nodeName } from "../../src/core/ids.ts";
import { defaultPolicy } from "../../src/policy/parse.ts";
import { recorded, testApp, type RecordedReview, type TestAppOptions } from "../support/app.ts";
import { START_MS } from "../support/core-facts.ts";

interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}
interface FencedNode {
  readonly metadata: { readonly annotations?: Record<string, string> };
  readonly spec: { readonly taints: readonly Taint[] };
}

async function ask(review: RecordedReview, options: TestAppOptions = {}): Promise<FencedNode> {
  const { app } = testApp(options);
  const answer = await app.inject({ method: "POST", url: "/mutate/nodes", payload: review });
  const { response } = answer.json<{ response: { uid: string; allowed: boolean; patch?: string } }>();
  expect(response).toMatchObject({ uid: review.request.uid, allowed: true });
  const node = structuredClone(review.request.object);
  if (response.patch === undefined) return node as unknown as FencedNode;
  const operations = JSON.parse(Buffer.from(response.patch, "base64").toString()) as fastJsonPatch.Operation[];
  return fastJsonPatch.applyPatch(node, operations, true).newDocument as unknown as FencedNode;
}

const joining = () => recorded<RecordedReview>("review-nodes");
const fences = ({ spec }: FencedNode) => spec.taints.filter(({ key }) => key === FENCE_TAINT_KEY);

describe("a joining node", () => {
  it("gets the fence in addition to its own taints", async () => {
    const node = await ask(joining());
    expect(node.spec.taints).toEqual([
      { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" },
      { key: FENCE_TAINT_KEY, value: "node-1", effect: "NoSchedule" },
    ]);
    expect(node.metadata.annotations?.[FENCED_AT_ANNOTATION]).toBe(new Date(START_MS).toISOString());
  });

  it("gets none when the lever is off, in observe mode, or when mode is off", async () => {
    for (const policy of [
      defaultPolicy({ fence: { enabled: false } }),
      defaultPolicy({ mode: "observe" }),
      defaultPolicy({ mode: "off" }),
    ]) {
      expect(fences(await ask(joining(), { policy }))).toEqual([]);
    }
  });

  it("gets none where Karpenter made it, which launches others for a taint that its NodePool does not name", async () => {
    const review = joining();
    const { metadata } = review.request.object as { metadata: object };
    const object = { ...review.request.object, metadata: { ...metadata, labels: { "karpenter.sh/nodepool": "pool" } } };
    expect(fences(await ask({ ...review, request: { ...review.request, object } }))).toEqual([]);
  });

  it("is counted in observe mode if it would have got a fence, but not on a dry run", async () => {
    const { app, metrics } = testApp({ policy: defaultPolicy({ mode: "observe" }) });
    const review = joining();
    for (const dryRun of [false, true]) {
      const payload = { ...review, request: { ...review.request, dryRun } };
      await app.inject({ method: "POST", url: "/mutate/nodes", payload });
    }
    expect(await metrics.wouldFence.get()).toMatchObject({ values: [{ value: 1 }] });
  });

  it("gets none if no node is ever young", async () => {
    expect(fences(await ask(joining(), { policy: defaultPolicy({ youngForSeconds: 0 }) }))).toEqual([]);
  });

  it("gets none when no leader would lift it", async () => {
    const state = { replica: () => ({ synced: true, leaderAlive: false }) };
    expect(fences(await ask(joining(), { state }))).toEqual([]);
  });

  it("gets none when no policy has been read yet", async () => {
    expect(fences(await ask(joining(), { state: { policy: () => undefined } }))).toEqual([]);
  });

  it("gets it only if the nodeSelector matches", async () => {
    const selecting = (disk: string) => defaultPolicy({ fence: { nodeSelector: { matchLabels: { disk } } } });
    expect(fences(await ask(joining(), { policy: selecting("gp3") }))).toHaveLength(1);
    expect(fences(await ask(joining(), { policy: selecting("nvme") }))).toHaveLength(0);
  });

  it("gets no second fence", async () => {
    const review = joining();
    Object.assign(review.request.object["spec"] as object, {
      taints: [{ key: FENCE_TAINT_KEY, effect: "NoSchedule" }],
    });
    expect(fences(await ask(review))).toHaveLength(1);
  });
});

describe("the fence's value", () => {
  const labels = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
  const names = fc
    .array(labels, { minLength: 1, maxLength: 8 })
    .map((parts) => parts.join(".").slice(0, 253))
    .filter((name) => /[a-z0-9]$/.test(name));

  it("is a legal taint value for every node name", () => {
    fc.assert(
      fc.property(names, (name) => {
        expect(fenceValue(nodeName(name))).toMatch(/^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/);
      }),
    );
  });

  it("differs between nodes, even if only the ends of long names differ", () => {
    const long = "ip-10-0-0-1.a-very-long-domain-name-of-a-cloud-provider.example.compute.internal";
    expect(fenceValue(nodeName(`${long}-1`))).not.toBe(fenceValue(nodeName(`${long}-2`)));
  });

  it("never changes between versions, since live pods tolerate it", () => {
    expect(fenceValue(nodeName("node-1"))).toBe("node-1");
    expect(fenceValue(nodeName("n".repeat(80)))).toBe(`${"n".repeat(46)}-a967be68fa1d8965`);
  });
});
