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
 * The full form of an image reference, as kubelets list it in `node.status.images`: with registry, repository, and tag
 * or digest (`nginx` → `docker.io/library/nginx:latest`). Of `name:tag@digest` the digest alone stays. Source:
 * github.com/distribution/reference, ParseDockerRef, by which containerd names what it pulls.
 */
export function imageName(reference: string): ImageName {
  const [tagged = "", digest] = reference.split("@", 2);
  const colon = tagged.indexOf(":", tagged.lastIndexOf("/") + 1);
  const path = repository(colon < 0 ? tagged : tagged.slice(0, colon));
  if (digest !== undefined) return `${path}@${digest}` as ImageName;
  return `${path}${colon < 0 ? ":latest" : tagged.slice(colon)}` as ImageName;
}

function repository(name: string): string {
  const slash = name.indexOf("/");
  const host = name.slice(0, Math.max(slash, 0));
  const hasHost = host === "localhost" || /[.:A-Z]/.test(host);
  if (hasHost && host !== "docker.io" && host !== "index.docker.io") return name;
  const path = hasHost ? name.slice(slash + 1) : name;
  return `docker.io/${path.includes("/") ? "" : "library/"}${path}`;
}
