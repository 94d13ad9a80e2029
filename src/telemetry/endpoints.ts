/** Addresses of a Service's exporters by node, from EndpointSlices. No I/O. */
import type { NodeName } from "../core/ids.ts";

/** One slice's ready addresses by node. */
export type SliceAddresses = ReadonlyMap<NodeName, string>;

type Tree = Readonly<Record<string, unknown>>;
const tree = (value: unknown): Tree => (typeof value === "object" && value !== null ? (value as Tree) : {});

/** Reads an EndpointSlice. Endpoints without a node or not ready are left out (to the API, absent means ready). */
export function sliceAddresses(slice: unknown): SliceAddresses {
  const endpoints = tree(slice)["endpoints"];
  const addresses = new Map<NodeName, string>();
  for (const endpoint of Array.isArray(endpoints) ? endpoints.map(tree) : []) {
    const [node, list] = [endpoint["nodeName"], endpoint["addresses"]];
    const address: unknown = Array.isArray(list) ? list[0] : undefined;
    const ready = tree(endpoint["conditions"])["ready"] !== false;
    if (ready && typeof node === "string" && typeof address === "string") addresses.set(node as NodeName, address);
  }
  return addresses;
}

/** The exporters of all slices. A Service of 5,000 endpoints has 50 slices or more for each address family. */
export class ExporterAddresses {
  readonly #slices = new Map<string, SliceAddresses>();
  readonly #byNode = new Map<NodeName, Map<string, string>>();

  /** @param key the slice's identity */
  set(key: string, addresses: SliceAddresses): void {
    this.delete(key);
    this.#slices.set(key, addresses);
    for (const [node, address] of addresses) {
      const known = this.#byNode.get(node) ?? new Map<string, string>();
      this.#byNode.set(node, known.set(key, address));
    }
  }

  delete(key: string): void {
    for (const node of this.#slices.get(key)?.keys() ?? []) {
      const known = this.#byNode.get(node);
      known?.delete(key);
      if (known?.size === 0) this.#byNode.delete(node);
    }
    this.#slices.delete(key);
  }

  /** Address of the node's exporter; undefined while it has no ready one. */
  get(node: NodeName): string | undefined {
    return this.#byNode.get(node)?.values().next().value;
  }
}
