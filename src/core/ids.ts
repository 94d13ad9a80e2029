/** Branded names: the edges' parsers make them, so that the core cannot mix them up. */

declare const brand: unique symbol;

/** A string of one kind only. */
export type Branded<Name extends string> = string & { readonly [brand]: Name };

/** `metadata.name` of a Node. */
export type NodeName = Branded<"NodeName">;
/** `metadata.uid` of a Pod. */
export type PodUID = Branded<"PodUID">;
/** An image reference as the pod names it, normalised by {@link imageName}. */
export type ImageName = Branded<"ImageName">;

export const nodeName = (name: string): NodeName => name as NodeName;
export const podUID = (uid: string): PodUID => uid as PodUID;

/**
 * The full form of an image reference, as containerd lists it in `node.status.images`: with registry, repository and
 * tag (`nginx` → `docker.io/library/nginx:latest`). Digests stay as they are.
 */
export function imageName(reference: string): ImageName {
  const [head = "", ...rest] = reference.split("/");
  const hasRegistry = rest.length > 0 && (head.includes(".") || head.includes(":") || head === "localhost");
  const path = hasRegistry ? reference : `docker.io/${rest.length === 0 ? "library/" : ""}${reference}`;
  const last = path.slice(path.lastIndexOf("/") + 1);
  return (last.includes(":") || last.includes("@") ? path : `${path}:latest`) as ImageName;
}
