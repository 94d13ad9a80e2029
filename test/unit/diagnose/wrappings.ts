/** One failed start of each kind, and the ways in which each source tells of it. */
import type { Fingerprint } from "../../../src/diagnose/classify/fingerprints.ts";
import { auditEvent, PROC0 } from "./inputs.ts";

/** A failure as the runtime words it, and the step of the start in which it came. */
export interface Failure {
  readonly fingerprint: Fingerprint;
  readonly step: "container" | "create" | "sandbox" | "pull";
  readonly message: string;
}

const UID = "dbf30f3f-b164-43e2-a66e-fd6fa1297ad7";
const POD = "app-15-6689bbb7f5-5nzgl";
const SHIM = "failed to create containerd task: failed to create shim task: context canceled: unknown";
const LATE = "rpc error: code = DeadlineExceeded desc = context deadline exceeded";

/** How the kubelet's own deadline reaches it through gRPC. */
const RESET = "rpc error: code = Unavailable desc = stream terminated by RST_STREAM with error code: CANCEL";

export const proc0: Failure = { fingerprint: "NamespacePathProc0", step: "container", message: PROC0 };

export const failuresOfAllKinds: readonly Failure[] = [
  proc0,
  { fingerprint: "NamespacePathProc0", step: "sandbox", message: `failed to start sandbox: ${PROC0}` },
  { fingerprint: "ShimTaskContextCanceled", step: "container", message: SHIM },
  { fingerprint: "ShimTaskContextCanceled", step: "sandbox", message: `failed to start sandbox: ${SHIM}` },
  { fingerprint: "OtherStartError", step: "container", message: "context deadline exceeded" },
  { fingerprint: "OtherStartError", step: "create", message: "context deadline exceeded" },
  { fingerprint: "OtherStartError", step: "create", message: LATE },
  ...(["container", "create"] as const).map((step) => ({
    ...{ fingerprint: "OtherStartError" as const, step, message: RESET },
  })),
  { fingerprint: "SandboxDeadline", step: "sandbox", message: RESET },
  { fingerprint: "PullStalled", step: "pull", message: `failed to pull and unpack image "r/app:1": ${RESET}` },
  {
    fingerprint: "SandboxNetwork",
    step: "sandbox",
    message: `failed to setup network for sandbox "54": plugin type="calico" failed (add): error getting ClusterInformation: Get "https://10.0.0.1:443/apis": context deadline exceeded`,
  },
  {
    fingerprint: "ReservedContainerName",
    step: "create",
    message: `failed to reserve container name "main_${POD}_shop_${UID}_0": name "main_${POD}_shop_${UID}_0" is reserved for "4434b462"`,
  },
  {
    fingerprint: "ReservedContainerName",
    step: "create",
    message: `error reserving ctr name k8s_main_${POD}_shop_${UID}_0 for id 4434b462: name is reserved`,
  },
  {
    fingerprint: "SandboxDeadline",
    step: "sandbox",
    message: `failed to reserve sandbox name "${POD}_shop_${UID}_0": name "${POD}_shop_${UID}_0" is reserved for "62d7"`,
  },
  { fingerprint: "SandboxDeadline", step: "sandbox", message: LATE },
  {
    fingerprint: "SandboxWithoutAddress",
    step: "sandbox",
    message: `failed to setup network for sandbox "54": plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP address to container`,
  },
  {
    fingerprint: "SandboxNetwork",
    step: "sandbox",
    message: `failed to setup network for sandbox "54": plugin type="cilium-cni" failed (add): unable to connect to Cilium daemon`,
  },
  {
    fingerprint: "OtherStartError",
    step: "sandbox",
    message: "failed to start sandbox: failed to create containerd task: failed to create shim task: ttrpc: closed",
  },
  { fingerprint: "OtherSandboxError", step: "sandbox", message: "failed to get sandbox runtime: something else" },
  { fingerprint: "PullQPSExceeded", step: "pull", message: "pull QPS exceeded" },
  {
    fingerprint: "RegistryRateLimited",
    step: "pull",
    message: `failed to pull and unpack image "r/app:1": failed to copy: unexpected status code https://r/v2/x: 429 Too Many Requests`,
  },
  { fingerprint: "PullStalled", step: "pull", message: `failed to pull and unpack image "r/app:1": ${LATE}` },
  {
    fingerprint: "ImagePullBackOff",
    step: "pull",
    message: `failed to resolve reference "r/app:1": r/app:1: not found`,
  },
  {
    fingerprint: "NoSpaceLeft",
    step: "pull",
    message: `failed to pull and unpack image "r/app:1": write /var/lib/x: no space left on device`,
  },
];

