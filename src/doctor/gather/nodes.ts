/** Gathers nodes, and the sizes of the images that they list. */
import { nodeFacts } from "../../kube/parse/facts.ts";
import { recordOf, recordsOf, textOf } from "../../kube/parse/kube-json.ts";
import type { KubeObject } from "../../kube/parse/kube-json.ts";
import { createShapeInterner } from "../../kube/parse/shape-interner.ts";
import type { Tally } from "../../diagnose/findings/tally.ts";
import type { NodeSeen } from "../facts.ts";
import { eachOf, type Look, seen } from "./look.ts";

export interface NodesSeen {
  readonly nodes: readonly NodeSeen[] | undefined;
  /** Keyed by the full name that any node lists. */
  readonly imageBytes: ReadonlyMap<string, number>;
}

/** Reads all nodes, and tells `tally` when each was created. */
export async function gatherNodes(look: Look, tally: Tally): Promise<NodesSeen> {
  const interner = createShapeInterner();
  const imageBytes = new Map<string, number>();
  const nodes: NodeSeen[] = [];
  const take = (raw: KubeObject) => {
    const { images, ...node } = nodeFacts(raw, interner);
    for (const [name, bytes] of images) imageBytes.set(name, bytes);
    nodes.push({ ...node, ...machineOf(raw) });
    tally.nodeCreated(node.name, node.createdAtMs);
  };
  const all = await seen(look, "nodes", undefined, async () => {
    await eachOf(look, "/api/v1/nodes", take);
    return nodes;
  });
  return { nodes: all, imageBytes };
}

function machineOf(raw: KubeObject): Pick<NodeSeen, "instanceType" | "runtime" | "kubelet" | "hasExternalAddress"> {
  const status = recordOf(raw["status"]);
  const info = recordOf(status["nodeInfo"]);
  const labels = raw.metadata?.labels ?? {};
  return {
    instanceType: textOf(labels["node.kubernetes.io/instance-type"]) || "unknown",
    runtime: textOf(info["containerRuntimeVersion"]) || "unknown",
    kubelet: textOf(info["kubeletVersion"]) || "unknown",
    hasExternalAddress: recordsOf(status["addresses"]).some(({ type }) => type === "ExternalIP"),
  };
}
