/** Makes the core's facts of a DaemonSet from the API server's JSON. */
import type { DaemonSetFacts, Toleration } from "../../core/facts.ts";
import { recordOf, textOf } from "./kube-json.ts";
import type { KubeObject } from "./kube-json.ts";
import { shapePod } from "./pod-shape.ts";
import type { ShapeInterner } from "./shape-interner.ts";

/**
 * Tolerations that the DaemonSet controller adds to each pod (Kubernetes 1.36, `AddOrUpdateDaemonPodTolerations` in
 * pkg/controller/daemon/util/daemonset_util.go).
 */
const ADDED: readonly Toleration[] = [
  ...["not-ready", "unreachable"].map((name) => added(name, "NoExecute")),
  ...["disk-pressure", "memory-pressure", "pid-pressure", "unschedulable"].map((name) => added(name, "NoSchedule")),
];
const ADDED_ON_HOST_NETWORK: readonly Toleration[] = [added("network-unavailable", "NoSchedule")];

function added(name: string, effect: string): Toleration {
  return { key: `node.kubernetes.io/${name}`, operator: "Exists", value: "", effect };
}

/** Facts of a DaemonSet. Never throws, whatever the JSON holds. */
export function daemonSetFacts(raw: KubeObject, interner: ShapeInterner): DaemonSetFacts {
  const metadata = recordOf(raw.metadata);
  const namespace = textOf(metadata["namespace"]);
  const name = textOf(metadata["name"]);
  const template = recordOf(recordOf(raw["spec"])["template"]);
  const spec = recordOf(template["spec"]);
  const ownerReferences = [{ controller: true, kind: "DaemonSet", name }];
  const pod = { metadata: { namespace, labels: recordOf(template["metadata"])["labels"], ownerReferences }, spec };
  const { shape, pinnedTo, fencesTolerated } = shapePod(pod as KubeObject);
  const tolerations = [...shape.tolerations, ...ADDED, ...(spec["hostNetwork"] === true ? ADDED_ON_HOST_NETWORK : [])];
  const deleting = metadata["deletionTimestamp"] != null;
  return { namespace, name, shape: interner.shape({ ...shape, tolerations }), pinnedTo, fencesTolerated, deleting };
}
