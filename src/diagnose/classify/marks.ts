/**
 * Marks of the problem: words that stand in reports of failed starts. What was not read but has them is no all-clear.
 */
import { rules } from "./rules.ts";

/** Words around failures; those of the fingerprints themselves come from rules.ts. */
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
  /failed to (?:\w+ ){1,4}(?:sandbox|container|containerd|image|reference)\b/,
  /(?:ctr )?name \\*"?[^"\\]{1,300}\\*"? is reserved/,
  /retrying requests that are timing out|stream terminated by RST_STREAM|wait operation timed out|hcs::\w+/,
];

/** A text of the table that needs to know the step: its words alone are too common (429 is also a number of bytes). */
const isCommon = (step: string | undefined) => step === "pull";
const textsOf = (some: (step: string | undefined) => boolean) =>
  rules.filter(({ step }) => some(step)).map(({ text }) => text.source);

/** One test for all: most lines have none. */
const ANY = new RegExp([...MARKS.map(({ source }) => source), ...textsOf((step) => !isCommon(step))].join("|"), "i");
const PULLS = new RegExp(textsOf(isCommon).join("|"), "i");
const OF_PULLS = /pull|image|registry|manifest/i;

/** The first mark in a text as it stands there, or undefined. */
export const markIn = (text: string): string | undefined =>
  ANY.exec(text)?.[0] ?? (OF_PULLS.test(text) ? PULLS.exec(text)?.[0] : undefined);

const AUDIT_HEAD = /"apiVersion":\s*"audit\.k8s\.io\//;
const READING = /"verb":\s*"(?:get|list|watch|delete)/;
const VERB = /"verb":\s*"\w+"/;
/** A status of a pod, or an Event, that was written. */
const WRITTEN = /\/pods\/[^"/?]+\/status|"requestURI":\s*"[^"]*\/events\b|"resource":\s*"events"/;
const OBJECT = /"kind":\s*"(?:Pod|Event)"|"involvedObject"|"regarding"|"containerStatuses"/;

/**
 * The first mark in a record that was cut: one in which a failed start may have stood behind the cut. An audit event
 * that was cut before it says what was written may be any.
 */
export function markOfTorn(text: string): string | undefined {
  if (!AUDIT_HEAD.test(text)) return OBJECT.exec(text)?.[0] ?? WRITTEN.exec(text)?.[0];
  if (READING.test(text)) return undefined;
  return WRITTEN.exec(text)?.[0] ?? (VERB.test(text) ? undefined : AUDIT_HEAD.exec(text)?.[0]);
}
