/**
 * Conditional writes. Each is idempotent and returns whether it changed anything. It is conditional: on uid and
 * resourceVersion, or on what it removes. If the API server refuses for another reason, it rejects with ApiError, and
 * the caller tries again later.
 */
import type { Operation } from "fast-json-patch";
import { COMPONENT } from "../../api/names.ts";
import type { ApiClient } from "../client/api-client.ts";
import { isConflict, isNotFound, isPatchMismatch } from "../client/api-error.ts";
import type { KubeObject } from "../parse/kube-json.ts";

/** The result of a write. `object` is the object as the API server has it now. */
export type Write =
  | { readonly kind: "changed"; readonly object: KubeObject }
  /** The object was as wanted already; nothing was written. */
  | { readonly kind: "unchanged"; readonly object: KubeObject }
  /** The object (this uid) no longer exists. */
  | { readonly kind: "gone" }
  /** Other clients keep writing to it: try again later. */
  | { readonly kind: "conflict" };

export const BY_US = { fieldManager: COMPONENT };

/** Attempts to read and write one object before it is left for later. */
const ATTEMPTS = 3;

/**
 * Reads the object and writes the operations for it, on the condition that the object has not changed in between. Tries
 * again when it has.
 */
export async function rewrite(
  client: ApiClient,
  path: string,
  uid: string,
  operationsFor: (raw: KubeObject) => readonly Operation[],
): Promise<Write> {
  for (let round = 0; round < ATTEMPTS; round++) {
    const raw = await readOrGone(client, path);
    if (raw?.metadata?.uid !== uid) return { kind: "gone" };
    const operations = operationsFor(raw);
    if (operations.length === 0) return { kind: "unchanged", object: raw };
    const write = await attempt(() => client.patch(path, operations, "json", BY_US));
    if (write.kind !== "conflict") return write;
  }
  return { kind: "conflict" };
}

export async function attempt(send: () => Promise<KubeObject>): Promise<Write> {
  try {
    return { kind: "changed", object: await send() };
  } catch (error) {
    if (isNotFound(error)) return { kind: "gone" };
    if (isConflict(error) || isPatchMismatch(error)) return { kind: "conflict" };
    throw error;
  }
}

export async function readOrGone(client: ApiClient, path: string): Promise<KubeObject | undefined> {
  try {
    return await client.get(path);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
