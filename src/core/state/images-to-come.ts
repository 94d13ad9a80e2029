/** Images that a node does not have and its pods bring: those that they fetch now, and those that come later. */
import type { PodFacts } from "../facts.ts";
import type { ImageName } from "../ids.ts";
import type { ImageCatalogue } from "./image-catalogue.ts";
import { type ImageHost, imageNeeds } from "./image-needs.ts";

/** What these pods fetch, each image once, and the pulls that they may still begin. */
export function fetchedBy(groups: readonly (readonly PodFacts[])[], host: ImageHost, catalogue: ImageCatalogue) {
  const fetching = new Set<ImageName>();
  let pulls = 0;
  for (const pod of groups.flat()) {
    const needs = imageNeeds(pod, host, catalogue);
    pulls += needs.pulls;
    for (const image of needs.missing) fetching.add(image);
  }
  return { fetching, pulls };
}

/** Images of containers whose turn is still to come, without those that others fetch. */
export function laterImages(
  initialising: readonly PodFacts[],
  host: ImageHost,
  catalogue: ImageCatalogue,
  fetching: ReadonlySet<ImageName>,
): ReadonlySet<ImageName> {
  const later = new Set<ImageName>();
  for (const pod of initialising) {
    const toCome = new Set(pod.startup?.containers.filter(({ state }) => state.kind === "waiting").map(imageOf));
    for (const image of imageNeeds(pod, host, catalogue).missing)
      if (toCome.has(image) && !fetching.has(image)) later.add(image);
  }
  return later;
}

const imageOf = ({ image }: { readonly image: ImageName }) => image;

/** Of all of them, as kubelets list sizes. */
export const bytesOf = (images: Iterable<ImageName>, catalogue: ImageCatalogue) =>
  [...images].reduce((sum, image) => sum + catalogue.bytes(image), 0);
