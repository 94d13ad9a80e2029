/** `/mutate/annotations`: a new pod keeps none that only Paceline may write. */
import fastJsonPatch from "fast-json-patch";
import { describe, expect, it } from "vitest";
import { defaultPolicy } from "../../src/policy/parse.ts";
import { recorded, testApp, type RecordedReview, type TestAppOptions } from "../support/app.ts";

const FORGED = {
  "paceline.dev/reservation": '{"node":"young","at":"2099-01-01T00:00:00Z"}',
  "paceline.dev/hold": '{"reason":"AwaitingRelease","since":"2020-01-01T00:00:00Z"}',
  "paceline.dev/release": '{"at":"2020-01-01T00:00:00Z","heldSeconds":300}',
};

/** The annotations that the API server would store, and what was logged. */
async function kept(annotations: Record<string, string>, options: TestAppOptions = {}, url = "/mutate/annotations") {
  const review = recorded<RecordedReview>("review-pod-naked");
  Object.assign(review.request.object.metadata, { annotations });
  const { app, lines } = testApp(options);
  const answer = await app.inject({ method: "POST", url, payload: review });
  const { response } = answer.json<{ response: { allowed: boolean; patch?: string } }>();
  expect(response.allowed).toBe(true);
  const operations = JSON.parse(
    Buffer.from(response.patch ?? "W10=", "base64").toString(),
  ) as fastJsonPatch.Operation[];
  const pod = fastJsonPatch.applyPatch(structuredClone(review.request.object), operations, true).newDocument;
  return { annotations: pod.metadata.annotations, messages: lines.map(({ msg }) => msg) };
}

describe("a new pod", () => {
  it("loses every annotation that only Paceline has a reason to write, and says so in the log", async () => {
    const { annotations, messages } = await kept({ ...FORGED, "example.com/team": "a" });
    expect(annotations).toEqual({ "example.com/team": "a" });
    expect(messages).toContainEqual(expect.stringContaining("only paceline may set"));
  });

  it("keeps what users set on purpose, those with our prefix included", async () => {
    const own = { "paceline.dev/max-hold-seconds": "60", "paceline.dev/order": "last", "paceline.dev/team": "a" };
    expect((await kept(own)).annotations).toEqual(own);
  });

  it("stays as it came where the policy does not enforce, and when an error occurs inside", async () => {
    expect((await kept(FORGED, { policy: defaultPolicy({ mode: "observe" }) })).annotations).toEqual(FORGED);
    const policy = () => {
      throw new Error("broken on purpose");
    };
    expect((await kept(FORGED, { state: { policy } })).annotations).toEqual(FORGED);
  });
});
