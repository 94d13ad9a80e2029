/** The resources that the server keeps. */
import type { KubeObject } from "../../../src/kube/parse/kube-json.ts";

export interface Resource {
  /** "" for the core group. */
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** True if a PUT without a resourceVersion overwrites whatever is there. */
  readonly unconditionalUpdate: boolean;
  /** Field selectors that the API server supports besides `metadata.name` and `metadata.namespace`. */
  readonly selectableFields: readonly string[];
  /** True if `/status` is a subresource of its own. */
  readonly hasStatus: boolean;
}

const ADMISSION = "admissionregistration.k8s.io";

const POD_FIELDS = [
  ...["spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork"],
  ...["status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName"],
];

const EVENT_FIELDS = ["reason", "type", "reportingController", "regarding.kind", "regarding.name", "regarding.uid"];

export const PODS = resource("", "pods", "Pod", { selectableFields: POD_FIELDS, hasStatus: true });
export const NODES = resource("", "nodes", "Node", {
  namespaced: false,
  selectableFields: ["spec.unschedulable"],
  hasStatus: true,
});
export const NAMESPACES = resource("", "namespaces", "Namespace", {
  namespaced: false,
  selectableFields: ["status.phase"],
  hasStatus: true,
});
export const CONFIG_MAPS = resource("", "configmaps", "ConfigMap");
export const SECRETS = resource("", "secrets", "Secret", { selectableFields: ["type"] });
export const EVENTS = resource("events.k8s.io", "events", "Event", { selectableFields: EVENT_FIELDS });
/** Kubelets write these. The real API server keeps both as one. */
export const CORE_EVENTS = resource("", "events", "Event", { selectableFields: ["reason", "involvedObject.uid"] });
export const LEASES = resource("coordination.k8s.io", "leases", "Lease", { unconditionalUpdate: false });
export const DAEMON_SETS = resource("apps", "daemonsets", "DaemonSet", { hasStatus: true });
export const ENDPOINT_SLICES = resource("discovery.k8s.io", "endpointslices", "EndpointSlice");
export const MUTATING_WEBHOOKS = webhooks("Mutating");
export const VALIDATING_WEBHOOKS = webhooks("Validating");

export const RESOURCES: readonly Resource[] = [
  ...[PODS, NODES, NAMESPACES, CONFIG_MAPS, SECRETS, EVENTS, CORE_EVENTS, LEASES, DAEMON_SETS],
  ENDPOINT_SLICES,
  ...[MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS],
];

function resource(group: string, plural: string, kind: string, more: Partial<Resource> = {}): Resource {
  return {
    ...{ group, plural, kind, namespaced: true, unconditionalUpdate: true, selectableFields: [], hasStatus: false },
    ...more,
  };
}

function webhooks(which: string): Resource {
  const kind = `${which}WebhookConfiguration`;
  return resource(ADMISSION, `${kind.toLowerCase()}s`, kind, { namespaced: false, unconditionalUpdate: false });
}

/** `v1`, or the group and `v1`. */
export const apiVersionOf = ({ group }: Resource) => (group === "" ? "v1" : `${group}/v1`);

/** The object with the `kind` and `apiVersion` that answers and watches carry, but not the items of a list. */
export function typed(resource: Resource, object: KubeObject): KubeObject {
  return { kind: resource.kind, apiVersion: apiVersionOf(resource), ...object };
}
