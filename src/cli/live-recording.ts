/** What a live cluster tells of its own recent past, as inputs of the recording's reader. Reads only. */
import type { DiagnoseInput } from "../diagnose/diagnose.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import { listPages, NODES_IN_PAGE } from "../kube/client/list-pages.ts";

const LISTS = [
  ["Node", "/api/v1/nodes"],
  ["Pod", "/api/v1/pods"],
  ["Event", "/api/v1/events"],
] as const;

/** One input for each list, read as it is asked for. */
export function liveInputs(client: ApiClient): readonly DiagnoseInput[] {
  return LISTS.map(([kind, path]) => ({ name: `the cluster's ${kind}s`, stream: pages(client, kind, path) }));
}

async function* pages(client: ApiClient, kind: string, path: string): AsyncGenerator<Buffer> {
  for await (const items of listPages(client, path, kind === "Node" ? { limit: NODES_IN_PAGE } : {})) {
    // Items of a list have no kind of their own.
    const objects = items.map((item) => ({ apiVersion: "v1", kind, ...item }));
    yield Buffer.from(`${JSON.stringify({ apiVersion: "v1", kind: "List", items: objects })}\n`);
  }
}
