/** Which images a pod's kubelet needs, and how it gets them, from the API server's JSON. */
import type { PodShape } from "../../core/facts.ts";
import { imageName, type ImageName } from "../../core/ids.ts";
import { recordOf, recordsOf, textOf } from "./kube-json.ts";

type Json = Readonly<Record<string, unknown>>;

/** Never throws. Fields that would be empty are left out, so that shapes stay small. */
export function podImages(spec: Json): Pick<PodShape, "images" | "laterImages" | "pullsAlways" | "pullSecrets"> {
  const containers = [...recordsOf(spec["initContainers"]), ...recordsOf(spec["containers"])];
  const volumes = recordsOf(spec["volumes"]).map((volume) => recordOf(volume["image"]));
  const images = new Set<ImageName>();
  const laterImages = new Set<ImageName>();
  const pullsAlways: ImageName[] = [];
  const add = (reference: string, policy: string, isLater: boolean) => {
    if (reference === "" || policy === "Never") return;
    const name = imageName(reference);
    if (isLater && !images.has(name)) laterImages.add(name);
    images.add(name);
    if ((policy || defaultPolicy(reference)) === "Always") pullsAlways.push(name);
  };
  const initialises = recordsOf(spec["initContainers"]).length > 0;
  for (const volume of volumes) add(textOf(volume["reference"]), textOf(volume["pullPolicy"]), false);
  for (const [at, container] of containers.entries())
    add(textOf(container["image"]), textOf(container["imagePullPolicy"]), initialises && at > 0);
  const pullSecrets = recordsOf(spec["imagePullSecrets"])
    .map((secret) => textOf(secret["name"]))
    .filter((name) => name !== "");
  return {
    images: [...images],
    ...(laterImages.size > 0 && { laterImages: [...laterImages] }),
    ...(pullsAlways.length > 0 && { pullsAlways }),
    ...(pullSecrets.length > 0 && { pullSecrets }),
  };
}

/** What the API server fills in. Source: k8s.io/kubernetes, pkg/apis/core/v1/defaults.go, SetDefaults_Container. */
function defaultPolicy(reference: string): "Always" | "IfNotPresent" {
  const [tagged = "", digest] = reference.split("@", 2);
  const last = tagged.slice(tagged.lastIndexOf("/") + 1);
  const untagged = !last.includes(":");
  return (untagged && digest === undefined) || last.endsWith(":latest") ? "Always" : "IfNotPresent";
}
