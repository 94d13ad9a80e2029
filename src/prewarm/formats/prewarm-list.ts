/** What every format writes: images to be pulled, the most useful one first. */
import type { ListedSizes } from "../../recording/runtimes.ts";

export interface PrewarmImage {
  /** Full name as pods ask for it, with tag or digest (core/ids). */
  readonly ref: string;
  /** `sha256:…` that the name stood for in the recording; undefined: not known, or more than one. */
  readonly digest: string | undefined;
  /** As kubelets list them: {@link PrewarmList.sizes}. */
  readonly bytes: number;
}

export interface PrewarmList {
  readonly images: readonly PrewarmImage[];
  readonly sizes: ListedSizes;
  /** Label `node.kubernetes.io/instance-type` of the nodes; undefined: any. */
  readonly className: string | undefined;
}

export interface FormatOptions {
  /** Pulls at the same time. */
  readonly parallel: number;
  /** The node joins at most so much later, seconds. */
  readonly timeoutSeconds: number;
  /** A further part of user data, as it is: a NodeConfig (nodeadm), or a script that joins the cluster (al2). */
  readonly withPart: string | undefined;
}

/** Turns a list into text that people use as it is. @throws UsageError */
export type Format = (list: PrewarmList, options: FormatOptions) => string;

/**
 * The characters that a reference can have (distribution/reference): names go into scripts that run as root, so all
 * else is refused.
 */
const REFERENCE = /^[a-zA-Z0-9][\w.-]*(?::\d+)?(?:\/[a-z0-9][\w.-]*)+(?::[\w][\w.-]{0,127}|@sha256:[0-9a-f]{64})$/;
const LABEL = /^[a-zA-Z0-9](?:[\w.-]{0,61}[a-zA-Z0-9])?$/;

export const isReference = (text: string): boolean => text.length <= 512 && REFERENCE.test(text);
export const isClassName = (text: string): boolean => LABEL.test(text);

/** The reference by which it is pulled: by digest where that is known. */
export function pinned({ ref, digest }: PrewarmImage): string {
  return digest === undefined || ref.includes("@") ? ref : `${ref.slice(0, ref.lastIndexOf(":"))}@${digest}`;
}

export const totalBytes = (images: readonly PrewarmImage[]) => images.reduce((sum, { bytes }) => sum + bytes, 0);

const GIB = 1_024 ** 3;

/** GiB with two digits, for people. */
export const gib = (bytes: number) => `${(bytes / GIB).toFixed(2)} GiB`;

/** One line that says what the text is for. */
export function headline({ images, sizes, className }: PrewarmList): string {
  const count = images.length === 1 ? "1 image" : `${images.length} images`;
  const forNodes = className === undefined ? "young nodes" : `young nodes of the instance type ${className}`;
  return `Written by paceline prewarm: ${count} (${gib(totalBytes(images))} ${sizes}) for ${forNodes}.`;
}
