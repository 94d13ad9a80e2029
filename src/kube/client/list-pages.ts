/** A long list, page by page, so that callers need not hold all of it. */
import type { ApiClient } from "./api-client.ts";
import type { KubeObject } from "../parse/kube-json.ts";

/** Objects in a page of a list. Assumed: few enough for a process with little memory, where each has some KiB. */
const PAGE = 500;

/**
 * Nodes in a page. Each has up to 73 KiB of JSON in a real cluster: with pages of 50, a list of 5,000 takes 180 MiB of
 * resident memory in all, with pages of 100 up to 246 (heap limit of 128 MiB, as in a container of 256).
 */
export const NODES_IN_PAGE = 50;

/**
 * Yields the objects of a collection, all from one consistent listing.
 * @throws ApiError; 410 Gone when the reader took so long that the listing has expired
 */
export async function* listPages(
  client: ApiClient,
  path: string,
  query: { readonly fieldSelector?: string; readonly labelSelector?: string; readonly limit?: number } = {},
): AsyncGenerator<readonly KubeObject[]> {
  let next: string | undefined;
  do {
    const page = await client.list(path, { limit: PAGE, ...query, continue: next });
    yield page.items;
    next = page.metadata?.continue === "" ? undefined : page.metadata?.continue;
  } while (next !== undefined);
}
