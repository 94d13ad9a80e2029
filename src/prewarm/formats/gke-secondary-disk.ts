/** A script that builds the disk image of GKE's secondary boot disk, and makes a node pool with it. */
import { UsageError } from "../../api/usage-error.ts";
import { volumeGib } from "./packer.ts";
import { type Format, headline } from "./prewarm-list.ts";

/** GiB; the smallest disk that the builder makes. */
const LEAST_GIB = 10;

/**
 * Uses gke-disk-image-builder (github.com/ai-on-gke/tools), which takes names with a tag. One way to log in holds for
 * all images of a build.
 */
export const gkeSecondaryDisk: Format = (list) => {
  const untagged = list.images.filter(({ ref }) => ref.includes("@"));
  const images = list.images.filter(({ ref }) => !ref.includes("@"));
  if (images.length === 0)
    throw new UsageError(
      "--format gke-secondary-disk: the disk image builder takes images by tag, and pods name all of these by digest: use another format",
    );
  const isPrivate = images.some(
    ({ ref }) => /^([\w-]+\.)?(gcr\.io|pkg\.dev)\//.test(ref) || /^[\w-]+-docker\.pkg\.dev\//.test(ref),
  );
  const left = untagged.map(({ ref }) => `# Left out, since pods name it by digest: ${ref}\n`).join("");
  const flags = images.map(({ ref }) => `  --container-image=${ref}`).join(" \\\n");
  const pool = list.className === undefined ? "" : ` \\\n  --machine-type=${list.className}`;
  return `#!/usr/bin/env bash
# ${headline(list)}
# Needs git, Go and gcloud. Set PROJECT, ZONE, CLUSTER and GCS_PATH (gs://BUCKET/, for logs). Build a new disk image, with a new name, when images change.
${left}set -euo pipefail

: "\${PROJECT:?}" "\${ZONE:?}" "\${CLUSTER:?}" "\${GCS_PATH:?}"
name="\${NAME:-paceline-prewarm-$(date +%Y%m%d%H%M)}"
tools="$(mktemp -d)"
trap 'rm -rf "$tools"' EXIT

git clone --depth 1 https://github.com/ai-on-gke/tools "$tools"
# ServiceAccountToken logs in to Artifact Registry; None is for public images. One holds for all images of a build.
(cd "$tools/gke-disk-image-builder" && go run ./cli \\
  --project-name="$PROJECT" --zone="$ZONE" --image-name="$name" \\
  --image-pull-auth="\${PULL_AUTH:-${isPrivate ? "ServiceAccountToken" : "None"}}" \\
  --gcs-path="$GCS_PATH" --disk-size-gb=${volumeGib({ ...list, images }, LEAST_GIB)} --timeout=60m \\
${flags})

# The disk cache needs image streaming. Node pools get the disk when they are made, not later.
gcloud container node-pools create "$name" --project="$PROJECT" --cluster="$CLUSTER" --location="\${LOCATION:-$ZONE}" \\
  --enable-image-streaming \\
  --secondary-boot-disk="disk-image=projects/$PROJECT/global/images/$name,mode=CONTAINER_IMAGE_CACHE"${pool}
`;
};
