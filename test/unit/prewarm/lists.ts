/** Lists of images that tests of the formats share. */
import type { FormatOptions, PrewarmList } from "../../../src/prewarm/formats/prewarm-list.ts";

const DIGEST = `sha256:${"ab".repeat(32)}`;

export const someImages: PrewarmList = {
  className: "m6i.xlarge",
  sizes: "compressed",
  images: [
    { ref: "registry.test/team/web:1.4", digest: DIGEST, bytes: 300_000_000 },
    { ref: "docker.io/library/nginx:1.27", digest: undefined, bytes: 70_000_000 },
    { ref: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/api:7", digest: undefined, bytes: 120_000_000 },
    { ref: `registry.test:5000/by-digest@${DIGEST}`, digest: DIGEST, bytes: 10_000_000 },
  ],
};

export const options: FormatOptions = { parallel: 3, timeoutSeconds: 300, withPart: undefined };