const reasons = {
  container: "RunContainerError",
  create: "CreateContainerError",
  sandbox: "CreatePodSandboxError",
  pull: "ErrImagePull",
} as const;

const quoted = (text: string) => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"');

/** What the kubelet's Event says. */
function eventOf({ step, message }: Failure) {
  if (step === "sandbox")
    return { reason: "FailedCreatePodSandBox", message: `Failed to create pod sandbox: ${message}` };
  return {
    reason: "Failed",
    message: step === "pull" ? `Failed to pull image "r/app:1": ${message}` : `Error: ${message}`,
  };
}

export function kubeletLine(failure: Failure, clock = "1124 08:08:17.512345"): string {
  const { step, message } = failure;
  const what = step === "sandbox" ? `"CreatePodSandbox" for "${POD}_shop(${UID})"` : `"StartContainer" for "main"`;
  const err = `failed to ${what} with ${reasons[step]}: "${quoted(message)}"`;
  return `E${clock}    1234 pod_workers.go:1301] "Error syncing pod, skipping" err="${quoted(err)}" pod="shop/${POD}" podUID="${UID}"`;
}

export function containerdLine({ step, message }: Failure): string {
  const what = {
    container: `StartContainer for "${"4434b462".repeat(8)}" failed`,
    create: `CreateContainer within sandbox "1db8" for &ContainerMetadata{Name:main,Attempt:0,} failed`,
    sandbox: `RunPodSandbox for &PodSandboxMetadata{Name:${POD},Uid:${UID},Namespace:shop,Attempt:0,} failed, error`,
    pull: `PullImage "r/app:1" failed`,
  }[step];
  return `time="2026-11-24T08:08:17.500Z" level=error msg="${quoted(what)}" error="${quoted(message)}"`;
}

function eventObject(failure: Failure) {
  const { reason, message } = eventOf(failure);
  return {
    apiVersion: "v1",
    kind: "Event",
    type: "Warning",
    reason,
    message,
    involvedObject: { kind: "Pod", namespace: "shop", name: POD, uid: UID, fieldPath: "spec.containers{main}" },
    source: { component: "kubelet", host: "young-1" },
    firstTimestamp: "2026-11-24T08:08:17Z",
    lastTimestamp: "2026-11-24T08:08:17Z",
  };
}

const waiting = ({ step, message }: Failure) => ({
  containerStatuses: [
    { name: "main", image: "r/app:1", restartCount: 0, state: { waiting: { reason: reasons[step], message } } },
  ],
});

const cell = (text: string) => `"${text.replaceAll('"', '""')}"`;
const stamp = "2026-11-24T08:08:17.500Z";

function row(failure: Failure): string {
  const { reason, message } = eventOf(failure);
  return `LAST SEEN   TYPE      REASON                    OBJECT                        MESSAGE\n2m38s       Warning   ${reason.padEnd(26)}pod/${POD}   ${message}\n`;
}

function described(failure: Failure): string {
  const { reason, message } = eventOf(failure);
  return `Name:             ${POD}
Namespace:        shop
Node:             young-1/10.0.12.34
Start Time:       Tue, 24 Nov 2026 08:07:58 +0000
Status:           Pending
Events:
  Type     Reason     Age   From               Message
  ----     ------     ----  ----               -------
  Normal   Scheduled  3m    default-scheduler  Successfully assigned shop/${POD} to young-1
  Warning  ${reason}     2m    kubelet            ${message}
`;
}

