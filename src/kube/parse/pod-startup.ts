/** Reads from a pod's status what each of its containers does while the pod starts. */
import type { ContainerState, PodStartup, StartingContainer } from "../../core/facts.ts";
import { imageName } from "../../core/ids.ts";
import { recordOf, recordsOf, textOf, timeOf } from "./kube-json.ts";

type Json = Readonly<Record<string, unknown>>;

/** Never throws. Undefined if the kubelet has written neither a container's status nor the sandbox's condition. */
export function podStartup(spec: Json, status: Json): PodStartup | undefined {
  const init = recordsOf(status["initContainerStatuses"]);
  const app = recordsOf(status["containerStatuses"]);
  const sandbox = recordsOf(status["conditions"]).find((one) => one["type"] === "PodReadyToStartContainers");
  if (sandbox === undefined && init.length === 0 && app.length === 0) return undefined;
  return {
    sandboxReady: sandbox === undefined ? undefined : sandbox["status"] === "True",
    sandboxSinceMs: timeOf(sandbox?.["lastTransitionTime"]),
    containers: [
      ...recordsOf(spec["initContainers"]).map((one) => containerOf(one, initRole(one), init)),
      ...recordsOf(spec["containers"]).map((one) => containerOf(one, "app", app)),
    ],
  };
}

const initRole = (container: Json) => (container["restartPolicy"] === "Always" ? "sidecar" : "init");

function containerOf(container: Json, role: StartingContainer["role"], statuses: readonly Json[]): StartingContainer {
  const status = statuses.find((one) => one["name"] === container["name"]) ?? {};
  return { role, image: imageName(textOf(container["image"])), state: stateOf(status) };
}

function stateOf(status: Json): ContainerState {
  const { waiting, running, terminated } = recordOf(status["state"]);
  if (running != null) {
    return {
      kind: status["started"] === true ? "started" : "running",
      sinceMs: timeOf(recordOf(running)["startedAt"]),
    };
  }
  if (terminated != null) {
    const { finishedAt, exitCode } = recordOf(terminated);
    return {
      kind: "terminated",
      atMs: timeOf(finishedAt),
      exitCode: typeof exitCode === "number" ? exitCode : undefined,
    };
  }
  return { kind: "waiting", reason: textOf(recordOf(waiting)["reason"]) };
}
