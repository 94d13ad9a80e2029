/** Reads a pod of the API server into the model's form. */
import type { KubeObject } from "../../src/kube/parse/kube-json.ts";
import { recordOf, recordsOf, textMapOf, textOf } from "../../src/kube/parse/kube-json.ts";
import { podDefaults } from "../../src/simulate/model/constants.ts";
import type { ModelContainer, ModelPod } from "../../src/simulate/model/types.ts";

/** Annotations that say how a pod starts, in seconds, for all its containers. */
export const modelAnnotations = {
  /** How long each init container runs. */
  initSeconds: "model.paceline.dev/init-seconds",
  /** Work until it can be ready, in core-seconds. */
  startCpuSeconds: "model.paceline.dev/start-cpu-seconds",
  /** From the end of that work until its startup probe passes. */
  startupProbeSeconds: "model.paceline.dev/startup-probe-seconds",
  /** From then until it is ready. */
  readySeconds: "model.paceline.dev/ready-seconds",
  /** A startup probe that kills it if its work takes longer. */
  startupDeadlineSeconds: "model.paceline.dev/startup-deadline-seconds",
  /** It exits with 1 this long after every start. */
  crashAfterSeconds: "model.paceline.dev/crash-after-seconds",
} as const;

/** The model's pod. An annotation that is not a number of 0 or more counts as absent. */
export function modelPod(raw: KubeObject): ModelPod {
  const annotations = textMapOf(raw.metadata?.annotations);
  const seconds = (name: string) => secondsOf(annotations[name]);
  return {
    uid: raw.metadata?.uid ?? "",
    namespace: raw.metadata?.namespace ?? "",
    name: raw.metadata?.name ?? "",
    containers: recordsOf(recordOf(raw["spec"])["containers"]).map(containerOf),
    initContainers: initContainers(raw, seconds(modelAnnotations.initSeconds) ?? 0),
    startCpuSeconds: seconds(modelAnnotations.startCpuSeconds) ?? podDefaults.startCpuSeconds,
    startupProbeSeconds: seconds(modelAnnotations.startupProbeSeconds),
    readySeconds: seconds(modelAnnotations.readySeconds) ?? podDefaults.readySeconds,
    startupDeadlineSeconds: seconds(modelAnnotations.startupDeadlineSeconds),
    crashAfterSeconds: seconds(modelAnnotations.crashAfterSeconds),
  };
}

/** True if the pod has terminated: Succeeded or Failed. */
export function isOver(raw: KubeObject): boolean {
  const phase = textOf(recordOf(raw["status"])["phase"]);
  return phase === "Succeeded" || phase === "Failed";
}

/** Sidecars are left out: the model has none. */
function initContainers(raw: KubeObject, runSeconds: number): readonly ModelContainer[] {
  return recordsOf(recordOf(raw["spec"])["initContainers"])
    .filter((one) => one["restartPolicy"] !== "Always")
    .map((one) => ({ ...containerOf(one), init: { runSeconds } }));
}

function containerOf(raw: Readonly<Record<string, unknown>>): ModelContainer {
  return {
    name: textOf(raw["name"]),
    image: textOf(raw["image"]),
    pullAlways: raw["imagePullPolicy"] === "Always",
  };
}

function secondsOf(text: string | undefined): number | undefined {
  const value = text === undefined || text.trim() === "" ? Number.NaN : Number(text);
  return Number.isFinite(value) && value >= 0 ? value : undefined;
}
