/** Objects for controllers that pull images onto nodes which have joined: OpenKruise and kube-fledged. */
import { stringify } from "yaml";
import { UsageError } from "../../api/usage-error.ts";
import { type Format, headline, type PrewarmList } from "./prewarm-list.ts";

const INSTANCE_TYPE = "node.kubernetes.io/instance-type";

/** They pull beside the herd, not before it. */
const BESIDE =
  "It pulls once a node has joined, beside its pods: good for later herds, not for the node's first minutes.";

const comments = (lines: readonly string[]) => lines.map((line) => `# ${line}\n`).join("");
/** As pods name them: a pull by digest alone leaves the tag unknown to the kubelet. */
const names = ({ images }: PrewarmList) => images.map(({ ref }) => ref);
const nameOf = ({ className }: PrewarmList) =>
  `paceline-prewarm${className === undefined ? "" : `-${className.toLowerCase().replace(/[^a-z0-9-]/g, "-")}`}`;

/** OpenKruise's webhook refuses more. */
const MOST_KRUISE_IMAGES = 255;

/** `ImageListPullJob` of apps.kruise.io/v1alpha1, which versions with v1beta1 serve as well. */
export const kruise: Format = (list, { parallel, timeoutSeconds }) => {
  if (list.images.length > MOST_KRUISE_IMAGES)
    throw new UsageError(
      `--format kruise: an ImageListPullJob takes ${MOST_KRUISE_IMAGES} images, and these are ${list.images.length}: give a smaller --budget`,
    );
  const job = {
    apiVersion: "apps.kruise.io/v1alpha1",
    kind: "ImageListPullJob",
    metadata: { name: nameOf(list), namespace: "kube-system" },
    spec: {
      images: names(list),
      imagePullPolicy: "IfNotPresent",
      parallelism: parallel,
      ...(list.className !== undefined && { selector: { matchLabels: { [INSTANCE_TYPE]: list.className } } }),
      // Retries are the kubelet's affair once a pod wants the image.
      pullPolicy: { timeoutSeconds, backoffLimit: 1 },
      // Never: the job goes on for nodes that join later.
      completionPolicy: { type: "Never" },
    },
  };
  const notes = [
    headline(list),
    BESIDE,
    "parallelism: so many nodes pull one image at once. Private registries: add spec.pullSecrets.",
  ];
  return `${comments(notes)}${stringify(job)}`;
};

/** `ImageCache` (kubefledged.io/v1alpha2). */
export const kubeFledged: Format = (list) => {
  const cache = {
    apiVersion: "kubefledged.io/v1alpha2",
    kind: "ImageCache",
    metadata: { name: nameOf(list), namespace: "kube-fledged" },
    spec: {
      cacheSpec: [
        {
          images: names(list),
          ...(list.className !== undefined && { nodeSelector: { [INSTANCE_TYPE]: list.className } }),
        },
      ],
    },
  };
  const notes = [headline(list), BESIDE, "Private registries: add spec.imagePullSecrets."];
  return `${comments(notes)}${stringify(cache)}`;
};
