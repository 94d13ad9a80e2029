import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { describe, expect, it } from "vitest";
import { createApiClient } from "../../../../src/kube/client/api-client.ts";
import { ApiError } from "../../../../src/kube/client/api-error.ts";
import {
  inClusterCredentials,
  kubeConfigCredentials,
  loadCredentials,
} from "../../../../src/kube/client/credentials.ts";
import { lineCutter } from "../../../../src/kube/client/lines.ts";
import { json, refusal, startScriptedApi, stream } from "../../../support/scripted-api.ts";

describe("the API client", () => {
  it("sends token, query and the content type of each kind of patch", async () => {
    await using api = await startScriptedApi(() => json({ kind: "Pod" }));
    const client = createApiClient({ url: `${api.url}/`, token: "secret" });
    await client.patch("/api/v1/x", { a: 1 }, "strategic", { fieldManager: "paceline", dryRun: undefined });
    await client.patch("/api/v1/x", [], "json");
    const [first, second] = api.requests;
    expect(first?.headers).toMatchObject({
      authorization: "Bearer secret",
      "content-type": "application/strategic-merge-patch+json",
      "user-agent": "paceline",
    });
    expect(Object.fromEntries(first?.query ?? [])).toEqual({ fieldManager: "paceline" });
    expect(first?.body).toBe('{"a":1}');
    expect(second?.headers["content-type"]).toBe("application/json-patch+json");
    await client.close();
  });

  it("passes on the date of every answer, refusals and watches included, and of none before it is there", async () => {
    const date = "Tue, 03 Nov 2026 06:00:00 GMT";
    await using api = await startScriptedApi(({ path }) => (response) => {
      response.writeHead(path === "/refused" ? 403 : 200, { date }).end("{}");
    });
    const heard: string[] = [];
    const asked = () => {
      heard.push("asked");
      return (header: string | undefined) => void heard.push(header ?? "none");
    };
    const client = createApiClient({ url: api.url }, { clock: { asked } });
    await client.get("/there");
    await expect(client.get("/refused")).rejects.toMatchObject({ status: 403 });
    await client.watch("/watched", {}, { onLine: () => undefined });
    expect(heard).toEqual(["asked", date, "asked", date, "asked", date]);
    await client.close();
  });

  it("turns a Status into a typed error, with the time to wait", async () => {
    await using api = await startScriptedApi(() =>
      json({ kind: "Status", reason: "TooManyRequests", message: "busy", details: { retryAfterSeconds: 3 } }, 429),
    );
    const client = createApiClient({ url: api.url });
    const error = await client.get("/api/v1/pods").catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 429, reason: "TooManyRequests", retryAfterSeconds: 3 });
    expect(String(error)).toContain("GET /api/v1/pods: 429 TooManyRequests busy");
    await client.close();
  });

  it("says so when something other than an API server answers", async () => {
    await using api = await startScriptedApi(({ path }) => (response) => {
      response.writeHead(path === "/bad" ? 502 : 200, { "content-type": "text/html" }).end("<html>proxy</html>");
    });
    const client = createApiClient({ url: api.url });
    await expect(client.get("/bad")).rejects.toMatchObject({ status: 502, reason: "" });
    await expect(client.get("/good")).rejects.toMatchObject({ reason: "NotJson" });
    await client.close();
  });

  it("ends requests without an answer, and those that are open when it is closed", async () => {
    await using api = await startScriptedApi(() => () => undefined);
    const client = createApiClient({ url: api.url });
    await expect(client.get("/slow", {}, { timeoutMs: 50 })).rejects.toMatchObject({ status: 0, reason: "Timeout" });
    const running = client.get("/slow");
    const watching = client.watch("/watch", {}, { onLine: () => undefined });
    const settled = Promise.allSettled([running, watching]);
    await expect.poll(() => api.requests.length).toBe(3);
    await client.close();
    for (const result of await settled)
      expect(result).toMatchObject({ status: "rejected", reason: { reason: "Aborted" } });
  });

  it("tells of each request that is over, refused and unanswered ones included, for the metrics", async () => {
    await using api = await startScriptedApi(({ path }) => (path === "/no" ? refusal(403, "Forbidden") : json({})));
    const told: [string, number][] = [];
    const client = createApiClient(
      { url: api.url },
      { onAnswer: (method, status) => void told.push([method, status]) },
    );
    await client.create("/yes", {});
    await client.get("/no").catch(() => undefined);
    await client.close();
    await client.patch("/yes", {}, "merge").catch(() => undefined);
    expect(told).toEqual([
      ["POST", 200],
      ["GET", 403],
      ["PATCH", 0],
    ]);
  });

  it("tells an unreachable server from one that refuses", async () => {
    const client = createApiClient({ url: "http://127.0.0.1:1" });
    await expect(client.get("/")).rejects.toMatchObject({ status: 0, reason: "Unreachable" });
    await client.close();
  });

  it("rejects a watch that is refused, resolves one that ends", async () => {
    await using api = await startScriptedApi(({ path }) =>
      path === "/gone" ? refusal(410, "Expired") : stream([{ type: "ADDED" }, "", "{}\n"], "end"),
    );
    const client = createApiClient({ url: api.url });
    const lines: string[] = [];
    await client.watch("/ok", {}, { onLine: (line) => lines.push(line) });
    expect(lines).toEqual(['{"type":"ADDED"}', "{}"]);
    await expect(client.watch("/gone", {}, { onLine: () => undefined })).rejects.toMatchObject({ status: 410 });
    await client.close();
  });
});

