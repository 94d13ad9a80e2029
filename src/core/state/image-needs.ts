/**
 * What a kubelet fetches for a pod, and how many tokens of its registryPullQPS that takes. Its rules, from
 * k8s.io/kubernetes v1.36, pkg/kubelet:
 * - Every call of PullImage takes one, whether or not bytes follow (images/helpers.go, throttledImageService); looking
 *   for an image on the node takes none.
 * - `Always` calls it for each container at each start; `IfNotPresent` where the image is missing; `Never` never
 *   (images/image_manager.go, EnsureImageExists). Image volumes count as containers do.
 * - From 1.35 (KubeletEnsureSecretPulledImages), `IfNotPresent` also calls it for a present image which the kubelet has
 *   pulled with a Secret, for pods that come with another Secret; not where it was once pulled without, nor for images
 *   that came with the node (images/pullmanager, MustAttemptImagePull; its default policy,
 *   NeverVerifyPreloadedImages). Secrets are compared by name here, so that equal ones in two namespaces count a pull
 *   too many; a pod without any, which the registry most often refuses, counts none.
 * - A node lists its nodeStatusMaxImages (50) largest images (nodestatus/setters.go, Images), so that smaller ones may
 *   be there unseen. They count as no bytes, but as a pull.
 */
import type { NodeFacts, PodFacts, PodShape } from "../facts.ts";
import type { ImageName } from "../ids.ts";
import type { ImageCatalogue } from "./image-catalogue.ts";
import type { NodeEntry } from "./ledger.ts";

export interface ImageNeeds {
  /** Images that have to be fetched. */
  readonly missing: readonly ImageName[];
  /** Calls on the kubelet's pull budget. */
  readonly pulls: number;
}

/** Where the pod is to start. */
export interface ImageHost {
  readonly entry: NodeEntry;
  readonly facts: NodeFacts;
}

/** What the pod needs of the node's images; of a pod that has started there, what it needed before. */
export function imageNeeds(pod: PodFacts, host: ImageHost, catalogue: ImageCatalogue): ImageNeeds {
  const { images, pullsAlways = [] } = pod.shape;
  const hasStarted = host.entry.bound.has(pod.uid) && !host.entry.starting.has(pod.uid);
  const missing: ImageName[] = [];
  let pulls = pullsAlways.length;
  for (const image of images) {
    const where = whereIs(image, host, hasStarted, catalogue);
    if (where === "missing") missing.push(image);
    if (pullsAlways.includes(image)) continue;
    if (where !== "there" || isChecked(image, pod, host)) pulls += 1;
  }
  return { missing, pulls };
}

/**
 * True for an image that the node lists, or that a pod which has started here uses.
 * @param apart without the pod that asks, which has started here
 */
export const isThere = (image: ImageName, { entry, facts }: ImageHost, apart = false): boolean =>
  facts.images.has(image) || (entry.startedImages.get(image) ?? 0) > (apart ? 1 : 0);

/** @param apart as of {@link isThere} */
function whereIs(image: ImageName, host: ImageHost, apart: boolean, catalogue: ImageCatalogue) {
  if (isThere(image, host, apart)) return "there";
  return mayBeUnlisted(image, host.facts, catalogue) ? "unlisted" : "missing";
}

/** Smaller than all that the node lists, where its list is full. */
function mayBeUnlisted(image: ImageName, { smallestListedBytes }: NodeFacts, catalogue: ImageCatalogue): boolean {
  const bytes = smallestListedBytes === undefined ? undefined : catalogue.knownBytes(image);
  return bytes !== undefined && smallestListedBytes !== undefined && bytes < smallestListedBytes;
}

/** Will the kubelet ask the registry whether the pod may use an image that other pods have run here? */
function isChecked(image: ImageName, pod: PodFacts, { entry: { bound, starting }, facts }: ImageHost): boolean {
  if (!facts.checksPulls || pod.shape.pullSecrets === undefined) return false;
  let checked = false;
  for (const other of bound.values()) {
    if (other.uid === pod.uid || !other.shape.images.includes(image) || starting.has(other.uid)) continue;
    if (sharesPullSecret(pod.shape, other.shape)) return false;
    checked = true;
  }
  return checked;
}

function sharesPullSecret({ namespace, pullSecrets }: PodShape, other: PodShape): boolean {
  if (other.pullSecrets === undefined) return true; // pulled without: for all to use
  return other.namespace === namespace && other.pullSecrets.some((secret) => pullSecrets?.includes(secret));
}
