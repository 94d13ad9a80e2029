/** A long list, page by page, so that nobody holds all of it who does not need it. */
import type { ApiClient } from "./api-client.ts";
import type { KubeObject } from "../parse/kube-json.ts";

/** Objects in a page of a list. Assumed: small enough for a pod with little memory. */
const PAGE = 500;

/**
 * The objects of a collection as one listing has them.
 * @throws ApiError; 410 Gone when the reader took so long that the listing has expired
 */
export async function* listPages(
  client: ApiClient,
  path: string,
  query: { readonly fieldSelector?: string; readonly labelSelector?: string } = {},
): AsyncGenerator<readonly KubeObject[]> {
  let next: string | undefined;
  do {
    const page = await client.list(path, { ...query, limit: PAGE, continue: next });
    yield page.items;
    next = page.metadata?.continue === "" ? undefined : page.metadata?.continue;
  } while (next !== undefined);
}
