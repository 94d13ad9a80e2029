/** `/mutate/scheduler`: pods get the second scheduler only while it is alive. */
import fastJsonPatch from "fast-json-patch";
import { describe, expect, it } from "vitest";
import { recorded, testApp, type RecordedReview } from "../support/app.ts";

const alive = { schedulerName: "paced", isAlive: () => true };

function reviewOf(spec: Record<string, unknown>): RecordedReview {
  const review = recorded<RecordedReview>("review-pod-naked");
  Object.assign(review.request.object["spec"] as object, spec);
  return review;
}

async function schedulerOf(review: RecordedReview, secondScheduler = alive): Promise<unknown> {
  const { app } = testApp({ dependencies: { secondScheduler } });
  const answer = await app.inject({ method: "POST", url: "/mutate/scheduler", payload: review });
  const { response } = answer.json<{ response: { allowed: boolean; patch?: string } }>();
  expect(response.allowed).toBe(true);
  const pod = structuredClone(review.request.object);
  const operations = JSON.parse(
    Buffer.from(response.patch ?? "W10=", "base64").toString(),
  ) as fastJsonPatch.Operation[];
  const patched = fastJsonPatch.applyPatch(pod, operations, true).newDocument;
  return (patched["spec"] as { schedulerName?: string }).schedulerName;
}

describe("a new pod", () => {
  it("gets the second scheduler if it names none", async () => {
    expect(await schedulerOf(reviewOf({ schedulerName: "default-scheduler" }))).toBe("paced");
    expect(await schedulerOf(reviewOf({ schedulerName: undefined }))).toBe("paced");
  });

  it("keeps the scheduler that it names, and its node", async () => {
    expect(await schedulerOf(reviewOf({ schedulerName: "mine" }))).toBe("mine");
    expect(await schedulerOf(reviewOf({ schedulerName: "default-scheduler", nodeName: "n" }))).toBe(
      "default-scheduler",
    );
  });

  it("stays unchanged while the second scheduler is dead, and when an error occurs inside", async () => {
    const review = reviewOf({ schedulerName: "default-scheduler" });
    expect(await schedulerOf(review, { ...alive, isAlive: () => false })).toBe("default-scheduler");
    const broken = () => {
      throw new Error("broken on purpose");
    };
    expect(await schedulerOf(review, { ...alive, isAlive: broken })).toBe("default-scheduler");
  });

  it("is counted, a dry run is not", async () => {
    const { app } = testApp({ dependencies: { secondScheduler: alive } });
    for (const name of ["review-pod-naked", "review-pod-naked-dry-run"]) {
      await app.inject({ method: "POST", url: "/mutate/scheduler", payload: recorded(name) });
    }
    expect((await app.inject("/metrics")).body).toContain("paceline_redirected_pods_total 1");
  });
});

it("without a second scheduler there is no such route", async () => {
  const { app } = testApp();
  expect((await app.inject({ method: "POST", url: "/mutate/scheduler", payload: {} })).statusCode).toBe(404);
});
