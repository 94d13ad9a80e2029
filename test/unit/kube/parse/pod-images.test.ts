import { describe, expect, it } from "vitest";
import { imageName } from "../../../../src/core/ids.ts";
import { podImages } from "../../../../src/kube/parse/pod-images.ts";

const DIGEST = `sha256:${"ab".repeat(32)}`;
const read = (...containers: Record<string, string>[]) => podImages({ containers });
const always = (image: string) => read({ image }).pullsAlways?.length === 1;

describe("a pod's images", () => {
  it("are those of init containers, containers and image volumes, each once", () => {
    const spec = {
      initContainers: [{ image: "init:1" }],
      containers: [{ image: "app:1" }, { image: "docker.io/library/app:1" }, {}],
      volumes: [
        { name: "model", image: { reference: "model:1" } },
        { name: "scratch", emptyDir: {} },
      ],
    };
    const laterImages = [imageName("app:1")];
    expect(podImages(spec)).toEqual({ images: ["model:1", "init:1", "app:1"].map(imageName), laterImages });
  });

  it("come later where another container has to start before: not the first one's, nor those of volumes", () => {
    const [first, second, app] = [{ image: "a:1" }, { image: "b:1" }, { image: "c:1" }];
    const later = (initContainers: object[], containers: object[]) =>
      podImages({ initContainers, containers, volumes: [{ image: { reference: "v:1" } }] }).laterImages;
    expect(later([first, second], [app, first])).toEqual(["b:1", "c:1"].map(imageName));
    expect(later([first], [first])).toBeUndefined();
    expect(later([], [first, app])).toBeUndefined();
  });

  it.each([
    ["app", true],
    ["app:latest", true],
    ["registry.example:5000/app", true],
    [`app:latest@${DIGEST}`, true],
    ["app:1", false],
    ["registry.example:5000/app:1", false],
    [`app@${DIGEST}`, false],
    [`app:1@${DIGEST}`, false],
  ])("of no policy: %s is always pulled: %s, as the API server fills it in", (image, expected) =>
    expect(always(image)).toBe(expected),
  );

  it("of a policy are pulled by that, once for each container with Always", () => {
    const image = "app:1";
    const found = read({ image, imagePullPolicy: "Always" }, { image, imagePullPolicy: "Always" }, { image });
    expect(found).toEqual({ images: [imageName(image)], pullsAlways: [imageName(image), imageName(image)] });
    expect(read({ image: "app:latest", imagePullPolicy: "IfNotPresent" }).pullsAlways).toBeUndefined();
    const volumes = [{ image: { reference: "model:1", pullPolicy: "Always" } }];
    expect(podImages({ volumes }).pullsAlways).toEqual([imageName("model:1")]);
  });

  it("are never pulled with Never", () => {
    const never = { image: "app:latest", imagePullPolicy: "Never" };
    expect(read(never)).toEqual({ images: [] });
    expect(read(never, { image: "app:latest", imagePullPolicy: "IfNotPresent" }).images).toHaveLength(1);
  });

  it("come with the names of the pull Secrets", () => {
    const found = podImages({ imagePullSecrets: [{ name: "b" }, { name: "a" }, {}] });
    expect(found.pullSecrets).toEqual(["b", "a"]);
    expect(podImages({ imagePullSecrets: [] })).toEqual({ images: [] });
  });
});
