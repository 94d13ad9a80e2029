/**
 * A real HTTP server with scripted answers, for failures that a healthy API server never shows: cut lines, resets,
 * silence. test/cluster/ tests a healthy one on a real control plane.
 */
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface ScriptedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export type Answer = (response: ServerResponse, request: ScriptedRequest) => void;

export interface ScriptedApi extends AsyncDisposable {
  readonly url: string;
  /** All requests so far, oldest first. */
  readonly requests: readonly ScriptedRequest[];
}

/** `next` chooses the answer to each request. */
export async function startScriptedApi(next: (request: ScriptedRequest) => Answer): Promise<ScriptedApi> {
  const requests: ScriptedRequest[] = [];
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const url = new URL(incoming.url ?? "/", "http://localhost");
      const request = {
        method: incoming.method ?? "",
        path: url.pathname,
        query: url.searchParams,
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString(),
      };
      requests.push(request);
      next(request)(response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };

/** The Status object of an error. */
export const refusal = (code: number, reason: string, message = reason): Answer =>
  json({ kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message }, code);

/** A watch that sends these lines (objects are written as JSON), and then ends, resets, or stays silent. */
export const stream =
  (lines: readonly unknown[], then: "end" | "reset" | "silence"): Answer =>
  (response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    for (const line of lines) response.write(typeof line === "string" ? line : `${JSON.stringify(line)}\n`);
    if (then === "end") response.end();
    if (then === "reset") setImmediate(() => response.destroy());
  };