/** Each source's wrapping, by what people would call it. */
export const wrappings: Readonly<Record<string, (failure: Failure) => string>> = {
  "audit log": (failure) => `${JSON.stringify(auditEvent(waiting(failure)))}\n`,
  "pod status": (failure) =>
    JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: POD, namespace: "shop", uid: UID },
      spec: { nodeName: "young-1" },
      status: { startTime: stamp, ...waiting(failure) },
    }),
  Event: (failure) => JSON.stringify(eventObject(failure), undefined, 2),
  "kubelet, klog": (failure) => `${kubeletLine(failure)}\n`,
  "kubelet, journal": (failure) => `Nov 24 08:08:17 young-1 kubelet[1234]: ${kubeletLine(failure)}\n`,
  "kubelet, grep": (failure) => `/var/log/messages:12:Nov 24 08:08:17 young-1 kubelet: ${kubeletLine(failure)}\n`,
  "kubelet, journal as JSON": (failure) =>
    `${JSON.stringify({ __REALTIME_TIMESTAMP: "1795507697500000", _HOSTNAME: "young-1", SYSLOG_IDENTIFIER: "kubelet", MESSAGE: kubeletLine(failure) })}\n`,
  "kubelet, journal export": (failure) =>
    `__CURSOR=s=0\n__REALTIME_TIMESTAMP=1795507697500000\n_HOSTNAME=young-1\nSYSLOG_IDENTIFIER=kubelet\nMESSAGE=${kubeletLine(failure)}\n\n`,
  "kubelet, the call to the runtime": ({ step, message }) => {
    const call = {
      container: "StartContainer from runtime service failed",
      create: "CreateContainer in sandbox from runtime service failed",
      sandbox: "RunPodSandbox from runtime service failed",
      pull: "PullImage from image service failed",
    }[step];
    return `E1124 08:08:17.512345    1234 remote_runtime.go:302] "${call}" err="${quoted(message)}"\n`;
  },
  "containerd, journal": (failure) => `Nov 24 08:08:17 young-1 containerd[99]: ${containerdLine(failure)}\n`,
  "containerd, bare": (failure) => `${containerdLine(failure)}\n`,
  "Google Cloud, textPayload": (failure) =>
    JSON.stringify([
      {
        insertId: "t",
        textPayload: kubeletLine(failure),
        timestamp: stamp,
        resource: { type: "k8s_node", labels: { node_name: "young-1" } },
      },
    ]),
  "Google Cloud, jsonPayload": (failure) =>
    JSON.stringify([{ insertId: "t", jsonPayload: eventObject(failure), timestamp: stamp }], undefined, 2),
  "Azure, KubeEvents as CSV": (failure) => {
    const { reason, message } = eventOf(failure);
    return `TimeGenerated [UTC],Computer,ObjectKind,Namespace,Name,Reason,Message,KubeEventType\n"11/24/2026, 8:08:17.500 AM",young-1,Pod,shop,${POD},${reason},${cell(message)},Warning\n`;
  },
  Elastic: (failure) =>
    JSON.stringify({
      hits: { hits: [{ _source: { "@timestamp": stamp, kubernetes: { audit: auditEvent(waiting(failure)) } } }] },
    }),
  Loki: (failure) =>
    JSON.stringify({
      data: { result: [{ stream: { nodename: "young-1" }, values: [["1795507697500000000", kubeletLine(failure)]] }] },
    }),
  Datadog: (failure) =>
    JSON.stringify({
      data: [{ id: "A", attributes: { timestamp: stamp, host: "young-1", message: kubeletLine(failure) } }],
    }),
  "Splunk as CSV": (failure) => `_raw,_time,host\n${cell(kubeletLine(failure))},${stamp},young-1\n`,
  "kubectl get events": row,
  "kubectl describe pod": described,
  "Event as YAML": (failure) => {
    const { reason, message } = eventOf(failure);
    return `apiVersion: v1\nitems:\n- apiVersion: v1\n  firstTimestamp: "2026-11-24T08:08:17Z"\n  involvedObject:\n    kind: Pod\n    name: ${POD}\n    namespace: shop\n  kind: Event\n  message: ${JSON.stringify(message)}\n  reason: ${reason}\n  type: Warning\nkind: List\n`;
  },
};
