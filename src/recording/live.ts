/** A live cluster as an input of the reader: what `kubectl get nodes,pods,events -A -o json` prints, page by page. */
import type { DiagnoseInput } from "../diagnose/diagnose.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import { listPages, NODES_IN_PAGE } from "../kube/client/list-pages.ts";

const kinds = [
  { kind: "NodeList", path: "/api/v1/nodes", limit: NODES_IN_PAGE },
  { kind: "PodList", path: "/api/v1/pods", limit: 500 },
  { kind: "EventList", path: "/api/v1/events", limit: 500 },
] as const;

/** Reads only. The stream throws ApiError. */
export const liveInput = (client: ApiClient): DiagnoseInput => ({ name: client.url, stream: pagesOf(client) });

async function* pagesOf(client: ApiClient): AsyncGenerator<Buffer> {
  for (const { kind, path, limit } of kinds) {
    for await (const items of listPages(client, path, { limit })) {
      yield Buffer.from(`${JSON.stringify({ apiVersion: "v1", kind, items })}\n`);
    }
  }
}
