/** Events as a kubelet writes them. */
import type { ModelPod, NodeEvent } from "../../src/simulate/model/types.ts";
import { apiTime } from "./pod-status.ts";

/** An Event of the model that goes to the API server. */
export type ModelEvent = Extract<NodeEvent, { kind: "event" }>;

/** The identity of an Event: a second one with the same key increases the count of the first. */
export function eventKey(event: ModelEvent): string {
  return [event.uid, event.container ?? "", event.reason, event.message].join("\n");
}

/** Body of an Event's creation. `name` is unique within the namespace. */
export function eventObject(event: ModelEvent, pod: ModelPod, node: string, name: string, atMs: number): object {
  const { namespace, name: podName, uid } = pod;
  const fieldPath = event.container === undefined ? {} : { fieldPath: `spec.containers{${event.container}}` };
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name, namespace },
    involvedObject: { apiVersion: "v1", kind: "Pod", namespace, name: podName, uid, ...fieldPath },
    type: event.type,
    reason: event.reason,
    message: event.message,
    count: 1,
    firstTimestamp: apiTime(atMs),
    lastTimestamp: apiTime(atMs),
    source: { component: "kubelet", host: node },
    reportingComponent: "kubelet",
    reportingInstance: node,
  };
}
