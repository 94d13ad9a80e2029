/**
 * Reads starts from the API server's audit log: when each pod was bound, when it had started, and the most pods in
 * startup on a node. It shares no code with the code under test.
 */
import { readFile } from "node:fs/promises";

/** One pod's start; times are RFC 3339 with microseconds, which sort as text. */
export interface StartSpan {
  /** `namespace/name`. */
  readonly pod: string;
  readonly node: string;
  readonly boundAt: string;
  /** When all containers had started, or the pod was over or deleted; undefined while it is in startup. */
  readonly endedAt: string | undefined;
}

export interface Witness {
  readonly spans: readonly StartSpan[];
  /** Pods (`namespace/name`) that reported a StartError. */
  readonly startErrors: readonly string[];
  /** Pods (`namespace/name`) that were deleted or evicted, with the user that did it. */
  readonly removals: readonly { readonly pod: string; readonly by: string }[];
  /** The most pods in startup on the node at one moment. */
  readonly peak: (node: string) => number;
}

interface AuditEvent {
  readonly stage: string;
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: { resource?: string; subresource?: string; namespace?: string; name?: string };
  readonly responseStatus?: { readonly code?: number };
  readonly requestReceivedTimestamp: string;
  readonly requestObject?: { readonly target?: { readonly name: string } };
  readonly responseObject?: PodObject;
}

interface ContainerStatus {
  readonly started?: boolean;
  readonly state?: { readonly terminated?: { readonly reason?: string } };
  readonly lastState?: { readonly terminated?: { readonly reason?: string } };
}

interface PodObject {
  readonly spec?: { readonly containers?: readonly unknown[] };
  readonly status?: { readonly phase?: string; readonly containerStatuses?: readonly ContainerStatus[] };
}

/**
 * Reads the audit log of a control plane, only for pods of `namespaces`. dev/control-plane/audit-policy.ts defines what
 * it contains. A request counts from the moment it was received: everything that a start caused was received later.
 */
export async function readStarts(path: string, namespaces: readonly string[]): Promise<Witness> {
  const lines = (await readFile(path, "utf8")).split("\n").filter((line) => line.includes('"resource":"pods"'));
  const events = lines
    .map((line) => JSON.parse(line) as AuditEvent)
    .filter((event) => succeeded(event) && namespaces.includes(event.objectRef?.namespace ?? ""))
    .sort(byTime);
  const spans = new Map<string, { pod: string; node: string; boundAt: string; endedAt: string | undefined }>();
  const startErrors = new Set<string>();
  const removals: { pod: string; by: string }[] = [];
  for (const event of events) {
    const pod = podOf(event);
    const span = spans.get(pod);
    const node = boundTo(event);
    if (node !== undefined) spans.set(pod, { pod, node, boundAt: event.requestReceivedTimestamp, endedAt: undefined });
    else if (span && ends(event)) span.endedAt ??= event.requestReceivedTimestamp;
    if (reportsStartError(event)) startErrors.add(pod);
    if (isRemoval(event)) removals.push({ pod, by: event.user.username });
  }
  const all = [...spans.values()];
  return { spans: all, startErrors: [...startErrors], removals, peak: (node) => peakOf(all, node) };
}

const succeeded = ({ stage, responseStatus }: AuditEvent) =>
  stage === "ResponseComplete" && Math.floor((responseStatus?.code ?? 0) / 100) === 2;

const byTime = (a: AuditEvent, b: AuditEvent) => (a.requestReceivedTimestamp < b.requestReceivedTimestamp ? -1 : 1);

const podOf = ({ objectRef = {} }: AuditEvent) => `${objectRef.namespace ?? ""}/${objectRef.name ?? ""}`;

const boundTo = ({ objectRef = {}, requestObject }: AuditEvent) =>
  objectRef.subresource === "binding" ? requestObject?.target?.name : undefined;

/** True if the pod is out of startup: all containers started, or it is over or deleted. */
function ends(event: AuditEvent): boolean {
  if (isRemoval(event)) return true;
  const { status, spec } = event.responseObject ?? {};
  if (status?.phase === "Succeeded" || status?.phase === "Failed") return true;
  const { containerStatuses = [] } = status ?? {};
  const wanted = spec?.containers?.length ?? 1;
  return containerStatuses.length === wanted && containerStatuses.every(({ started }) => started === true);
}

const isRemoval = ({ verb, objectRef = {} }: AuditEvent) =>
  (verb === "delete" && objectRef.subresource === undefined) || objectRef.subresource === "eviction";

function reportsStartError({ responseObject }: AuditEvent): boolean {
  const { containerStatuses = [] } = responseObject?.status ?? {};
  return containerStatuses.some(({ state, lastState }) =>
    [state?.terminated, lastState?.terminated].some((end) => end?.reason === "StartError"),
  );
}

function peakOf(spans: readonly StartSpan[], node: string): number {
  const here = spans.filter((span) => span.node === node);
  const steps = here.flatMap(({ boundAt, endedAt }) => [
    { at: boundAt, step: 1 },
    ...(endedAt === undefined ? [] : [{ at: endedAt, step: -1 }]),
  ]);
  steps.sort((a, b) => (a.at === b.at ? a.step - b.step : a.at < b.at ? -1 : 1));
  let [now, peak] = [0, 0];
  for (const { step } of steps) peak = Math.max(peak, (now += step));
  return peak;
}
