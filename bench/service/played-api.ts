/**
 * Child process of bench/service/played.ts: answers `serve` like the API server of a large cluster, from pages that are
 * made before it listens. A real one on the same two cores cannot be filled in ten minutes. Watches stay open and
 * silent. Arguments: nodes, pods. Sends `{ port }` when it listens.
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { REFLECTOR_LIMITS } from "../../src/kube/watch/reflector-options.ts";
import { DAEMON_SETS, daemonSetObject, type ObjectWithStatus, nodeObject, podObject } from "./objects.ts";

const [nodes = 0, pods = 0] = process.argv.slice(2).map(Number);
const size = { nodes, pods };
const DAY_MS = 86_400_000;
const sinceMs = Date.now() - DAY_MS;

/** As two managers (a controller and the kubelet) leave it; about as long as a real pod's. */
const managedFields = ["kube-controller-manager", "kubelet"].map((manager) => ({
  manager,
  operation: "Update",
  apiVersion: "v1",
  time: new Date(sinceMs).toISOString(),
  fieldsType: "FieldsV1",
  fieldsV1: Object.fromEntries(
    Array.from({ length: 16 }, (_, at) => [
      `f:field-${at}`,
      { "f:name": {}, [`k:{"type":"T${at}"}`]: { ".": {}, "f:status": {} } },
    ]),
  ),
}));

let version = 0;
function stored({ object, status }: ObjectWithStatus) {
  version += 1;
  const uid = `00000000-0000-4000-8000-${version.toString(16).padStart(12, "0")}`;
  const made = {
    uid,
    resourceVersion: String(version),
    creationTimestamp: new Date(sinceMs).toISOString(),
    managedFields,
  };
  return { ...object, metadata: { ...object.metadata, ...made }, status };
}

/** The whole list, cut as a reflector asks for it. */
function pagesOf(count: number, objectAt: (index: number) => ObjectWithStatus): Buffer[] {
  const { pageSize } = REFLECTOR_LIMITS;
  const pages = Math.ceil(count / pageSize);
  return Array.from({ length: pages }, (_, page) => {
    const from = page * pageSize;
    const items = Array.from({ length: Math.min(pageSize, count - from) }, (__, at) => stored(objectAt(from + at)));
    const metadata = { resourceVersion: "1000000", ...(page + 1 < pages && { continue: String(page + 1) }) };
    return Buffer.from(JSON.stringify({ kind: "List", apiVersion: "v1", metadata, items }));
  });
}

const lists: Readonly<Record<string, readonly Buffer[]>> = {
  "/api/v1/nodes": pagesOf(size.nodes, (index) => nodeObject(index, sinceMs)),
  "/api/v1/pods": pagesOf(size.pods, (index) => podObject(index, size, sinceMs)),
  "/apis/apps/v1/daemonsets": pagesOf(DAEMON_SETS, (index) => daemonSetObject(index, size.nodes)),
  "/api/v1/namespaces": [Buffer.from(JSON.stringify({ metadata: { resourceVersion: "1000000" }, items: [] }))],
  "/api/v1/events": [Buffer.from(JSON.stringify({ metadata: { resourceVersion: "1000000" }, items: [] }))],
};

function answer(response: ServerResponse, status: number, body: Buffer | string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(body);
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://localhost");
  const pages = lists[url.pathname];
  if (pages && url.searchParams.get("watch") === "true") {
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
  } else if (pages) {
    answer(response, 200, pages[Number(url.searchParams.get("continue") ?? 0)] ?? "{}");
  } else if (request.method === "GET") {
    answer(response, 404, JSON.stringify({ kind: "Status", code: 404, reason: "NotFound" }));
  } else {
    // The Lease and Events: every write succeeds.
    void text(request).then((body) => answer(response, 201, body));
  }
});
server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on("disconnect", () => process.exit());
