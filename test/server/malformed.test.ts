/** Bodies that violate the protocols: the server refuses them clearly, counts them, and keeps running. */
import { describe, expect, it } from "vitest";
import { recorded, testApp } from "../support/app.ts";

const routes = ["/mutate/pods", "/mutate/nodes", "/validate/policy", "/scheduler/filter", "/scheduler/prioritize"];
const reviewRoutes = routes.slice(0, 3);
const extenderRoutes = routes.slice(3);

async function post(url: string, payload: string, contentType = "application/json") {
  const { app, metrics } = testApp();
  const answer = await app.inject({ method: "POST", url, payload, headers: { "content-type": contentType } });
  const health = await app.inject("/healthz");
  return {
    status: answer.statusCode,
    error: answer.json<{ error: string }>().error,
    health: health.statusCode,
    metrics,
  };
}

describe.each(routes)("%s", (url) => {
  it.each([
    ["no JSON", "{"],
    ["nothing", ""],
    ["a number", "7"],
    ["null", "null"],
    ["an empty list", "[]"],
    ["an empty object", "{}"],
    ["prototype poison", '{"__proto__": {"request": 1}}'],
  ])("answers 400 to %s", async (_name, payload) => {
    const { status, error, health } = await post(url, payload);
    expect(status).toBe(400);
    expect(error).not.toBe("");
    expect(health).toBe(200);
  });

  it("answers 413 to a body of 5 MB", async () => {
    const { status, health } = await post(url, JSON.stringify({ padding: "x".repeat(5_000_000) }));
    expect(status).toBe(413);
    expect(health).toBe(200);
  });

  it("answers 415 to another content type", async () => {
    expect((await post(url, "a: 1", "application/yaml")).status).toBe(415);
  });
});

describe.each(reviewRoutes)("%s", (url) => {
  it("names the place of every error in an AdmissionReview", async () => {
    const { error, metrics } = await post(
      url,
      JSON.stringify({ kind: "AdmissionReview", request: { uid: 5, operation: "EAT" } }),
    );
    expect(error).toContain("AdmissionReview");
    for (const place of ["apiVersion", "request.uid", "request.operation", "request.resource"])
      expect(error).toContain(place);
    expect(await metrics.registry.metrics()).toMatch(/paceline_malformed_requests_total\{handler="[a-z-]+"\} 1/);
  });

  it("refuses another version of AdmissionReview", async () => {
    const review = { ...recorded("review-pod-naked"), apiVersion: "admission.k8s.io/v1beta1" };
    const { status, error } = await post(url, JSON.stringify(review));
    expect(status).toBe(400);
    expect(error).toContain("apiVersion");
  });
});

describe.each(extenderRoutes)("%s", (url) => {
  it.each([
    ["Pod", { NodeNames: ["node-1"] }],
    ["NodeNames", { Pod: { metadata: {}, spec: {} } }],
    ["NodeNames.1", { Pod: { metadata: {}, spec: {} }, NodeNames: ["a", 7] }],
    ["Nodes.items.0.metadata", { Pod: { metadata: {}, spec: {} }, Nodes: { items: [{}] } }],
  ])("names the wrong place %s", async (place, args) => {
    const { status, error } = await post(url, JSON.stringify(args));
    expect(status).toBe(400);
    expect(error).toContain(place);
  });
});
