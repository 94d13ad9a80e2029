/** Gathers the objects that must know the fence: DaemonSets, Karpenter's NodePools, Cluster Autoscaler's Deployment. */
import { FENCE_TAINT_KEY } from "../../api/names.ts";
import type { KubeObject } from "../../kube/parse/kube-json.ts";
import { recordOf, recordsOf, textOf, textsOf } from "../../kube/parse/kube-json.ts";
import { EVERY_FENCE } from "../../core/verdict.ts";
import { sortTolerations } from "../../kube/parse/tolerations.ts";
import { durationMs } from "../../kube/parse/duration.ts";
import type { AutoscalerSeen, DaemonSetSeen, NodePoolSeen } from "../facts.ts";
import { fullName, listOf, type Look, seen } from "./look.ts";

type Json = Readonly<Record<string, unknown>>;

/** Cluster Autoscaler's default of `--scale-down-delay-after-add`. */
const DEFAULT_DELAY_MS = 10 * 60_000;
/** The flags that declare a startup taint to Cluster Autoscaler before 1.29: the older spelling and the later one. */
const TAINT_FLAGS = ["ignore-taint", "startup-taint"] as const;

const podSpecOf = (raw: KubeObject): Json => recordOf(recordOf(recordOf(raw["spec"])["template"])["spec"]);

/** All DaemonSets. */
export function gatherDaemonSets(look: Look): Promise<DaemonSetSeen[]> {
  return listOf(look, "DaemonSets", "/apis/apps/v1/daemonsets", (raw) => {
    const { tolerations } = podSpecOf(raw);
    const { fencesTolerated } = sortTolerations(tolerations);
    return {
      name: fullName(raw),
      toleratesFence: fencesTolerated.includes(EVERY_FENCE),
      hasTolerations: Array.isArray(tolerations),
    };
  });
}

/** Karpenter's NodePools, in the version that the cluster prefers; empty without Karpenter. */
export async function gatherNodePools(look: Look): Promise<NodePoolSeen[]> {
  const group = await seen(look, "Karpenter", undefined, () => look.client.get("/apis/karpenter.sh"));
  const version = textOf(recordOf(group?.["preferredVersion"])["groupVersion"]);
  return version === "" ? [] : listOf(look, "NodePools", `/apis/${version}/nodepools`, nodePoolSeen);
}

function nodePoolSeen(raw: KubeObject): NodePoolSeen {
  const spec = recordOf(raw["spec"]);
  const taints = recordsOf(podSpecOf(raw)["startupTaints"]);
  return {
    name: raw.metadata?.name ?? "",
    hasStartupTaint: taints.some(({ key, effect }) => key === FENCE_TAINT_KEY && effect === "NoSchedule"),
    consolidateAfterMs: durationMs(recordOf(spec["disruption"])["consolidateAfter"]),
  };
}

/** Deployments whose image is cluster-autoscaler. */
export function gatherAutoscalers(look: Look): Promise<AutoscalerSeen[]> {
  return listOf(look, "Deployments", "/apis/apps/v1/deployments", autoscalerSeen);
}

function autoscalerSeen(raw: KubeObject): AutoscalerSeen | undefined {
  const container = recordsOf(podSpecOf(raw)["containers"]).find(({ image }) =>
    /(?:^|\/)cluster-autoscaler(?:-\w+)?(?:[:@]|$)/.test(textOf(image)),
  );
  if (container === undefined) return undefined;
  const words = [...textsOf(container["command"]), ...textsOf(container["args"])];
  const valuesOf = (flag: string) => flagValues(words, flag);
  const minor = /:v?1\.(\d+)/.exec(textOf(container["image"]))?.[1];
  return {
    name: fullName(raw),
    minor: minor === undefined ? undefined : Number(minor),
    knowsFence: TAINT_FLAGS.flatMap(valuesOf).some((value) => value.startsWith(FENCE_TAINT_KEY)),
    delayAfterAddMs: durationMs(valuesOf("scale-down-delay-after-add")[0]) ?? DEFAULT_DELAY_MS,
  };
}

/** The values of a flag, written `--flag=value` or `--flag value`, with one dash or two. */
function flagValues(words: readonly string[], flag: string): string[] {
  return words.flatMap((word, index) => {
    const [name = "", value] = word.split(/=(.*)/s);
    if (name.replace(/^--?/, "") !== flag || !name.startsWith("-")) return [];
    return [value ?? words[index + 1] ?? ""];
  });
}
