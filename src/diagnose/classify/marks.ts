/**
 * Marks of the problem: words that stand in reports of failed starts. What was not read but has them is no all-clear.
 */

const MARKS: readonly RegExp[] = [
  /\/proc\/0\/ns/,
  /StartError/,
  /shim task|containerd task|runc create failed|OCI runtime create failed/,
  /failed to reserve (?:container|sandbox) name|error reserving (?:ctr|pod) name/,
  /pull QPS exceeded/,
  /FailedCreatePodSand[Bb]ox|CreatePodSandboxError|RunPodSandbox/,
  /CreateContainerError|RunContainerError|ContainerCannotRun/,
  /context deadline exceeded|DeadlineExceeded|RST_STREAM/,
  /ErrImagePull|ImagePullBackOff|Failed to pull image/,
  /429 Too Many Requests|toomanyrequests/i,
  /no space left on device/,
  /assign an IP address/,
  /(?:StartContainer|CreateContainer|RunPodSandbox|PullImage)\b.{0,300}? failed/,
  /Error syncing pod|start failed in pod|failed to \\*"StartContainer/,
];

/** One test for all: most lines have none. */
const ANY = new RegExp(MARKS.map(({ source }) => source).join("|"), "i");

/** The first mark in a text as it stands there, or undefined. */
export const markIn = (text: string): string | undefined => ANY.exec(text)?.[0];
