/** Reads a live cluster and never changes it. What it may not or cannot read becomes a note. */
import type { ApiClient, Query } from "../../kube/client/api-client.ts";
import { ApiError, isNotFound } from "../../kube/client/api-error.ts";
import type { KubeObject } from "../../kube/parse/kube-json.ts";

/** Dependencies of every gatherer. */
export interface Look {
  readonly client: ApiClient;
  readonly nowMs: number;
  /** Receives a sentence about what could not be read. */
  readonly note: (sentence: string) => void;
}

/** Objects in a page of a list. A page of pods is about 5 MB. */
const PAGE = 500;

/** Calls `take` for every object of a list. Reads it page by page, so that memory holds one page at most. */
export async function eachOf(
  { client }: Look,
  path: string,
  take: (raw: KubeObject) => void,
  query: Query = {},
): Promise<void> {
  let next: string | undefined;
  do {
    const page = await client.list(path, { ...query, limit: PAGE, continue: next });
    for (const item of page.items) take(item);
    next = page.metadata?.continue === "" ? undefined : page.metadata?.continue;
  } while (next !== undefined);
}

/**
 * Returns the answer. If there is none, notes why and returns undefined. If the cluster does not have the object,
 * returns `absent` without a note.
 */
export async function seen<T, Absent>(
  look: Look,
  what: string,
  absent: Absent,
  ask: () => Promise<T>,
): Promise<T | Absent | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (isNotFound(error)) return absent;
    if (!(error instanceof ApiError)) throw error;
    look.note(`${what}: not seen (${error.message})`);
    return undefined;
  }
}

/** All objects of a list, converted; an empty list if it cannot be read. */
export async function listOf<T>(
  look: Look,
  what: string,
  path: string,
  parse: (raw: KubeObject) => T | undefined,
): Promise<T[]> {
  const found: T[] = [];
  const take = (raw: KubeObject) => {
    const one = parse(raw);
    if (one !== undefined) found.push(one);
  };
  await seen(look, what, undefined, () => eachOf(look, path, take));
  return found;
}

/** `namespace/name`. */
export const fullName = ({ metadata }: KubeObject): string => `${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`;

/** Runs `ask` for every item, `parallel` at a time. Returns the answers in the items' order. */
export async function inParallel<In, Out>(
  items: readonly In[],
  parallel: number,
  ask: (item: In) => Promise<Out>,
): Promise<Out[]> {
  const answers: Out[] = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) answers[index] = await ask(item);
  };
  await Promise.all(Array.from({ length: Math.min(parallel, items.length) }, worker));
  return answers;
}
