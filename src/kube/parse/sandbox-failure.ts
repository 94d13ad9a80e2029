/** Reads from a kubelet's Event (core/v1) which pod's sandbox was not made, where, and why. */
import type { SandboxCause, SandboxFailure } from "../../core/facts.ts";
import { nodeName, podUID } from "../../core/ids.ts";
import { NO_ADDRESS, OUT_OF_TIME, PLUGINS_REQUEST, SANDBOX_NAME_TAKEN } from "./failure-texts.ts";
import { recordOf, textOf } from "./kube-json.ts";
import type { KubeObject } from "./kube-json.ts";

/** `reason` of these Events, as kubelets have it (Kubernetes 1.36, pkg/kubelet/events/event.go). */
export const SANDBOX_FAILED = "FailedCreatePodSandBox";

/** A kubelet's own messages are far shorter; what a forger adds is not read. */
const READ_CHARS = 4_096;

/**
 * The plugin, or its daemon, is not there yet: the node is still being set up, whatever else the message names.
 * Sources: https://github.com/aws/amazon-vpc-cni-k8s/issues/3016, https://github.com/aws/amazon-vpc-cni-k8s/issues/1322.
 */
const NOT_SET_UP =
  /connect: (?:connection refused|no such file or directory)|cni plugin not initialized|cni config uninitialized/i;

/** The registry, or the way to it. */
const SANDBOX_IMAGE = /(?:get|pull|ensure) (?:the )?sandbox image|failed to pull (?:and unpack )?image/i;

/**
 * Cilium's agent (https://github.com/cilium/cilium/issues/24361, .../14922), EC2 (`RequestLimitExceeded`), and
 * client-go's own limiter. No single word: pods are called ratelimit.
 */
const RATE_LIMITED = /(?:\[|\bstatus |\bcode )429\b|Too ?Many ?Requests|rate limit|RequestLimitExceeded/i;

/** Cilium's words for its own deadline: https://github.com/cilium/cilium/issues/27816. */
const CLIENT_TIMEOUT = /client timeout exceeded/i;

/** First match wins. */
const CAUSES: readonly (readonly [RegExp, SandboxCause])[] = [
  [SANDBOX_IMAGE, "Other"],
  [NOT_SET_UP, "Other"],
  [RATE_LIMITED, "RateLimited"],
  [CLIENT_TIMEOUT, "TimedOut"],
  [NO_ADDRESS, "NoAddress"],
  [PLUGINS_REQUEST, "Other"],
  [SANDBOX_NAME_TAKEN, "TimedOut"],
  [OUT_OF_TIME, "TimedOut"],
];

/** Undefined for an Event of anything else, or of no kubelet. Never throws, whatever the JSON holds. */
export function sandboxFailure(event: KubeObject): SandboxFailure | undefined {
  const about = recordOf(event["involvedObject"]);
  const uid = textOf(about["uid"]);
  if (event["reason"] !== SANDBOX_FAILED || about["kind"] !== "Pod" || uid === "") return undefined;
  const source = recordOf(event["source"]);
  const reporter = textOf(event["reportingComponent"]) || textOf(source["component"]);
  const node = textOf(event["reportingInstance"]) || textOf(source["host"]);
  if (reporter !== "kubelet" || node === "") return undefined;
  return { pod: podUID(uid), node: nodeName(node), cause: causeOf(textOf(event["message"]).slice(0, READ_CHARS)) };
}

const causeOf = (message: string): SandboxCause => CAUSES.find(([text]) => text.test(message))?.[1] ?? "Other";
