/** Of which pods the gate's webhook is asked when they are created, as far as its selectors and the pods tell. */
import type { KubeObject } from "../../kube/parse/kube-json.ts";
import { recordOf, recordsOf, textMapOf, textOf } from "../../kube/parse/kube-json.ts";
import { matchesSelector } from "../../policy/resolve.ts";
import { GATE_WEBHOOK, type WebhookSeen } from "../facts.ts";
import { listOf, type Look } from "./look.ts";

/** True if the webhook was to be asked about the pod. Where that cannot be told it is false. */
export type IsAskedAbout = (pod: KubeObject) => boolean;

const NAME_LABEL = "kubernetes.io/metadata.name";
const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";
/** The classes that the webhook's conditions leave out. */
const CRITICAL = ["system-node-critical", "system-cluster-critical"];

/** Reads the labels of namespaces, if there is such a webhook. Without them no pod counts. */
export async function gatherAskedPods(look: Look, webhooks: readonly WebhookSeen[]): Promise<IsAskedAbout> {
  const gates = webhooks.filter(({ name }) => name === GATE_WEBHOOK);
  if (gates.length === 0) return () => false;
  const labels = await listOf(
    look,
    "namespaces",
    "/api/v1/namespaces",
    ({ metadata }) => [metadata?.name ?? "", textMapOf(metadata?.labels)] as const,
  );
  const namespaces = new Map(labels);
  return (pod) => {
    const found = namespaces.get(pod.metadata?.namespace ?? "");
    if (found === undefined || !isOrdinary(pod)) return false;
    const own = { ...found, [NAME_LABEL]: pod.metadata?.namespace ?? "" };
    return gates.some(
      ({ namespaceSelector, objectSelector }) =>
        matchesSelector(namespaceSelector, own) && matchesSelector(objectSelector, textMapOf(pod.metadata?.labels)),
    );
  };
}

/**
 * What the webhook's conditions ask, as far as a pod still shows it. One without an owner may have been created with
 * its node.
 */
function isOrdinary({ metadata, ...pod }: KubeObject): boolean {
  const spec = recordOf(pod["spec"]);
  const owners = recordsOf(recordOf(metadata)["ownerReferences"]);
  return (
    metadata?.annotations?.[MIRROR_ANNOTATION] === undefined &&
    !CRITICAL.includes(textOf(spec["priorityClassName"])) &&
    (textOf(spec["nodeName"]) === "" || owners.some(({ controller }) => controller === true))
  );
}
