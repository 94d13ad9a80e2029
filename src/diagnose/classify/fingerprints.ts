/** The kinds of failed starts that are told apart, in words for people. By which texts: rules.ts. */

/** What can be done about a kind; the verdict and its advice follow from it. */
export type Remedy =
  /** The node was too slow: pacing helps, and so does a faster disk. */
  | "node"
  /** The kubelet's own limit on pulls. */
  | "pull-limit"
  /** The registry's limit: pulls that are spread stay below it. */
  | "registry-limit"
  /** A pull that ran out of time: the disk, or the way to the registry. */
  | "slow-pull"
  /** Nothing that pacing would change. */
  | "elsewhere";

interface FingerprintKind {
  readonly remedy: Remedy;
  readonly words: string;
}

/**
 * The keys of `failures.byFingerprint`, in the order in which they are told. The first three are ends of containers.
 */
const kinds = {
  NamespacePathProc0: {
    remedy: "node",
    words: "the shim found no process id of the sandbox (/proc/0): containerd's 2 s task time-out ran out",
  },
  ShimTaskContextCanceled: {
    remedy: "node",
    words: "the shim's creation was cancelled because the call ran out of time",
  },
  OtherStartError: { remedy: "node", words: "other StartErrors, and containers whose creation ran out of time" },
  ReservedContainerName: { remedy: "node", words: "an earlier, timed-out creation still held the container's name" },
  PullQPSExceeded: { remedy: "pull-limit", words: "the kubelet refused to pull: registryPullQPS was used up" },
  RegistryRateLimited: { remedy: "registry-limit", words: "the registry refused to serve: 429 Too Many Requests" },
  PullStalled: { remedy: "slow-pull", words: "a pull made no progress, or ran out of time" },
  SandboxDeadline: { remedy: "node", words: "the pod's sandbox was not made in time" },
  SandboxWithoutAddress: { remedy: "elsewhere", words: "the network plugin (CNI) had no IP address for the pod" },
  SandboxNetwork: { remedy: "elsewhere", words: "the network plugin (CNI) failed, or was not ready yet" },
  OtherSandboxError: { remedy: "elsewhere", words: "the pod's sandbox was not made, for another reason" },
  NoSpaceLeft: { remedy: "elsewhere", words: "no space left on the node's disk" },
  ImagePullBackOff: { remedy: "elsewhere", words: "an image could not be pulled: wrong name, credentials or registry" },
  Unrelated: { remedy: "elsewhere", words: "not this problem: out of memory, the program's own exit, configuration" },
} as const satisfies Record<string, FingerprintKind>;

export type Fingerprint = keyof typeof kinds;

export const fingerprints = Object.keys(kinds) as readonly Fingerprint[];

/** What each one means, for people. */
export const wordsOf = (fingerprint: Fingerprint): string => kinds[fingerprint].words;

export const remedyOf = (fingerprint: Fingerprint): Remedy => kinds[fingerprint].remedy;

/** Ends of containers: one attempt has one, whatever the words in which it is told. */
export const isStartError = (fingerprint: Fingerprint): boolean =>
  fingerprint === "NamespacePathProc0" ||
  fingerprint === "ShimTaskContextCanceled" ||
  fingerprint === "OtherStartError";

/** Pulls that failed; ImagePullBackOff after another of them is its consequence. */
export const isPull = (fingerprint: Fingerprint): boolean =>
  fingerprint === "PullQPSExceeded" || fingerprint === "RegistryRateLimited" || fingerprint === "PullStalled";
