/** `/validate/policy`: the answer lists every error of a broken policy at once. */
import { describe, expect, it } from "vitest";
import { POLICY_KEY } from "../../src/api/names.ts";
import { recorded, testApp, type RecordedReview } from "../support/app.ts";

interface Response {
  readonly uid: string;
  readonly allowed: boolean;
  readonly status?: { readonly code: number; readonly message: string };
}

function withPolicy(text: string, change: object = {}): object {
  const review = recorded<RecordedReview>("review-configmaps");
  const object = { ...review.request.object, data: { [POLICY_KEY]: text } };
  return { ...review, request: { ...review.request, object, ...change } };
}

async function ask(review: object): Promise<Response> {
  const { app } = testApp();
  const answer = await app.inject({ method: "POST", url: "/validate/policy", payload: review });
  return answer.json<{ response: Response }>().response;
}

describe("the policy's ConfigMap", () => {
  it("is allowed as recorded", async () => {
    const review = recorded<RecordedReview>("review-configmaps");
    expect(await ask(review)).toEqual({ uid: review.request.uid, allowed: true });
  });

  it("is denied with every error and its place", async () => {
    const text = "apiVersion: paceline.dev/v1alpha1\nkind: PacingPolicy\nmaxHoldSeconds: 900\nyoungForSecond: 3\n";
    const { allowed, status } = await ask(withPolicy(text));
    expect(allowed).toBe(false);
    expect(status?.code).toBe(422);
    expect(status?.message).toContain("2 errors");
    expect(status?.message).toMatch(/maxHoldSeconds.*540/);
    expect(status?.message).toMatch(/youngForSecond/);
  });

  it("is denied if it is not YAML, or if the key is missing", async () => {
    expect((await ask(withPolicy("{"))).allowed).toBe(false);
    const review = withPolicy("") as RecordedReview;
    Object.assign(review.request.object, { data: {} });
    expect((await ask(review)).allowed).toBe(false);
  });

  it("may be deleted", async () => {
    expect((await ask(withPolicy("{", { operation: "DELETE", object: null }))).allowed).toBe(true);
  });
});

it("leaves other ConfigMaps alone", async () => {
  const review = withPolicy("{") as RecordedReview;
  Object.assign(review.request.object.metadata, { name: "settings" });
  expect((await ask({ ...review, request: { ...review.request, name: "settings" } })).allowed).toBe(true);
});