describe("credentials", () => {
  it("reads a rotated service account token without a restart", async () => {
    const root = await mkdtemp(join(tmpdir(), "paceline-sa-"));
    await writeFile(join(root, "ca.crt"), "ca");
    await writeFile(join(root, "token"), "first\n");
    const environment = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
    const credentials = inClusterCredentials(environment, root);
    expect(credentials.url).toBe("https://[fd00::1]:443");
    expect((await credentials.access()).headers["authorization"]).toBe("Bearer first");
    await writeFile(join(root, "token"), "second\n");
    expect((await credentials.access()).headers["authorization"]).toBe("Bearer second");
    await rm(root, { recursive: true });
  });

  it("says what is missing outside a cluster", () => {
    expect(() => inClusterCredentials({})).toThrow("KUBERNETES_SERVICE_HOST");
  });

  const kubeconfig = (user: object) => {
    const config = new KubeConfig();
    config.loadFromString(
      JSON.stringify({
        clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:6443", "certificate-authority-data": "Y2E=" } }],
        users: [{ name: "u", user }],
        contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
        "current-context": "x",
      }),
    );
    return config;
  };

  it.each([
    ["a token", { token: "t" }, { authorization: "Bearer t" }],
    ["a name and password", { username: "a", password: "b" }, { authorization: "Basic YTpi" }],
    [
      "an exec plugin",
      {
        exec: {
          apiVersion: "client.authentication.k8s.io/v1",
          command: "echo",
          args: ['{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"run"}}'],
        },
      },
      { authorization: "Bearer run" },
    ],
  ])("takes from a kubeconfig %s", async (_what, user, headers) => {
    const access = await kubeConfigCredentials(kubeconfig(user)).access();
    expect(access.headers).toMatchObject(headers);
    expect(String(access.tls.ca)).toBe("ca");
  });

  it("names the existing contexts when asked for an unknown one", async () => {
    const folder = await mkdtemp(join(tmpdir(), "paceline-kc-"));
    const path = join(folder, "config");
    await writeFile(path, kubeconfig({ token: "t" }).exportConfig());
    await expect(loadCredentials({ kubeconfig: path, context: "y" }, {})).rejects.toThrow('no context "y"; it has: x');
    expect((await loadCredentials({ kubeconfig: path, context: "x" }, {})).url).toBe("https://127.0.0.1:6443");
    await rm(folder, { recursive: true });
  });
});

describe("the line cutter", () => {
  it("cuts the same lines however the bytes are split", () => {
    const text = 'one\ntwö\n\n{"three":3}\nunfinished';
    const bytes = Buffer.from(text);
    for (let size = 1; size <= bytes.length; size++) {
      const lines: string[] = [];
      const cutter = lineCutter((line) => lines.push(line));
      for (let at = 0; at < bytes.length; at += size) cutter.push(bytes.subarray(at, at + size));
      expect(lines).toEqual(["one", "twö", '{"three":3}']);
    }
  });
});
