/**
 * The fence, for nodes CREATE. The taint comes with the node itself, so at no moment is the node open to the herd.
 * Fails open: if anything goes wrong here, the node joins unfenced.
 */
import type { AdmissionRequest, AdmissionResponse } from "../api/admission-review.ts";
import { FENCE_TAINT_KEY, FENCED_AT_ANNOTATION } from "../api/names.ts";
import { fenceValue, fenceVerdict } from "../core/rules/node-fence.ts";
import type { ReplicaState } from "../core/verdict.ts";
import { nodeName } from "../core/ids.ts";
import type { PacingPolicy } from "../policy/schema.ts";
import { allowAsIs, allowWithPatch } from "./patch.ts";

/** The result of one request; for metrics and logs. */
export type NodeAdmissionReport =
  | { readonly kind: "fenced"; readonly node: string; readonly value: string; readonly dryRun: boolean }
  /** The node would have been fenced if the policy's mode were not observe. */
  | { readonly kind: "observed"; readonly node: string; readonly dryRun: boolean }
  | { readonly kind: "failure"; readonly error: unknown };

export interface NodeAdmissionOptions {
  /** The policy in force; undefined until one has been read. */
  readonly policy: () => PacingPolicy | undefined;
  readonly replica: () => ReplicaState;
  readonly now: () => number;
  readonly report: (report: NodeAdmissionReport) => void;
}

/** The fields of a raw Node that the fence needs. */
interface RawNode {
  readonly metadata?: {
    readonly name?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: { readonly taints?: readonly { readonly key?: string }[] };
}

/** True if another program added a fence (a NodePool's startup taint). The leader adopts it. */
const isFenced = ({ spec }: RawNode) => spec?.taints?.some(({ key }) => key === FENCE_TAINT_KEY) === true;

/** Adds taint and annotation. Other taints stay, in their order. */
function fencePatch(uid: string, { metadata, spec }: RawNode, value: string, nowMs: number): AdmissionResponse {
  const annotations = metadata?.annotations;
  const taints = spec?.taints;
  const before = {
    ...(metadata && { metadata: annotations ? { annotations } : {} }),
    ...(spec && { spec: taints ? { taints } : {} }),
  };
  const after = {
    metadata: { annotations: { ...annotations, [FENCED_AT_ANNOTATION]: new Date(nowMs).toISOString() } },
    spec: { taints: [...(taints ?? []), { key: FENCE_TAINT_KEY, value, effect: "NoSchedule" }] },
  };
  return allowWithPatch(uid, before, after);
}

const isNodeCreation = ({ operation, resource, subResource }: AdmissionRequest) =>
  operation === "CREATE" && resource.group === "" && resource.resource === "nodes" && (subResource ?? "") === "";

/** Makes the handler of `/mutate/nodes`. It never throws. */
export function nodeAdmission({ policy, replica, now, report }: NodeAdmissionOptions) {
  return (request: AdmissionRequest): AdmissionResponse => {
    if (!isNodeCreation(request)) return allowAsIs(request.uid);
    try {
      const node = request.object as RawNode;
      const name = node.metadata?.name;
      if (name === undefined || isFenced(node)) return allowAsIs(request.uid);
      const dryRun = request.dryRun === true;
      const verdict = fenceVerdict(node.metadata?.labels ?? {}, policy(), replica());
      if (verdict === "observe") report({ kind: "observed", node: name, dryRun });
      if (verdict !== "fence") return allowAsIs(request.uid);
      const value = fenceValue(nodeName(name));
      const answer = fencePatch(request.uid, node, value, now());
      report({ kind: "fenced", node: name, value, dryRun });
      return answer;
    } catch (error) {
      // Fails open: an unfenced node takes the herd at once, which is what happens without Paceline (promise 1).
      report({ kind: "failure", error });
      return allowAsIs(request.uid);
    }
  };
}
