/** What the container runtimes show of one container: `crictl inspect`, `docker inspect`. */
import { classify } from "../classify/classify.ts";
import type { Sink } from "../findings/sink.ts";
import { isRecord, type Json, recordOf, textOf, timeOf } from "../json.ts";

/** Reads an inspected container or sandbox; false when the value is none. */
export function readInspected(value: Json, fallbackMs: number, sink: Sink): boolean {
  const status = recordOf(value["status"]);
  if (isRecord(status["metadata"]) && typeof status["state"] === "string")
    return readCri(value, status, fallbackMs, sink);
  const state = recordOf(value["State"]);
  if (!isRecord(value["Config"]) || typeof state["Status"] !== "string") return false;
  return readDocker(value, state, fallbackMs, sink);
}

function readCri(value: Json, status: Json, fallbackMs: number, sink: Sink): boolean {
  const labels = { ...recordOf(recordOf(value["info"])["labels"]), ...recordOf(status["labels"]) };
  const { name, attempt } = recordOf(status["metadata"]);
  const reason = textOf(status["reason"]);
  const isContainer = textOf(status["state"]).startsWith("CONTAINER_");
  const finishedAt = textOf(status["finishedAt"]);
  const atMs = timeOf(finishedAt) ?? timeOf(status["createdAt"]) ?? fallbackMs;
  sink.usable(isContainer ? "evidence" : "context", atMs);
  if (!isContainer) return true;
  reportEnd(
    { reason, message: textOf(status["message"]), exitCode: Number(status["exitCode"] ?? 0), labels },
    {
      atMs,
      attempt: typeof attempt === "number" ? attempt : undefined,
      containerId: textOf(status["id"]),
      finishedAt,
      name: textOf(name),
      image: textOf(recordOf(status["image"])["image"]),
    },
    sink,
  );
  return true;
}

function readDocker(value: Json, state: Json, fallbackMs: number, sink: Sink): boolean {
  const config = recordOf(value["Config"]);
  const message = textOf(state["Error"]);
  const finishedAt = textOf(state["FinishedAt"]);
  const atMs = timeOf(finishedAt) ?? timeOf(value["Created"]) ?? fallbackMs;
  sink.usable("evidence", atMs);
  reportEnd(
    {
      reason: message === "" ? "" : "ContainerCannotRun",
      message,
      exitCode: Number(state["ExitCode"] ?? 0),
      labels: recordOf(config["Labels"]),
    },
    {
      atMs,
      containerId: textOf(value["Id"]),
      finishedAt,
      name: "",
      image: textOf(config["Image"]),
      attempt: undefined,
    },
    sink,
  );
  return true;
}

interface End {
  readonly reason: string;
  readonly message: string;
  readonly exitCode: number;
  /** The kubelet's labels name pod and container. */
  readonly labels: Json;
}

interface About {
  readonly atMs: number;
  readonly attempt: number | undefined;
  readonly containerId: string;
  readonly finishedAt: string;
  readonly name: string;
  readonly image: string;
}

function reportEnd({ reason, message, exitCode, labels }: End, { name, ...about }: About, sink: Sink): void {
  const isStart = reason === "StartError" || reason === "ContainerCannotRun";
  const other = exitCode === 0 ? undefined : ({ fingerprint: "Unrelated", misconfigured: false } as const);
  const told = isStart ? classify({ reason, message }) : other;
  if (!told) return;
  const label = (key: string) => textOf(labels[`io.kubernetes.${key}`]);
  sink.failure({
    source: "status",
    ...told,
    ...about,
    namespace: label("pod.namespace"),
    pod: label("pod.name"),
    uid: label("pod.uid"),
    container: label("container.name") || name,
    place: "state",
    node: "",
    owner: "",
    message,
  });
}
